"""One run as its page and programs read it; a constant number of questions for any size."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import QuerySet

from components.models import Job
from orchestrations.enums import FINISHED_TASK, TaskStatus
from orchestrations.models import Run, RunEvent, TaskAttempt, TaskRun


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


@dataclass(frozen=True)
class PhaseRow:
    """One phase of a run with its tasks in order; `number` counts from 1."""

    number: int
    name: str
    tasks: list[TaskRow]


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


def run_detail(run_id: int) -> RunDetail | None:
    """Return all that the page of a run shows, or None; five queries, however many tasks."""
    run = _shown().filter(pk=run_id).first()
    if run is None:
        return None
    attempts: dict[int, list[AttemptRow]] = {}
    for attempt in TaskAttempt.objects.filter(task_run__run=run).select_related("job"):
        attempts.setdefault(attempt.task_run_id, []).append(AttemptRow(attempt.number, attempt.job))
    phases: dict[int, PhaseRow] = {}
    for task in run.task_runs.select_related("configuration__component", "orchestration", "child"):
        phase = phases.setdefault(task.phase, PhaseRow(task.phase + 1, task.phase_name, []))
        phase.tasks.append(TaskRow(task, attempts.get(task.pk, [])))
    parent = TaskRun.objects.filter(child=run).select_related("run__orchestration").first()
    return RunDetail(run, list(phases.values()), parent, list(run.retried_by.order_by("pk")))


def run_events(run: Run, *, after: int = 0, limit: int = 500) -> list[RunEvent]:
    """Return the events of a run and its tasks, oldest first, from the one after `after` on."""
    events = run.events.filter(pk__gt=after).select_related("task_run")
    return list(events.order_by("pk")[:limit])


def task_of_job(job_id: int) -> TaskRun | None:
    """Return the task that a job is an attempt at, with its run and orchestration loaded."""
    return TaskRun.objects.filter(attempts__job=job_id).select_related("run__orchestration").first()


def _shown() -> QuerySet[Run]:
    return Run.objects.select_related(
        "orchestration", "created_by", "schedule", "slot", "retry_of", "terminated_by"
    )
