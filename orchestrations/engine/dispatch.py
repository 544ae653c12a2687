"""Bringing runs forward: called when one is made, when a task of it ended, and by recovery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter

from django.db import transaction
from django.utils import timezone

from components.enums import UNFINISHED_JOB, JobOrigin
from components.models import Job
from components.services.jobs import terminate_job
from orchestrations.engine import results
from orchestrations.engine.execution import delay_tasks, start_tasks
from orchestrations.engine.planner import PhaseState, TaskState, in_order, plan_next
from orchestrations.engine.preparation import prepare
from orchestrations.engine.transitions import claim_run, move_run, move_tasks
from orchestrations.enums import (
    FINISHED_TASK,
    QUEUED_RUN,
    UNFINISHED_RUN,
    UNFINISHED_TASK,
    RunStatus,
    TaskStatus,
)
from orchestrations.models import Run, TaskRun
from orchestrations.signals import run_ended
from orchestrations.tasks import advance_run as advance_run_task
from orchestrator_site.lib.bell import ring

R, T = RunStatus, TaskStatus


def advance_run(run_id: int) -> None:
    """Bring one run as far as it can go now: claim, plan, start, skip, stop, end.

    Safe to call twice, at any time and from many workers at once: the run's row is locked and its
    tasks are read after that, so that a doubled or late call finds nothing to do.
    """
    with transaction.atomic():
        run = (
            # no_key: rows that refer to the run may be written meanwhile
            Run.objects.select_for_update(of=("self",), no_key=True)
            .select_related("version", "retry_of", "created_by", "terminated_by")
            .filter(pk=run_id, status__in=UNFINISHED_RUN)
            .first()
        )
        if run is None:
            return
        if run.terminate_at is not None:
            _terminate(run)
        elif run.status == R.PROCESSING or _begin(run):
            _advance(run)


def job_started(job: Job) -> None:
    """Show the task of a claimed job as Processing; call it inside the claim's transaction."""
    if job.origin == JobOrigin.ORCHESTRATION:
        results.mark_started(job)


def job_finished(job: Job) -> None:
    """Settle the task of a finished job, and bring its run forward once that is committed.

    Call it inside the transaction that ends the job: the two ends become true together. What fails
    after the commit is logged, and done again by recovery.
    """
    if job.origin == JobOrigin.ORCHESTRATION:
        _follow_up(results.settle_job(job))


def child_finished(run: Run) -> None:
    """Settle the task that a finished run is the child of, if it is one, as `job_finished` does."""
    _follow_up(results.settle_child(run))


def _follow_up(task: TaskRun | None) -> None:
    if task is not None and task.status in FINISHED_TASK:
        step = partial(_advance_after, task.run_id, task.phase)
        transaction.on_commit(step, robust=True)


def _advance_after(run_id: int, phase: int) -> None:
    """Advance a run if one of its phases has ended; one cheap query where it has not.

    Of tasks that end at the same time, the last to commit sees all of them ended.
    """
    if not TaskRun.objects.filter(run=run_id, phase=phase, status__in=UNFINISHED_TASK).exists():
        advance_run(run_id)


def _begin(run: Run) -> bool:
    if not claim_run(run):
        return False
    results.mark_child_started(run)
    return True


def _advance(run: Run) -> None:
    tasks = list(run.task_runs.all()) if run.is_planned else prepare(run)
    Run.objects.filter(pk=run.pk).update(is_planned=True, rung_at=timezone.now())
    by_id = {task.pk: task for task in tasks}
    while True:
        plan = plan_next(_phases(run, tasks), now=timezone.now())
        for reason, ids in plan.skip.items():
            move_tasks([by_id[i] for i in ids], T.SKIPPED, reason=reason)
        delay_tasks([by_id[i] for i in plan.delay])
        if plan.outcome is not None:
            _end(run, plan.outcome, plan.reason)
            return
        # a task that could not begin has ended: what follows from that is decided at once
        if not start_tasks(run, [by_id[i] for i in plan.start]):
            return


def _phases(run: Run, tasks: Iterable[TaskRun]) -> list[PhaseState]:
    """Return what the planner wants to know; a phase without tasks is there too."""
    phases = run.version.definition["phases"]
    states = {
        number: tuple(_state(task) for task in group)
        for number, group in groupby(tasks, key=attrgetter("phase"))
    }
    waits = in_order([(phase["key"], phase["depends_on"]) for phase in phases])
    return [
        PhaseState(phase["key"], waits[number], states.get(number, ()))
        for number, phase in enumerate(phases)
    ]


def _state(task: TaskRun) -> TaskState:
    return TaskState(
        id=task.pk,
        name=task.name,
        status=T(task.status),
        continue_on_failure=task.design["continue_on_failure"],
        not_before=task.not_before,
        delay=task.design["delay"],
        reason=task.reason,
    )


def _end(run: Run, outcome: RunStatus, reason: str) -> None:
    if outcome == R.TERMINATED:  # its tasks were terminated one by one
        move_run(run, R.TERMINATING, reason=reason)
    move_run(run, outcome, reason=reason)
    _after_end(run)


def _after_end(run: Run) -> None:
    """Let the next queued run begin, and tell the people and the task above, if any."""
    run_ended.send(sender=Run, run=run)
    queued = Run.objects.filter(orchestration=run.orchestration_id, status__in=QUEUED_RUN)
    following = queued.order_by("pk").values_list("pk", flat=True).first()
    if following:
        ring(advance_run_task, following)
    child_finished(run)


def _terminate(run: Run) -> None:
    """Cancel what has not begun and stop the rest; the run ends when all of it has ended."""
    actor = run.terminated_by.get_username() if run.terminated_by else ""
    if run.status in QUEUED_RUN:
        move_run(run, R.CANCELLED, reason="Cancelled before it began.", actor=actor)
        _after_end(run)
        return
    if run.status == R.PROCESSING:
        move_run(run, R.TERMINATING, actor=actor)
    tasks = list(
        run.task_runs.select_for_update(no_key=True)
        .filter(status__in=UNFINISHED_TASK)
        .order_by("pk")
    )
    idle = [t for t in tasks if t.status == T.CREATED or t.not_before is not None]
    busy = [t for t in tasks if t not in idle]
    move_tasks(idle, T.CANCELLED, reason="The run was terminated.", actor=actor)
    move_tasks([t for t in busy if t.status != T.TERMINATING], T.TERMINATING, actor=actor)
    if busy:
        transaction.on_commit(partial(_stop, run, busy), robust=True)
    else:
        move_run(run, R.TERMINATED, actor=actor)
        _after_end(run)


def _stop(run: Run, tasks: Sequence[TaskRun]) -> None:
    """Terminate jobs and child runs of tasks, each in its own transaction.

    Never inside that of the run: a job that ends locks its own row before its task's.
    """
    ids = [task.pk for task in tasks]
    for job in Job.objects.filter(
        attempt__task_run__in=ids, status__in=UNFINISHED_JOB, terminate_at=None
    ).order_by("pk"):
        terminate_job(job, user=run.terminated_by, reason=f"Run {run.pk} was terminated.")
    children = Run.objects.filter(parent__in=ids, status__in=UNFINISHED_RUN, terminate_at=None)
    for child in children.order_by("pk"):
        terminate_run(child.pk, user_id=run.terminated_by_id)


def terminate_run(run_id: int, *, user_id: int | None = None) -> bool:
    """Ask a run to stop and begin with it at once; False where it has ended or was asked before."""
    asked = Run.objects.filter(pk=run_id, status__in=UNFINISHED_RUN, terminate_at=None).update(
        terminate_at=timezone.now(), terminated_by=user_id
    )
    advance_run(run_id)
    return bool(asked)
