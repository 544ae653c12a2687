"""What the status page, the API and the metrics tell of the installation, read from rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from components.enums import UNFINISHED_JOB, JobStatus
from components.models import Job
from orchestrations.enums import (
    UNFINISHED_RUN,
    DeliveryStatus,
    ProcessKind,
    RunStatus,
    SlotOutcome,
)
from orchestrations.models import Delivery, Outage, Process, Run, Schedule, Slot, SlotCheck
from orchestrations.queries.health import AHEAD, Health, health
from orchestrator_site.lib.durations import humanize

# A process that was not seen for so long is gone; it writes every five seconds.
GONE = timedelta(seconds=15)
SHOWN = timedelta(hours=1)
DAY = timedelta(days=1)
EXAMPLES_SHOWN = 10
OUTAGES_SHOWN = 20
STATES = ("there", "gone", "stopped")


@dataclass(frozen=True)
class Seen:
    """One process and whether it is there."""

    process: Process
    state: str  # one of STATES

    @property
    def clock(self) -> str:
        """What is wrong with the clock of its host, in words; empty where it goes right."""
        off = self.process.clock_off
        if abs(off) <= AHEAD.total_seconds():
            return ""
        return f"Clock {humanize(round(abs(off)))} {'ahead' if off > 0 else 'behind'}"


@dataclass(frozen=True)
class Queue:
    """What waits for workers of a kind: how much, since when, and how many workers there are."""

    name: str
    waiting: int
    oldest: datetime | None
    workers: int


@dataclass(frozen=True)
class MissingSlot:
    """A due moment without a slot, or why those of a schedule could not be counted."""

    pk: int
    schedule: Schedule | None
    due_at: datetime | None
    error: str


@dataclass(frozen=True)
class Status:
    """The whole installation at one moment. Counts of slots and runs are those of a day."""

    now: datetime
    health: Health
    processes: list[Seen]
    queues: list[Queue]
    runs: dict[RunStatus, int]
    jobs: dict[JobStatus, int]
    slots: dict[SlotOutcome, int]
    messages: int
    outages: list[Outage]
    check: SlotCheck | None
    check_examples: list[MissingSlot]

    @property
    def schedulers(self) -> int:
        """How many schedulers are there."""
        return self.there(ProcessKind.SCHEDULER)

    def there(self, kind: ProcessKind) -> int:
        """Return how many processes of a kind are there."""
        return sum(s.state == "there" and s.process.kind == kind for s in self.processes)


def status(now: datetime) -> Status:
    """Return all of it; a dozen queries, however large the installation is.

    Runs and jobs are those that have not ended, and what else was created in the last 24 hours.
    """
    processes = seen_processes(now)
    check = SlotCheck.objects.first()
    return Status(
        now=now,
        health=health(now),
        processes=processes,
        queues=[_runs_waiting(processes), _jobs_waiting(processes, now)],
        runs=_runs(now),
        jobs=_jobs(now),
        slots=_slots(now),
        messages=Delivery.objects.filter(status=DeliveryStatus.PENDING).count(),
        outages=list(Outage.objects.all()[:OUTAGES_SHOWN]),
        check=check,
        check_examples=_missing_slots(check),
    )


def _missing_slots(check: SlotCheck | None) -> list[MissingSlot]:
    """Return the first of what a count did not find."""
    examples = check.examples[:EXAMPLES_SHOWN] if check else []
    rows = Schedule.objects.select_related("orchestration")
    schedules = rows.in_bulk({each["schedule"] for each in examples}) if examples else {}
    return [
        MissingSlot(
            each["schedule"],
            schedules.get(each["schedule"]),
            datetime.fromisoformat(each["due_at"]) if "due_at" in each else None,
            each.get("error", ""),
        )
        for each in examples
    ]


def seen_processes(now: datetime) -> list[Seen]:
    """Return the processes of the last hour, those that are there first, stopped ones last."""
    rows = Process.objects.filter(seen_at__gte=now - SHOWN)
    found = [Seen(row, _state(row, now)) for row in rows]
    return sorted(found, key=lambda seen: STATES.index(seen.state))


def _state(process: Process, now: datetime) -> str:
    if process.stopped_at is not None:
        return "stopped"
    return "there" if now - process.seen_at <= GONE else "gone"


def _runs_waiting(processes: list[Seen]) -> Queue:
    created = Run.objects.filter(status=RunStatus.CREATED)
    found = created.aggregate(waiting=Count("pk"), oldest=Min("created_at"))
    return Queue("control", found["waiting"], found["oldest"], _there(processes, "control"))


def _jobs_waiting(processes: list[Seen], now: datetime) -> Queue:
    due = Q(not_before=None) | Q(not_before__lte=now)
    created = Job.objects.filter(due, status=JobStatus.CREATED)
    found = created.aggregate(waiting=Count("pk"), oldest=Min("created_at"))
    return Queue("jobs", found["waiting"], found["oldest"], _there(processes, "jobs"))


def _there(processes: list[Seen], kind: str) -> int:
    return sum(seen.state == "there" and seen.process.kind == kind for seen in processes)


def _runs(now: datetime) -> dict[RunStatus, int]:
    rows = Run.objects.filter(Q(created_at__gte=now - DAY) | Q(status__in=UNFINISHED_RUN))
    counted = rows.order_by().values_list("status").annotate(Count("pk"))
    return dict.fromkeys(RunStatus, 0) | {RunStatus(status): n for status, n in counted}


def _jobs(now: datetime) -> dict[JobStatus, int]:
    rows = Job.objects.filter(Q(created_at__gte=now - DAY) | Q(status__in=UNFINISHED_JOB))
    counted = rows.order_by().values_list("status").annotate(Count("pk"))
    return dict.fromkeys(JobStatus, 0) | {JobStatus(status): n for status, n in counted}


def _slots(now: datetime) -> dict[SlotOutcome, int]:
    rows = Slot.objects.filter(decided_at__gte=now - DAY)
    counted = rows.order_by().values_list("outcome").annotate(Count("pk"))
    return dict.fromkeys(SlotOutcome, 0) | {SlotOutcome(outcome): n for outcome, n in counted}
