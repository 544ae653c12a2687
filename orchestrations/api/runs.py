"""Runs: what happened when an orchestration was executed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict, JsonValue

from components.api.base import (
    ERRORS,
    PageQuery,
    SearchQuery,
    idempotent,
    needs,
    newest_first,
    page_of,
    understood,
    user_of,
)
from components.queries.waiting import Place
from orchestrations.api.orchestrations import existing
from orchestrations.enums import RunStatus, StartedBy, TaskStatus
from orchestrations.models import Run, TaskRun
from orchestrations.queries.run_page import TaskRow, run_detail
from orchestrations.queries.run_search import run_fields, runs_found
from orchestrations.queries.waiting import run_places
from orchestrations.services.orchestration_tokens import may_start, may_start_its
from orchestrations.services.runs import start_run, terminate_run, terminate_task
from orchestrator_site.lib.access import OPERATE, VIEW

router = Router(tags=["Runs"])
EXAMPLE: dict[str, JsonValue] = {
    "id": 90,
    "orchestration": 7,
    "version": 3,
    "status": "success",
    "reason": "",
    "waiting_for": "",
    "queue_position": None,
    "variables": {"city": "Brno"},
    "started_by": "schedule",
    "created_by": None,
    "token": "",
    "schedule": 4,
    "scheduled_for": "2026-11-22T06:00:00Z",
    "trigger": None,
    "updates": [],
    "retry_of": None,
    "created_at": "2026-11-22T06:00:00Z",
    "started_at": "2026-11-22T06:00:00Z",
    "ended_at": "2026-11-22T06:01:14Z",
}
TASK: dict[str, JsonValue] = {
    "key": "t1",
    "name": "Orders",
    "phase": "Extract",
    "status": "success",
    "reason": "",
    "started_at": "2026-11-22T06:00:00Z",
    "ended_at": "2026-11-22T06:01:14Z",
    "jobs": [501],
    "run": None,
}


class RunIn(Schema):
    """Which tasks to run, by key, and variables; nothing means all active tasks."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"tasks": ["t1"], "variables": {"city": "Brno"}}},
    )
    tasks: list[str] | None = None
    variables: dict[str, str] | None = None


class RetryIn(Schema):
    """Which tasks to run again, by key, and variables in place of those of the run.

    No tasks means those that failed or were not executed.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"tasks": ["t2", "t3"]}}
    )
    tasks: list[str] | None = None
    variables: dict[str, str] | None = None


class UpdateOut(Schema):
    """What a trigger saw: an update of a table, or the end of a run or a call by its `kind`."""

    table: str | None = None
    version: int | None = None
    kind: str | None = None
    key: str | None = None
    words: str | None = None
    run: int | None = None
    at: datetime


class RunOut(Schema):
    """One execution of an orchestration; `updates` are those of the tables that started it."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    id: int
    orchestration: int
    version: int
    status: RunStatus
    reason: str
    waiting_for: str = Field(description="A sentence, while it is queued: behind what.")
    queue_position: int | None = Field(description="While it is queued, 1 for the next to begin.")
    variables: dict[str, str] = Field(description="Those given, over those of the orchestration.")
    started_by: StartedBy
    created_by: str | None
    token: str = Field(description="Name of the API token that started it, if one did.")
    schedule: int | None
    scheduled_for: datetime | None
    trigger: int | None
    updates: list[UpdateOut]
    retry_of: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @staticmethod
    def resolve_waiting_for(run: Run) -> str:
        place = place_of(run)
        return place.text if place else ""

    @staticmethod
    def resolve_queue_position(run: Run) -> int | None:
        place = place_of(run)
        return place.position if place else None

    @staticmethod
    def resolve_orchestration(run: Run) -> int:
        return run.orchestration_id

    @staticmethod
    def resolve_variables(run: Run) -> dict[str, str]:
        return run.effective_variables

    @staticmethod
    def resolve_version(run: Run) -> int:
        return run.version.number

    @staticmethod
    def resolve_created_by(run: Run) -> str | None:
        return run.created_by.get_username() if run.created_by else None

    @staticmethod
    def resolve_token(run: Run) -> str:
        return run.token_name

    @staticmethod
    def resolve_schedule(run: Run) -> int | None:
        return run.schedule_id

    @staticmethod
    def resolve_trigger(run: Run) -> int | None:
        return run.trigger_id

    @staticmethod
    def resolve_retry_of(run: Run) -> int | None:
        return run.retry_of_id


class RunPage(Schema):
    """Runs, newest first."""

    model_config = page_of(EXAMPLE, 90)
    items: list[RunOut]
    next: int | None


class TaskOut(Schema):
    """One task of a run; `jobs` are its attempts, oldest first."""

    key: str
    name: str
    phase: str
    status: TaskStatus
    reason: str
    started_at: datetime | None
    ended_at: datetime | None
    jobs: list[int]
    run: int | None


def _task(row: TaskRow) -> dict[str, Any]:
    task = row.task
    return {
        "key": task.key,
        "name": task.name,
        "phase": task.phase_name,
        "status": task.status,
        "reason": row.reason,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "jobs": [attempt.job.pk for attempt in row.attempts],
        "run": task.child_id,
    }


class RunDetailOut(RunOut):
    """A run with its tasks, in order of their phases."""

    model_config = ConfigDict(json_schema_extra={"example": {**EXAMPLE, "tasks": [TASK]}})
    tasks: list[TaskOut]

    @staticmethod
    def resolve_tasks(run: Run) -> list[dict[str, Any]]:
        detail = run_detail(run.pk)
        phases = detail.phases if detail else []
        return [_task(row) for phase in phases for row in phase.tasks]


class RunQuery(PageQuery):
    """Which runs are wanted."""

    status: RunStatus | None = None


def runs() -> QuerySet[Run]:
    """All runs with what their answers need."""
    return Run.objects.select_related("version", "created_by")


def note_places(found: Sequence[Run]) -> None:
    """Look up at once where runs stand in line, for all their answers."""
    places = run_places(found)
    for run in found:
        run.place = places.get(run.pk)  # type: ignore[attr-defined]  # only until it is shown


def place_of(run: Run) -> Place | None:
    """Return where a run stands in line, looked up once."""
    if not hasattr(run, "place"):
        note_places([run])
    place: Place | None = getattr(run, "place", None)
    return place


@router.get("/runs", response={200: RunPage, **ERRORS}, auth=needs(VIEW))
def list_all_runs(request: HttpRequest, query: Query[SearchQuery]) -> dict[str, Any]:
    """List runs of all orchestrations that a search finds, newest first."""
    search = understood(query.query, run_fields)
    found = runs_found(search, user=user_of(request), now=timezone.now())
    page = newest_first(found.select_related("version", "created_by"), query)
    note_places(page["items"])
    return page


@router.get(
    "/orchestrations/{int:pk}/runs",
    response={200: RunPage, **ERRORS},
    auth=needs(VIEW, trigger=may_start),
)
def list_runs(request: HttpRequest, pk: int, query: Query[RunQuery]) -> dict[str, Any]:
    """List an orchestration's runs, newest first."""
    rows = runs().filter(orchestration=get_object_or_404(existing(), pk=pk))
    page = newest_first(rows.filter(status=query.status) if query.status else rows, query)
    note_places(page["items"])
    return page


@router.post(
    "/orchestrations/{int:pk}/runs",
    response={202: RunOut, **ERRORS},
    auth=needs(OPERATE, trigger=may_start),
)
def run_orchestration(request: HttpRequest, pk: int, body: RunIn | None = None) -> HttpResponse:
    """Run an orchestration; honours Idempotency-Key."""
    orchestration = get_object_or_404(existing(), pk=pk)
    asked = body or RunIn()
    return idempotent(
        request,
        202,
        lambda: start_run(
            orchestration,
            started_by=StartedBy.API,
            user=user_of(request),
            variables=asked.variables,
            selected=asked.tasks,
        ),
        RunOut,
    )


@router.get(
    "/runs/{int:pk}",
    response={200: RunDetailOut, **ERRORS},
    auth=needs(VIEW, trigger=may_start_its),
)
def get_run(request: HttpRequest, pk: int) -> Run:
    """Show one run with its tasks."""
    return get_object_or_404(runs(), pk=pk)


@router.post("/runs/{int:pk}/retry", response={202: RunOut, **ERRORS}, auth=needs(OPERATE))
def retry_run(request: HttpRequest, pk: int, body: RetryIn | None = None) -> HttpResponse:
    """Run tasks of a finished run again, as a new run; honours Idempotency-Key.

    409 while the run is unfinished, 422 for tasks that it does not have.
    """
    run = get_object_or_404(Run.objects.select_related("orchestration"), pk=pk)
    asked = body or RetryIn()
    return idempotent(
        request,
        202,
        lambda: start_run(
            run.orchestration,
            started_by=StartedBy.RETRY,
            user=user_of(request),
            variables=asked.variables,
            selected=asked.tasks,
            retry_of=run,
        ),
        RunOut,
    )


@router.post(
    "/runs/{int:pk}/terminate",
    response={202: RunOut, **ERRORS},
    auth=needs(OPERATE, trigger=may_start_its),
)
def terminate(request: HttpRequest, pk: int) -> Status[Run]:
    """Stop a run with all its jobs."""
    terminate_run(get_object_or_404(Run, pk=pk), user=user_of(request))
    return Status(202, runs().get(pk=pk))


@router.post(
    "/runs/{int:pk}/tasks/{path:key}/terminate",
    response={202: RunDetailOut, **ERRORS},
    auth=needs(OPERATE),
)
def terminate_one_task(request: HttpRequest, pk: int, key: str) -> Status[Run]:
    """Stop one task of a run with its job or child run; the others go on.

    409 where it has not begun or has ended.
    """
    task = get_object_or_404(TaskRun, run__pk=pk, key=key)
    terminate_task(task, user=user_of(request))
    return Status(202, runs().get(pk=pk))
