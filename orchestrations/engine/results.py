"""The end of a task: what its job or child run says, and whether it is tried again."""

from __future__ import annotations

from datetime import timedelta

from components.enums import JobStatus
from components.models import Job
from orchestrations.engine.execution import wait_until
from orchestrations.engine.transitions import move_task, move_task_of_job
from orchestrations.enums import FINISHED_TASK, RunStatus, StartedBy, TaskStatus
from orchestrations.models import Run, TaskAttempt, TaskRun
from orchestrator_site.lib.durations import humanize

T = TaskStatus
TRIES = 5  # a termination can come between reading and writing; each happens once per task


def mark_started(job: Job) -> None:
    """Show the task of a job that was just claimed as Processing."""
    move_task_of_job(job.pk, T.WAITING, T.PROCESSING)


def mark_child_started(run: Run) -> None:
    """Show the task whose child run was just claimed as Processing."""
    if run.started_by == StartedBy.NESTED:
        task = TaskRun.objects.filter(child=run, status=T.WAITING).first()
        if task is not None:
            move_task(task, T.PROCESSING)


def settle_job(job: Job) -> TaskRun | None:
    """Give a finished job's status to its task, or let the task wait for its next attempt.

    None where the job belongs to no task, or the task had ended.
    """
    if job.status == JobStatus.SUCCESS and (
        task := move_task_of_job(job.pk, T.PROCESSING, T.SUCCESS)
    ):
        return task
    attempt = TaskAttempt.objects.filter(job_id=job.pk).select_related("task_run").first()
    if attempt is None or attempt.number != attempt.task_run.attempt:
        return None
    return _settle(attempt.task_run, T(job.status), job.error)


def settle_child(run: Run) -> TaskRun | None:
    """Give a finished child run's status to the task that started it, as `settle_job` does."""
    if run.started_by != StartedBy.NESTED:
        return None
    task = TaskRun.objects.filter(child=run).first()
    if task is None:
        return None
    limit = task.design["timeout"]
    if run.status == RunStatus.TERMINATED and limit and _lasted(run, limit):
        return _settle(task, T.ERROR, f"It took longer than {limit} s.")
    return _settle(task, T(run.status), run.reason)


def _lasted(run: Run, seconds: int) -> bool:
    """Tell whether a run was terminated because its time was over, not by a person."""
    return (
        run.terminated_by_id is None
        and run.started_at is not None
        and run.terminate_at is not None
        and run.terminate_at - run.started_at >= timedelta(seconds=seconds)
    )


def _settle(task: TaskRun, outcome: TaskStatus, reason: str) -> TaskRun | None:
    for _ in range(TRIES):
        if task.status in FINISHED_TASK:
            return None
        if _is_tried_again(task, outcome, reason):
            moved = _try_again(task, reason)
        else:
            moved = move_task(task, outcome, reason=reason)
        if moved:
            return task
        task.refresh_from_db(fields=["status"])
    return None


def _is_tried_again(task: TaskRun, outcome: TaskStatus, reason: str) -> bool:
    return (
        outcome == T.ERROR
        and task.status in {T.WAITING, T.PROCESSING}
        and task.attempt <= task.design["retries"]
        and task.design["retry_match"] in reason
    )


def _try_again(task: TaskRun, reason: str) -> bool:
    if task.status == T.WAITING and not move_task(task, T.PROCESSING):
        return False  # its job failed before it was claimed
    pause = task.design["retry_delay"] * task.design["retry_backoff"] ** (task.attempt - 1)
    failed = f"Attempt {task.attempt} failed: {reason.rstrip('.')}."
    why = f"{failed} Attempt {task.attempt + 1} follows {humanize(pause)} later."
    return wait_until(task, pause, why)
