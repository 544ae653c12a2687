"""Runs whose bell was lost: found every ten seconds, and rung again."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from components.enums import FINISHED_JOB
from components.models import Job
from orchestrations.engine import dispatch
from orchestrations.enums import (
    ACTIVE_RUN,
    FINISHED_RUN,
    QUEUED_RUN,
    UNFINISHED_RUN,
    UNFINISHED_TASK,
    RunStatus,
    TaskStatus,
)
from orchestrations.models import Run, TaskRun
from orchestrations.tasks import advance_run as advance_run_task
from orchestrator_site.lib.bell import ring_all

PATIENCE = timedelta(seconds=10)  # what is younger is probably being done
SKEW = timedelta(seconds=60)  # clocks of workers may differ by this
BATCH = 500  # runs rung by one sweep; the next one goes on


def recover_runs() -> None:
    """Bring forward every run that could go on and does not; safe to call twice, and at once.

    Each run is advanced by its own message, so that one which fails stops no other.
    """
    now = timezone.now()
    _settle_forgotten(now)
    _terminate_overdue(now)
    found: list[int] = []
    for stuck in (_queued(now), _with_ended_phase(now), _with_delay_over(now), _terminating(now)):
        found += stuck.values_list("pk", flat=True)[:BATCH]
    ids = list(dict.fromkeys(found))
    with transaction.atomic():
        Run.objects.filter(pk__in=ids, status__in=QUEUED_RUN).update(rung_at=now)
        ring_all(advance_run_task, ids)


def _queued(now: datetime) -> QuerySet[Run]:
    """Return runs that nobody claimed though nothing is before them."""
    older = Run.objects.filter(
        orchestration=OuterRef("orchestration"), pk__lt=OuterRef("pk"), status__in=UNFINISHED_RUN
    )
    lost = Q(rung_at=None, created_at__lt=now - PATIENCE) | Q(rung_at__lt=now - PATIENCE)
    return Run.objects.filter(lost, ~Exists(older), status__in=QUEUED_RUN).order_by("pk")


def _with_ended_phase(now: datetime) -> QuerySet[Run]:
    """Return runs with a phase that ended after they were last advanced."""
    unfinished = TaskRun.objects.filter(
        run=OuterRef("run"), phase=OuterRef("phase"), status__in=UNFINISHED_TASK
    )
    ended = TaskRun.objects.filter(
        ~Exists(unfinished),
        run=OuterRef("pk"),
        ended_at__gt=OuterRef("rung_at") - SKEW,
        ended_at__lt=now - PATIENCE,
    )
    return Run.objects.filter(Exists(ended), status=RunStatus.PROCESSING).order_by("pk")


def _with_delay_over(now: datetime) -> QuerySet[Run]:
    """Return runs with a task whose delay, or pause before a retry, is over."""
    due = TaskRun.objects.filter(run=OuterRef("pk"), status=TaskStatus.WAITING, not_before__lte=now)
    return Run.objects.filter(Exists(due), status=RunStatus.PROCESSING).order_by("pk")


def _terminating(now: datetime) -> QuerySet[Run]:
    """Return runs that were to be stopped and still have not ended."""
    return Run.objects.filter(status__in=UNFINISHED_RUN, terminate_at__lt=now - PATIENCE).order_by(
        "pk"
    )


def _settle_forgotten(now: datetime) -> None:
    """Settle tasks whose job or child run has ended without telling."""
    active = {"run__status__in": ACTIVE_RUN, "status__in": UNFINISHED_TASK}
    jobs = Job.objects.filter(
        attempt__task_run__in=TaskRun.objects.filter(**active),
        attempt__number=F("attempt__task_run__attempt"),
        attempt__task_run__not_before=None,
        status__in=FINISHED_JOB,
        ended_at__lt=now - PATIENCE,
    )
    for job in jobs[:BATCH]:
        with transaction.atomic():
            dispatch.job_finished(job)
    children = Run.objects.filter(
        parent__in=TaskRun.objects.filter(**active, not_before=None),
        status__in=FINISHED_RUN,
        ended_at__lt=now - PATIENCE,
    )
    for child in children[:BATCH]:
        with transaction.atomic():
            dispatch.child_finished(child)


def _terminate_overdue(now: datetime) -> None:
    """Stop child runs that take longer than their task allows."""
    tasks = TaskRun.objects.filter(
        run__status=RunStatus.PROCESSING,
        status=TaskStatus.PROCESSING,
        child__status=RunStatus.PROCESSING,
        child__terminate_at=None,
    ).select_related("child")
    for task in tasks:
        limit, child = task.design["timeout"], task.child
        if (
            limit
            and child
            and child.started_at
            and child.started_at < now - timedelta(seconds=limit)
        ):
            dispatch.terminate_run(child.pk)
