"""Jobs: what ran and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict, JsonValue

from components.api.base import (
    ERRORS,
    PageQuery,
    SearchQuery,
    needs,
    newest_first,
    page_of,
    understood,
    user_of,
)
from components.enums import JobStatus, LogLevel
from components.models import Job, JobLog
from components.queries.job_search import job_fields, jobs_found
from components.queries.waiting import Place, job_places
from components.services.jobs import terminate_job
from orchestrator_site.lib.access import OPERATE, VIEW
from orchestrator_site.lib.secrets import hide_tree

router = Router(tags=["Jobs"])
EXAMPLE: dict[str, JsonValue] = {
    "id": 501,
    "component": "ex-http",
    "configuration": 12,
    "configuration_name": "Orders",
    "configuration_version": 3,
    "status": "success",
    "waiting_for": "",
    "queue_position": None,
    "origin": "api",
    "created_by": "ann",
    "created_at": "2026-11-22T18:00:00Z",
    "started_at": "2026-11-22T18:00:00Z",
    "ended_at": "2026-11-22T18:00:02Z",
    "error": "",
    "error_type": "",
    "error_reference": "",
    "parameters": {"url": "https://example.com/orders.csv", "format": "csv"},
    "variables": {"city": "Brno"},
    "result": {},
    "tables_in": [],
    "tables_out": [{"table": "in.c-shop.orders", "rows": 100, "bytes": 2048}],
    "peak_memory": 48234496,
}
LINE: dict[str, JsonValue] = {
    "seq": 3,
    "at": "2026-11-22T18:00:01Z",
    "level": "info",
    "message": "Loaded 100 rows into in.c-shop.orders.",
}


class TableLoad(Schema):
    """A table that a job read or wrote."""

    model_config = ConfigDict(extra="allow")
    table: str
    rows: int | None = None
    bytes: int | None = None


class JobOut(Schema):
    """One execution of one configuration."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    id: int
    component: str
    configuration: int | None
    configuration_name: str
    configuration_version: int
    status: JobStatus
    waiting_for: str = Field(description="A sentence, while it is queued: behind what, for what.")
    queue_position: int | None = Field(description="While it is queued, 1 for the next to begin.")
    origin: str
    created_by: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    error: str
    error_type: str
    error_reference: str
    parameters: dict[str, Any]
    variables: dict[str, str] = Field(description="Put in place of {{ name }} in the parameters.")
    result: dict[str, Any]
    tables_in: list[TableLoad]
    tables_out: list[TableLoad]
    peak_memory: int | None

    @staticmethod
    def resolve_component(job: Job) -> str:
        return job.component.key

    @staticmethod
    def resolve_waiting_for(job: Job) -> str:
        place = place_of(job)
        return place.text if place else ""

    @staticmethod
    def resolve_queue_position(job: Job) -> int | None:
        place = place_of(job)
        return place.position if place else None

    @staticmethod
    def resolve_configuration(job: Job) -> int | None:
        return job.configuration_id

    @staticmethod
    def resolve_created_by(job: Job) -> str | None:
        return job.created_by.get_username() if job.created_by else None

    @staticmethod
    def resolve_parameters(job: Job) -> dict[str, Any]:
        return dict(hide_tree(job.parameters))


class JobPage(Schema):
    """Jobs, newest first."""

    model_config = page_of(EXAMPLE, 501)
    items: list[JobOut]
    next: int | None


class LogLineOut(Schema):
    """One line of a job's log."""

    model_config = ConfigDict(json_schema_extra={"example": LINE})
    seq: int
    at: datetime
    level: LogLevel
    message: str


class LogPage(Schema):
    """Log lines in order; `next` is the number to go on after, also while the job still runs."""

    model_config = page_of(LINE, 3)
    items: list[LogLineOut]
    next: int


class JobQuery(SearchQuery):
    """Which jobs are wanted: what the search finds, narrowed by the other parameters."""

    status: JobStatus | None = None
    component: str | None = None
    configuration: int | None = None


def jobs() -> QuerySet[Job]:
    """All jobs with what their answers need."""
    return Job.objects.select_related("component", "created_by")


def note_places(found: Sequence[Job]) -> None:
    """Look up at once where jobs stand in line, for all their answers."""
    places = job_places(found)
    for job in found:
        job.place = places.get(job.pk)  # type: ignore[attr-defined]  # only until it is shown


def place_of(job: Job) -> Place | None:
    """Return where a job stands in line, looked up once."""
    if not hasattr(job, "place"):
        note_places([job])
    place: Place | None = getattr(job, "place", None)
    return place


@router.get("/jobs", response={200: JobPage, **ERRORS}, auth=needs(VIEW))
def list_jobs(request: HttpRequest, query: Query[JobQuery]) -> dict[str, Any]:
    """List jobs that a search finds, newest first."""
    search = understood(query.query, job_fields)
    rows = jobs_found(search, user=user_of(request), now=timezone.now())
    wanted = {
        "status": query.status,
        "component__key": query.component,
        "configuration": query.configuration,
    }
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    page = newest_first(rows.select_related("component", "created_by"), query)
    note_places(page["items"])
    return page


@router.get("/jobs/{int:pk}", response={200: JobOut, **ERRORS}, auth=needs(VIEW))
def get_job(request: HttpRequest, pk: int) -> Job:
    """Show one job."""
    return get_object_or_404(jobs(), pk=pk)


@router.get("/jobs/{int:pk}/log", response={200: LogPage, **ERRORS}, auth=needs(VIEW))
def get_log(request: HttpRequest, pk: int, query: Query[PageQuery]) -> dict[str, Any]:
    """Show log lines after a number."""
    job = get_object_or_404(Job, pk=pk)
    after = query.after or 0
    lines: list[JobLog] = list(job.log.filter(seq__gt=after)[: query.limit])
    return {"items": lines, "next": lines[-1].seq if lines else after}


@router.post("/jobs/{int:pk}/terminate", response={202: JobOut, **ERRORS}, auth=needs(OPERATE))
def terminate(request: HttpRequest, pk: int) -> Status[Job]:
    """End a job: a queued one at once, a running one within seconds."""
    terminate_job(get_object_or_404(Job, pk=pk), user=user_of(request))
    return Status(202, jobs().get(pk=pk))
