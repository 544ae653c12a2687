"""Whether the installation works: what the status page shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import ConfigDict

from components.api.base import ERRORS, needs
from orchestrations.enums import OutageKind, ProcessKind
from orchestrations.queries.status import status
from orchestrations.services.reachability import parts
from orchestrator_site.lib.access import VIEW
from orchestrator_site.lib.database_clock import database_now

router = Router(tags=["Status"])
EXAMPLE: dict[str, Any] = {
    "is_good": True,
    "sentences": [],
    "scheduler_lag_seconds": 0.0,
    "scheduler_seen_at": "2026-11-26T06:00:03Z",
    "processes": [
        {
            "kind": "scheduler",
            "host": "etl-1",
            "pid": 4711,
            "state": "there",
            "started_at": "2026-11-25T20:00:00Z",
            "seen_at": "2026-11-26T06:00:03Z",
            "clock_off_seconds": 0.002,
        }
    ],
    "queues": [{"name": "jobs", "waiting": 0, "oldest": None, "workers": 1}],
    "parts": {"database": True, "storage": True, "broker": True},
    "runs": {"processing": 1, "success": 240},
    "jobs": {"processing": 2, "success": 700},
    "slots": {"fired": 240, "missed": 0},
    "outages": [
        {
            "kind": "silence",
            "began_at": "2026-11-25T19:40:00Z",
            "ended_at": "2026-11-25T20:00:02Z",
            "reason": "No scheduler was seen.",
        }
    ],
    "check": {
        "began_at": "2026-11-26T00:00:00Z",
        "since": "2026-11-24T23:00:00Z",
        "schedules": 12,
        "moments": 5120,
        "missing": 0,
    },
}


class ProcessOut(Schema):
    """A scheduler, worker or web server; `state` is there, gone (it vanished) or stopped.

    `clock_off_seconds` is how far the clock of its host is ahead of the database's.
    """

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE["processes"][0]})
    kind: ProcessKind
    host: str
    pid: int
    state: str
    started_at: datetime
    seen_at: datetime
    clock_off_seconds: float


class QueueOut(Schema):
    """What waits for workers of a kind, since when, and how many workers there are."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE["queues"][0]})
    name: str
    waiting: int
    oldest: datetime | None
    workers: int


class OutageOut(Schema):
    """A time in which nothing fired, or a jump of a clock; `ended_at` None while it lasts."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE["outages"][0]})
    kind: OutageKind
    began_at: datetime
    ended_at: datetime | None
    reason: str


class CheckOut(Schema):
    """The last count of slots against the rule of time: `missing` should be 0."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE["check"]})
    began_at: datetime
    since: datetime
    schedules: int
    moments: int
    missing: int


class StatusOut(Schema):
    """The installation at this moment; counts of slots are those of the last 24 hours.

    Counts of runs and jobs are of those that have not ended or were created in the last 24 hours.
    """

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    is_good: bool
    sentences: list[str]
    scheduler_lag_seconds: float
    scheduler_seen_at: datetime | None
    processes: list[ProcessOut]
    queues: list[QueueOut]
    parts: dict[str, bool]
    runs: dict[str, int]
    jobs: dict[str, int]
    slots: dict[str, int]
    outages: list[OutageOut]
    check: CheckOut | None


@router.get("/status", response={200: StatusOut, **ERRORS}, auth=needs(VIEW))
def get_status(request: HttpRequest) -> dict[str, Any]:
    """Tell whether schedules fire and workers work."""
    found = status(database_now())
    health = found.health
    reached = {part.name: part.is_reached for part in parts()}
    return {
        "is_good": health.is_good and all(reached.values()),
        "sentences": [s for s in (health.scheduler, health.control, health.jobs) if s],
        "scheduler_lag_seconds": health.scheduler_lag.total_seconds(),
        "scheduler_seen_at": health.last_seen,
        "processes": [
            {
                "kind": seen.process.kind,
                "host": seen.process.host,
                "pid": seen.process.pid,
                "state": seen.state,
                "started_at": seen.process.started_at,
                "seen_at": seen.process.seen_at,
                "clock_off_seconds": seen.process.clock_off,
            }
            for seen in found.processes
        ],
        "queues": found.queues,
        "parts": reached,
        "runs": {str(status): count for status, count in found.runs.items()},
        "jobs": {str(status): count for status, count in found.jobs.items()},
        "slots": {str(outcome): count for outcome, count in found.slots.items()},
        "outages": found.outages,
        "check": found.check,
    }
