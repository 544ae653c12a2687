"""One run as its page and programs read it; a constant number of questions for any size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet

from components.models import Configuration, Job
from components.queries.waiting import Place, job_places
from orchestrations.enums import FINISHED_TASK, TaskStatus
from orchestrations.models import Run, TaskAttempt, TaskRun
from orchestrations.models.orchestration import Definition
from orchestrations.queries.starting import kept_from
from orchestrations.queries.waiting import run_places
from orchestrations.validators import waits_of
from orchestrator_site.lib.secrets import hide_tree

# Of 500 jobs the page needs no parameters, results and tables.
JOB_FIELDS = (
    *("job__status", "job__waiting_for", "job__error", "job__not_before"),
    *("job__created_at", "job__started_at", "job__ended_at"),
    *("job__configuration", "job__component"),
)
# The worst first: what a person looks for when a phase is closed.
SEVERITY = (
    *(TaskStatus.ERROR, TaskStatus.TERMINATING, TaskStatus.PROCESSING, TaskStatus.WAITING),
    *(TaskStatus.TERMINATED, TaskStatus.CANCELLED, TaskStatus.WARNING, TaskStatus.CREATED),
    *(TaskStatus.SUCCESS, TaskStatus.SKIPPED),
)


@dataclass(frozen=True)
class AttemptRow:
    """One attempt at a task and its job."""

    number: int
    job: Job


@dataclass(frozen=True)
class TaskRow:
    """One task of a run; its attempts oldest first, none where it is an orchestration."""

    task: TaskRun
    attempts: list[AttemptRow]

    @property
    def job(self) -> Job | None:
        """The job of the latest attempt."""
        return self.attempts[-1].job if self.attempts else None

    @property
    def reason(self) -> str:
        """Why the task waits or ended so; while its job or child run waits, why that does."""
        if self.task.status != TaskStatus.WAITING or self.task.reason:
            return self.task.reason
        if self.task.child:
            return self.task.child.reason
        return self.job.waiting_for if self.job else ""

    @property
    def kept_from(self) -> int | None:
        """The run whose result was taken over instead of running the task."""
        task = self.task
        is_left = task.status == TaskStatus.SKIPPED
        return kept_from(task.run, task.status, task.reason) if is_left else None

    @property
    def can_be_stopped(self) -> bool:
        """Tell whether the task has begun and not ended, and nobody asked it to stop."""
        return self.task.status in (TaskStatus.WAITING, TaskStatus.PROCESSING)


@dataclass(frozen=True)
class PhaseRow:
    """One phase of a run with its tasks in order; `number` counts from 1."""

    number: int
    key: str
    name: str
    depends_on: tuple[str, ...]
    tasks: list[TaskRow]

    @property
    def counts(self) -> list[tuple[TaskStatus, int]]:
        """How many tasks stand how, the worst first."""
        found = Counter(TaskStatus(row.task.status) for row in self.tasks)
        return [(status, found[status]) for status in SEVERITY if status in found]

    @property
    def status(self) -> TaskStatus:
        """The worst status of its tasks."""
        return self.counts[0][0]

    @property
    def is_ended(self) -> bool:
        """Tell whether all its tasks have ended or were skipped."""
        return all(row.task.status in FINISHED_TASK for row in self.tasks)

    @property
    def started_at(self) -> datetime | None:
        """When its first task began."""
        return min((r.task.started_at for r in self.tasks if r.task.started_at), default=None)

    @property
    def ended_at(self) -> datetime | None:
        """When its last task ended; None before."""
        if not self.is_ended:
            return None
        return max((r.task.ended_at for r in self.tasks if r.task.ended_at), default=None)


@dataclass(frozen=True)
class RunDetail:
    """A run with its phases; no phases before it began. `parent` is the task it was started by."""

    run: Run
    phases: list[PhaseRow]
    parent: TaskRun | None
    retries: list[Run] = field(default_factory=list)

    @property
    def task_count(self) -> int:
        """How many tasks the orchestration has, also those that this run leaves out."""
        return sum(len(phase.tasks) for phase in self.phases)

    @property
    def ended_count(self) -> int:
        """How many of them have ended or were skipped."""
        return sum(row.task.status in FINISHED_TASK for phase in self.phases for row in phase.tasks)

    @property
    def variables(self) -> dict[str, Any]:
        """The values that its tasks saw: those of the version, and over them those of the run."""
        definition: Definition = self.run.version.definition
        return dict(hide_tree({**definition["variables"], **self.run.variables}))


def run_detail(run_id: int) -> RunDetail | None:
    """Return all that the page of a run shows, or None; seven queries, however many tasks."""
    run = _shown().filter(pk=run_id).first()
    if run is None:
        return None
    attempts: dict[int, list[AttemptRow]] = {}
    made = TaskAttempt.objects.filter(task_run__run=run).select_related("job")
    for attempt in made.only("number", "task_run_id", *JOB_FIELDS):
        attempts.setdefault(attempt.task_run_id, []).append(AttemptRow(attempt.number, attempt.job))
    definition: Definition = run.version.definition
    waits = waits_of(definition["phases"])
    phases: dict[int, PhaseRow] = {}
    # looked up apart: tasks share components, and have no use for all of a configuration
    targets = Configuration.objects.only("name", "component", "deleted_at")
    tasks = run.task_runs.select_related("orchestration", "child").prefetch_related(
        Prefetch("configuration", targets), "configuration__component"
    )
    for task in tasks:
        task.run = run
        if task.phase not in phases:
            depends = tuple(waits.get(task.phase_key, ()))
            phases[task.phase] = PhaseRow(
                task.phase + 1, task.phase_key, task.phase_name, depends, []
            )
        phases[task.phase].tasks.append(TaskRow(task, attempts.get(task.pk, [])))
    parent = TaskRun.objects.filter(child=run).select_related("run__orchestration").first()
    return RunDetail(run, list(phases.values()), parent, list(run.retried_by.order_by("pk")))


def places_in_line(rows: Iterable[TaskRow]) -> dict[int, Place]:
    """Return where the waiting ones of some tasks stand in line, by the id of the task.

    A constant number of queries, and none where nothing waits.
    """
    waiting = [row for row in rows if row.task.status == TaskStatus.WAITING]
    jobs = {row.job.pk: row for row in waiting if row.job and not row.task.not_before}
    children = {row.task.child.pk: row for row in waiting if row.task.child}
    found: dict[int, Place] = {}
    if jobs:
        places = job_places([row.job for row in jobs.values() if row.job])
        found |= {jobs[pk].task.pk: place for pk, place in places.items()}
    if children:
        runs = run_places([row.task.child for row in children.values() if row.task.child])
        found |= {children[pk].task.pk: place for pk, place in runs.items()}
    return found


def task_of_job(job_id: int) -> TaskRun | None:
    """Return the task that a job is an attempt at, with its run and orchestration loaded."""
    return TaskRun.objects.filter(attempts__job=job_id).select_related("run__orchestration").first()


def attempts_of(task: TaskRun) -> list[AttemptRow]:
    """Return the attempts at a task with their whole jobs, oldest first."""
    made = task.attempts.select_related("job").order_by("number")
    return [AttemptRow(attempt.number, attempt.job) for attempt in made]


def _shown() -> QuerySet[Run]:
    return Run.objects.select_related(
        *("orchestration", "created_by", "schedule", "slot", "retry_of", "terminated_by"),
        *("version", "trigger__source"),
    ).prefetch_related("trigger__tables")
