"""Whether things move: what waits longer than it should, read from rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from components.enums import ACTIVE_JOB, JobStatus
from components.models import Job
from orchestrations.enums import RunStatus
from orchestrations.models import Run
from orchestrations.queries.schedules import overdue

# Beat writes down what it sent every half minute; three misses are a failure.
TICK_LATE = timedelta(seconds=100)
LATE = timedelta(seconds=60)


@dataclass(frozen=True)
class Health:
    """What the dashboard says about the scheduler and the workers at one moment."""

    now: datetime
    last_tick: datetime | None
    scheduler_lag: timedelta
    running_jobs: int
    workers: int
    lost_jobs: int
    oldest_job: datetime | None
    oldest_run: datetime | None

    @property
    def scheduler(self) -> str:
        """What is wrong with the scheduler, as a sentence; empty where it does its work."""
        if self.last_tick is None:
            return "The scheduler has not started yet."
        if self.now - self.last_tick > TICK_LATE or self.scheduler_lag > LATE:
            return "The scheduler does not answer: schedules do not fire."
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


def health(now: datetime, *, last_tick: datetime | None) -> Health:
    """Return the state of scheduler and workers in three queries.

    `last_tick` is when beat was last seen. A Created row that is due and that nobody claims means
    that no worker looks; one that waits for a limit or for its like says so and does not count.
    """
    due = Q(status=JobStatus.CREATED) & (Q(not_before=None) | Q(not_before__lte=now))
    jobs = Job.objects.filter(status__in=(JobStatus.CREATED, *ACTIVE_JOB)).aggregate(
        running=Count("pk", filter=Q(status__in=ACTIVE_JOB)),
        workers=Count("worker", filter=Q(status__in=ACTIVE_JOB), distinct=True),
        lost=Count("pk", filter=Q(status__in=ACTIVE_JOB, lease_until__lt=now)),
        oldest=Min("created_at", filter=due & Q(waiting_for="")),
    )
    oldest_run = Run.objects.filter(status=RunStatus.CREATED).aggregate(oldest=Min("created_at"))
    return Health(
        now=now,
        last_tick=last_tick,
        scheduler_lag=overdue(now),
        running_jobs=jobs["running"],
        workers=jobs["workers"],
        lost_jobs=jobs["lost"],
        oldest_job=jobs["oldest"],
        oldest_run=oldest_run["oldest"],
    )
