"""Whether things move: what waits longer than it should, read from rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from components.enums import ACTIVE_JOB, JobStatus
from components.models import Job
from orchestrations.enums import OutageKind, ProcessKind, RunStatus
from orchestrations.models import Outage, Process, Run, Slot
from orchestrations.queries.schedules import overdue

# Nothing fired for so long: a banner on every page, and one message.
SILENT = timedelta(seconds=30)
# What is later than this from now was written by a clock that was wrong.
AHEAD = timedelta(seconds=5)
LATE = timedelta(seconds=60)
STOPPED = "The scheduler was told to stop."


@dataclass(frozen=True)
class Health:
    """What the dashboard says about the scheduler and the workers at one moment."""

    now: datetime
    last_seen: datetime | None
    scheduler_lag: timedelta
    running_jobs: int
    workers: int
    lost_jobs: int
    oldest_job: datetime | None
    oldest_run: datetime | None

    @property
    def scheduler(self) -> str:
        """What is wrong with the scheduler, as a sentence; empty where it does its work."""
        if self.last_seen is None:
            return "The scheduler has not started yet."
        if self.now - self.last_seen > SILENT:
            return "No scheduler is there: schedules do not fire."
        if self.scheduler_lag > SILENT:
            return "The scheduler is behind: what is due is fired late."
        return ""

    @property
    def control(self) -> str:
        """What is wrong with the control workers: they advance runs."""
        if self.oldest_run and self.now - self.oldest_run > LATE:
            return "No control worker takes up runs: they stay Created."
        return ""

    @property
    def jobs(self) -> str:
        """What is wrong with the jobs workers."""
        if self.lost_jobs:
            return f"A worker stopped; jobs that are being recovered: {self.lost_jobs}."
        if self.oldest_job and self.now - self.oldest_job > LATE:
            return "No jobs worker takes up jobs: they stay Created."
        return ""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.scheduler or self.control or self.jobs)


def last_scheduler() -> Process | None:
    """Return the scheduler that was seen last; None where none ever was."""
    rows = Process.objects.filter(kind=ProcessKind.SCHEDULER)
    return rows.order_by("-seen_at", "-pk").first()


def why_gone(scheduler: Process) -> str:
    """Say why nothing fires once the last scheduler is gone."""
    return STOPPED if scheduler.stopped_at else "No scheduler was seen."


def silence(now: datetime) -> tuple[datetime, str] | None:
    """Return since when nothing fires, and a sentence why; None while schedules are on time.

    Without any trace of a scheduler there is nothing to tell yet, and a backlog that is being
    worked off is no silence. Three queries at most.
    """
    last = last_scheduler()
    if last is None:
        return None
    if now - last.seen_at > SILENT:
        return last.seen_at, why_gone(last)
    lag = overdue(now)
    if lag > SILENT and not Slot.objects.filter(decided_at__gt=now - SILENT).exists():
        return now - lag, "A scheduler was there, but what was due was not fired."
    return None


def lasting_outage(now: datetime) -> Outage | None:
    """Return the outage that lasts now, unsaved where nobody has noted it yet. Changes nothing."""
    noted = Outage.objects.filter(kind=OutageKind.SILENCE, ended_at=None).first()
    if noted is not None:
        return noted
    found = silence(now)
    if found is None:
        return None
    since, reason = found
    return Outage(kind=OutageKind.SILENCE, began_at=since, reason=reason)


def health(now: datetime) -> Health:
    """Return the state of scheduler and workers in four queries.

    A Created row that is due and that nobody claims means that no worker looks; one that waits for
    a limit or for its like says so and does not count.
    """
    due = Q(status=JobStatus.CREATED) & (Q(not_before=None) | Q(not_before__lte=now))
    jobs = Job.objects.filter(status__in=(JobStatus.CREATED, *ACTIVE_JOB)).aggregate(
        running=Count("pk", filter=Q(status__in=ACTIVE_JOB)),
        workers=Count("worker", filter=Q(status__in=ACTIVE_JOB), distinct=True),
        lost=Count("pk", filter=Q(status__in=ACTIVE_JOB, lease_until__lt=now)),
        oldest=Min("created_at", filter=due & Q(waiting_for="")),
    )
    oldest_run = Run.objects.filter(status=RunStatus.CREATED).aggregate(oldest=Min("created_at"))
    last = last_scheduler()
    return Health(
        now=now,
        last_seen=last.seen_at if last else None,
        scheduler_lag=overdue(now),
        running_jobs=jobs["running"],
        workers=jobs["workers"],
        lost_jobs=jobs["lost"],
        oldest_job=jobs["oldest"],
        oldest_run=oldest_run["oldest"],
    )
