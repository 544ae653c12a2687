"""Stopping one task of a run: its job, its child run, or the pause that it is in."""

from __future__ import annotations

from functools import partial

from django.contrib.auth.models import User
from django.db import transaction

from components.enums import UNFINISHED_JOB
from components.models import Job
from components.services.jobs import terminate_job
from orchestrations.engine import dispatch
from orchestrations.engine.transitions import move_task
from orchestrations.enums import UNFINISHED_RUN, TaskStatus
from orchestrations.models import Run, TaskRun
from orchestrations.tasks import advance_run as advance_run_task
from orchestrator_site.lib.bell import ring

T = TaskStatus
STOPPABLE = (T.WAITING, T.PROCESSING, T.TERMINATING)


def terminate_task(task_id: int, *, user: User | None = None) -> bool:
    """Ask one task to stop; the others go on. False where it has not begun, or has ended.

    Safe to call twice. A task that waits for a moment ends at once; the others end with their job
    or child run.
    """
    actor = user.get_username() if user else ""
    with transaction.atomic():
        run_id = TaskRun.objects.values_list("run", flat=True).get(pk=task_id)
        Run.objects.select_for_update(of=("self",), no_key=True).get(pk=run_id)
        task = TaskRun.objects.select_for_update(of=("self",), no_key=True).get(pk=task_id)
        if task.status not in STOPPABLE:
            return False
        if task.not_before is not None:
            outcome = T.TERMINATED if task.attempt else T.CANCELLED
            move_task(task, outcome, reason="Stopped while it waited.", actor=actor)
            ring(advance_run_task, run_id)
            return True
        if task.status != T.TERMINATING:
            move_task(task, T.TERMINATING, actor=actor)
        # outside the run's transaction: a job that ends locks its own row before its task's
        transaction.on_commit(partial(_stop, task, user))
    return True


def _stop(task: TaskRun, user: User | None) -> None:
    jobs = Job.objects.filter(attempt__task_run=task, status__in=UNFINISHED_JOB)
    for job in jobs.filter(terminate_at=None):
        terminate_job(job, user=user, reason=f"The task of run {task.run_id} was terminated.")
    child = Run.objects.filter(parent=task, status__in=UNFINISHED_RUN).first()
    if child is not None:
        dispatch.terminate_run(child.pk, user_id=user.pk if user else None)
