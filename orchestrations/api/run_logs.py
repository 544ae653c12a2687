"""The log of a run: its events and the lines of all its jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import ConfigDict, JsonValue

from components.api.base import ERRORS, needs
from components.enums import LogLevel
from orchestrations.models import Run
from orchestrations.queries.run_log import Cursor, Entry, Wanted, log_after
from orchestrator_site.lib.access import VIEW

router = Router(tags=["Runs"])
EXAMPLE: dict[str, JsonValue] = {
    "items": [
        {
            "at": "2026-11-22T06:00:01.250000Z",
            "level": "info",
            "task": "Orders",
            "job": 501,
            "message": "Loaded 100 rows into in.c-shop.orders.",
        }
    ],
    "next": "1795672801250000l9182",
}


class RunLogQuery(Schema):
    """Which entries of the log of a run are wanted."""

    limit: Annotated[int, Query(ge=1, le=1000, description="Entries, 1 to 1000.")] = 200
    after: Annotated[str, Query(description="`next` of the answer before.")] = ""
    level: Annotated[LogLevel | None, Query(description="The lowest that is wanted.")] = None
    text: Annotated[str, Query(max_length=500, description="A part of the message.")] = ""
    task: Annotated[str, Query(max_length=40, description="The key of one task.")] = ""


class RunEntryOut(Schema):
    """One line of a job, or something that happened to the run or a task (`job` is null then)."""

    at: datetime
    level: LogLevel
    task: str | None
    job: int | None
    message: str

    @staticmethod
    def resolve_message(entry: Entry) -> str:
        return entry.text


class RunLogPage(Schema):
    """Entries in order of time; `next` is where to go on, also while the run is unfinished."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    items: list[RunEntryOut]
    next: str


@router.get("/runs/{int:pk}/log", response={200: RunLogPage, **ERRORS}, auth=needs(VIEW))
def get_run_log(request: HttpRequest, pk: int, query: Query[RunLogQuery]) -> dict[str, Any]:
    """Show what happened in a run and what all its jobs wrote, in order of time.

    While the run is unfinished the last two seconds are held back, since jobs hand their lines over
    every second: what was answered once stays in this order.
    """
    run = get_object_or_404(Run, pk=pk)
    after = Cursor.of(query.after)
    if query.after and after is None:
        raise HttpError(422, "“after” is not the `next` of an answer.")
    task = get_object_or_404(run.task_runs, key=query.task).pk if query.task else None
    wanted = Wanted(level=query.level or "", words=query.text, task=task)
    page = log_after(run, wanted, after=after, limit=query.limit)
    return {"items": page.entries, "next": str(page.after or "")}
