"""The only writer of the statuses of runs and their tasks.

Every change is a conditional UPDATE whose count is checked, and leaves a RunEvent. Callers hold a
transaction; the order of locks is run, then task run, and never a run's row after another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from orchestrations.enums import (
    FINISHED_RUN,
    FINISHED_TASK,
    RUN_MOVES,
    TASK_MOVES,
    UNFINISHED_RUN,
    RunStatus,
    TaskStatus,
)
from orchestrations.exceptions import IllegalTransition
from orchestrations.models import Run, RunEvent, TaskRun

REASON_LENGTH = 500
MOVE = """
    UPDATE orchestrations_taskrun
    SET status = %s, reason = '', started_at = COALESCE(started_at, %s), ended_at = %s
    WHERE status = %s
        AND id = (SELECT task_run_id FROM orchestrations_taskattempt WHERE job_id = %s)
    RETURNING id, run_id, phase
"""
RECORD = """
    INSERT INTO orchestrations_runevent
        (run_id, task_run_id, at, old_status, new_status, reason, actor)
    VALUES (%s, %s, %s, %s, %s, '', '')
"""


def move_run(run: Run, to: RunStatus, *, reason: str = "", actor: str = "", **fields: Any) -> bool:
    """Change a run's status, and `fields` with it; False where somebody else changed it before.

    The object given is brought up to date. Raises IllegalTransition for a move not in RUN_MOVES.
    """
    old = RunStatus(run.status)
    if to not in RUN_MOVES[old]:
        raise IllegalTransition(f"Run {run.pk} cannot go from {old} to {to}.")
    values = {"status": to, "reason": reason[:REASON_LENGTH], **_run_times(run, to), **fields}
    if not Run.objects.filter(pk=run.pk, status=old).update(**values):
        return False
    for name, value in values.items():
        setattr(run, name, value)
    RunEvent.objects.create(
        run_id=run.pk, old_status=old, new_status=to, reason=values["reason"], actor=actor
    )
    return True


def claim_run(run: Run) -> bool:
    """Let a queued run begin, if it is the oldest unfinished one of its orchestration.

    Otherwise it is Waiting, with the run it waits for; False then. The unique index decides where
    two claim at once; the condition makes it first in, first out.
    """
    older = Run.objects.filter(
        orchestration=OuterRef("orchestration"), pk__lt=OuterRef("pk"), status__in=UNFINISHED_RUN
    )
    old, now = run.status, timezone.now()
    try:
        with transaction.atomic():
            claimed = Run.objects.filter(~Exists(older), pk=run.pk, status=old).update(
                status=RunStatus.PROCESSING, reason="", started_at=now
            )
    except IntegrityError:  # a younger one began while this one was not committed yet
        claimed = 0
    if not claimed:
        _wait(run)
        return False
    run.status, run.reason, run.started_at = RunStatus.PROCESSING, "", now
    RunEvent.objects.create(run_id=run.pk, old_status=old, new_status=RunStatus.PROCESSING)
    return True


def move_task(
    task: TaskRun, to: TaskStatus, *, reason: str = "", actor: str = "", **fields: Any
) -> bool:
    """Change one task's status, and `fields` with it; False where somebody else changed it before.

    Raises IllegalTransition for a move not in TASK_MOVES.
    """
    return bool(_move([task], to, {"reason": reason, "actor": actor, **fields}))


def move_tasks(
    tasks: Iterable[TaskRun], to: TaskStatus, *, reason: str = "", actor: str = "", **fields: Any
) -> None:
    """Change many tasks at once, which the caller has locked or alone may change.

    Raises IllegalTransition where one cannot move, or is no longer as it was read.
    """
    for _, group in groupby(sorted(tasks, key=_status), key=_status):
        if not _move(list(group), to, {"reason": reason, "actor": actor, **fields}):
            raise IllegalTransition("A task of the run was changed at the same time.")


def move_task_of_job(job_id: int, old: TaskStatus, to: TaskStatus) -> TaskRun | None:
    """Move the task of a job from `old` to `to`; None where it has none or stands elsewhere.

    Every job of every run comes through here twice, in the one interpreter of its worker, so it is
    written as two statements: the ORM takes three, and most of their time to build them. The task
    returned has only its ids, its phase and its status.
    """
    if to not in TASK_MOVES[old]:
        raise IllegalTransition(f"A task cannot go from {old} to {to}.")
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [to, now, now if to in FINISHED_TASK else None, old, job_id])
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(RECORD, [row[1], row[0], now, old, to])
    return TaskRun(pk=row[0], run_id=row[1], phase=row[2], status=to)


def begin_again(tasks: Sequence[TaskRun]) -> None:
    """Note that tasks which waited for a delay or a retry begin an attempt; they stay Waiting."""
    for task in tasks:
        task.attempt, task.not_before, task.reason = task.attempt + 1, None, ""
        task.save(update_fields=["attempt", "not_before", "reason"])
    RunEvent.objects.bulk_create(
        RunEvent(run_id=t.run_id, task_run=t, reason=f"Attempt {t.attempt} begins.") for t in tasks
    )


def _move(tasks: Sequence[TaskRun], to: TaskStatus, values: dict[str, Any]) -> bool:
    """Move tasks of one status; True where all of them did."""
    old = TaskStatus(tasks[0].status)
    if to not in TASK_MOVES[old]:
        raise IllegalTransition(f"Task “{tasks[0].name}” cannot go from {old} to {to}.")
    actor = values.pop("actor")
    values = {**values, "status": to, "reason": values["reason"][:REASON_LENGTH]}
    values |= _task_times(tasks, to)
    one = {"pk": tasks[0].pk} if len(tasks) == 1 else {"pk__in": [t.pk for t in tasks]}
    if TaskRun.objects.filter(**one, status=old).update(**values) != len(tasks):
        return False
    for task in tasks:
        for name, value in values.items():
            setattr(task, name, value)
    RunEvent.objects.bulk_create(
        RunEvent(
            run_id=task.run_id,
            task_run_id=task.pk,
            old_status=old,
            new_status=to,
            reason=values["reason"],
            actor=actor,
        )
        for task in tasks
    )
    return True


def _wait(run: Run) -> None:
    """Mark a queued run as waiting, or give a waiting one the run it waits for now."""
    first = (
        Run.objects.filter(orchestration=run.orchestration_id, status__in=UNFINISHED_RUN)
        .exclude(pk=run.pk)
        .order_by("pk")
        .values_list("pk", flat=True)
        .first()
    )
    reason = f"Waiting for run {first} of this orchestration." if first else ""
    if run.status == RunStatus.CREATED:
        move_run(run, RunStatus.WAITING, reason=reason)
    elif reason != run.reason:
        Run.objects.filter(pk=run.pk, status=RunStatus.WAITING).update(reason=reason)


def _status(task: TaskRun) -> str:
    return task.status


def _run_times(run: Run, to: RunStatus) -> dict[str, Any]:
    if to in FINISHED_RUN:
        return {"ended_at": timezone.now()}
    if to == RunStatus.PROCESSING and run.started_at is None:
        return {"started_at": timezone.now()}
    return {}


def _task_times(tasks: Sequence[TaskRun], to: TaskStatus) -> dict[str, Any]:
    if to in FINISHED_TASK:
        return {"ended_at": timezone.now(), "not_before": None}
    if to == TaskStatus.PROCESSING and tasks[0].started_at is None:
        return {"started_at": timezone.now()}
    return {}
