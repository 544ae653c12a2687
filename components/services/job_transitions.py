"""The only writer of `Job.status`: each move is a conditional UPDATE whose count is checked.

A worker that runs a job holds a `Claim`; every write of it names the claim's token, so that one
that was declared dead changes nothing. Every change of status is a JobEvent.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from components import tasks
from components.enums import (
    ACTIVE_JOB,
    FINISHED_JOB,
    JOB_MOVES,
    QUEUED_JOB,
    ErrorType,
    JobStatus,
)
from components.exceptions import NotAllowed, StaleToken
from components.models import Component, Job, JobEvent, JobLog
from components.services import job_lines
from components.services.job_lines import WAITS_FOR_PROJECT
from components.signals import job_finished, job_started
from orchestrator_site.lib.bell import ring

LEASE = timedelta(seconds=30)
CLAIM_LOCK = 7_215_401  # PostgreSQL's advisory lock that claims take, so that limits are exact
ASK_ATTEMPTS = 5


@dataclass(frozen=True)
class Claim:
    """The right to run a job, held until another attempt gets a token or the job ends."""

    job: Job  # with component and configuration loaded
    token: uuid.UUID


def claim(job_id: int, *, worker: str) -> Claim | None:
    """Take a queued job for this worker; None where it cannot run now or somebody else has it.

    First come, first served within a configuration and up to the limits; a job that must wait
    becomes Waiting with a sentence saying for what. Safe to call at any time: claims take turns
    (by a lock of PostgreSQL, or because SQLite has one writer), and the unique index watches.
    """
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
            return _claim(job_id, worker)
    except IntegrityError:  # the unique index: another job of this configuration is active
        with transaction.atomic():
            job = Job.objects.filter(pk=job_id, status__in=QUEUED_JOB).first()
            if job:
                _wait(job, "Waiting for another job of the same configuration")
        return None


def renew_lease(claim: Claim) -> bool:
    """Say that the worker lives; False where the claim is no longer valid."""
    return bool(_held(claim).update(lease_until=timezone.now() + LEASE))


def is_terminating(claim: Claim) -> bool | None:
    """Tell whether termination was asked for; None where the claim is no longer valid."""
    status = _held(claim).values_list("status", flat=True).first()
    return None if status is None else status == JobStatus.TERMINATING


def write_log(claim: Claim, lines: Sequence[JobLog]) -> None:
    """Keep log lines; those that are kept already do no harm. Raises StaleToken."""
    with transaction.atomic():
        if not list(_held(claim).select_for_update(no_key=True).values_list("pk")):
            raise StaleToken
        JobLog.objects.bulk_create(lines, ignore_conflicts=True, batch_size=500)


def end(
    claim: Claim,
    to: JobStatus,
    *,
    fields: Mapping[str, Any],
    log: Sequence[JobLog] = (),
    commit: Callable[[], Mapping[str, Any]] | None = None,
) -> JobStatus:
    """End a job and return how: Terminated where that was asked for meanwhile, else `to`.

    `log` is the last lines, which are kept however it ends.
    `commit` is called in the same transaction if the job ends as `to`; what it returns is written
    to the job too. What it raises undoes everything. Raises StaleToken. Starts the next in line.
    """
    with transaction.atomic():
        job = claim.job
        old, new = JobStatus.PROCESSING, to
        values = {"ended_at": timezone.now(), "lease_until": None, **fields}
        if not _move(job, old, new, token=claim.token, values=values):
            old, new = JobStatus.TERMINATING, JobStatus.TERMINATED
            gone = {"result": {}, "error": "", "error_type": "", "error_reference": ""}
            if not _move(job, old, new, token=claim.token, values=values | gone):
                raise StaleToken
        elif commit:
            more = dict(commit())
            if more:
                Job.objects.filter(pk=job.pk, token=claim.token).update(**more)
                _set(job, more)
        if log:
            JobLog.objects.bulk_create(log, ignore_conflicts=True, batch_size=500)
        _record(job, old, new, reason=job.error, actor=job.worker)
        _announce_end(job)
    return new


def cancel(job: Job, *, reason: str, user: User | None = None) -> bool:
    """End a job that nobody runs yet; False where somebody does or it has ended."""
    values = {"ended_at": timezone.now(), "waiting_for": "", "terminated_by": user}
    return _end_unclaimed(job, JobStatus.CANCELLED, values, reason=reason, user=user)


def fail_queued(job: Job, *, error: str) -> bool:
    """End a job that can never run; False where somebody runs it or it has ended."""
    values = {
        "ended_at": timezone.now(),
        "waiting_for": "",
        "error": error,
        "error_type": ErrorType.USER,
    }
    return _end_unclaimed(job, JobStatus.ERROR, values, reason=error)


def ask_terminate(job: Job, *, user: User | None = None, reason: str = "") -> Job:
    """Cancel a queued job, ask the worker of a running one to stop it; returns the job as it is.

    Safe to call twice; a job that has ended stays as it is.
    """
    for _ in range(ASK_ATTEMPTS):  # somebody may claim it in between
        job = Job.objects.get(pk=job.pk)
        if job.status in FINISHED_JOB or job.status == JobStatus.TERMINATING:
            return job
        if job.status in QUEUED_JOB:
            if cancel(job, reason=reason or "Cancelled before it began.", user=user):
                return job
        elif _ask(job, user, reason or "Termination was asked for."):
            return job
    raise NotAllowed(f"Job {job.pk} is changing too fast; try again.")


def declare_dead(job: Job, *, error: str) -> bool:
    """End a job whose worker's lease ran out; False where it has ended or the worker is back."""
    with transaction.atomic():
        old = JobStatus(job.status)
        new = JobStatus.TERMINATED if old == JobStatus.TERMINATING else JobStatus.ERROR
        values: dict[str, Any] = {"ended_at": timezone.now(), "lease_until": None, "token": None}
        if new == JobStatus.ERROR:
            values |= {"error": error, "error_type": ErrorType.APPLICATION}
        expired = {"lease_until__lt": timezone.now()}
        if not _move(job, old, new, token=job.token, values=values, where=expired):
            return False
        _record(job, old, new, reason=error, actor="recovery")
        _announce_end(job)
    return True


def ring_component(component: Component) -> None:
    """Wake the jobs that a changed limit of their component lets run, without waiting for an end.

    A limit that was lowered needs no call: the next claim reads it.
    """
    limit = settings.JOB_LIMIT if component.max_parallel is None else component.max_parallel
    busy = Job.objects.filter(component=component, status__in=ACTIVE_JOB).count()
    line = job_lines.kept_by_component(component, timezone.now())
    for pk in line.values_list("pk", flat=True)[: max(limit - busy, 0)]:
        ring(tasks.run_job, pk)


def _claim(job_id: int, worker: str) -> Claim | None:
    now = timezone.now()
    job = (
        Job.objects.select_related("component", "configuration")
        .defer("component__schema", "component__documentation")
        .filter(pk=job_id, status__in=QUEUED_JOB)
        .first()
    )
    if job is None or _ended_early(job) or (job.not_before and job.not_before > now):
        return None
    if obstacle := job_lines.obstacle(job, now):
        had_turn = job.waiting_for.startswith(WAITS_FOR_PROJECT)
        _wait(job, obstacle)
        if had_turn and not obstacle.startswith(WAITS_FOR_PROJECT):
            for pk in job_lines.next_for_project(now):  # what it was woken for is another's
                ring(tasks.run_job, pk)
        return None
    return _take(job, worker, now)


def _take(job: Job, worker: str, now: datetime) -> Claim | None:
    token = uuid.uuid4()
    old = JobStatus(job.status)
    values = {
        "token": token,
        "lease_until": now + LEASE,
        "worker": worker,
        "started_at": now,
        "waiting_for": "",
    }
    if not _move(job, old, JobStatus.PROCESSING, values=values):
        return None
    _record(job, old, JobStatus.PROCESSING, actor=worker)
    job_started.send(sender=Job, job=job)
    return Claim(job, token)


def _ended_early(job: Job) -> bool:
    if job.configuration is None:
        return fail_queued(job, error="The configuration was deleted before the job began.")
    if job.configuration.deleted_at:
        return cancel(job, reason="The configuration was moved to the trash.")
    return False


def _wait(job: Job, reason: str) -> None:
    old = JobStatus(job.status)
    if old == JobStatus.WAITING:
        if job.waiting_for != reason:
            Job.objects.filter(pk=job.pk, status=old).update(waiting_for=reason)
    elif _move(job, old, JobStatus.WAITING, values={"waiting_for": reason}):
        _record(job, old, JobStatus.WAITING, reason=reason)


def _ask(job: Job, user: User | None, reason: str) -> bool:
    with transaction.atomic():
        values = {"terminate_at": timezone.now(), "terminated_by": user}
        old, new = JobStatus.PROCESSING, JobStatus.TERMINATING
        if not _move(job, old, new, values=values):
            return False
        _record(job, old, new, reason=reason, actor=user.get_username() if user else "")
    return True


def _end_unclaimed(
    job: Job, to: JobStatus, values: dict[str, Any], *, reason: str, user: User | None = None
) -> bool:
    with transaction.atomic():
        old = JobStatus(job.status)
        if not _move(job, old, to, values=values):
            return False
        _record(job, old, to, reason=reason, actor=user.get_username() if user else "")
        _announce_end(job)
    return True


def _held(claim: Claim) -> QuerySet[Job]:
    return Job.objects.filter(pk=claim.job.pk, token=claim.token, status__in=ACTIVE_JOB)


def _move(
    job: Job,
    old: JobStatus,
    new: JobStatus,
    *,
    values: Mapping[str, Any],
    token: uuid.UUID | None = None,
    where: Mapping[str, Any] | None = None,
) -> bool:
    """Change the status if it is `old` and the rest holds, and tell whether it did."""
    if new not in JOB_MOVES[old]:
        return False
    rows = Job.objects.filter(pk=job.pk, status=old, **(where or {}))
    if token:
        rows = rows.filter(token=token)
    if not rows.update(status=new, **values):
        return False
    _set(job, {**values, "status": new})
    return True


def _set(job: Job, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(job, name, value)


def _record(job: Job, old: JobStatus, new: JobStatus, *, reason: str = "", actor: str = "") -> None:
    JobEvent.objects.create(
        job=job, old_status=old, new_status=new, reason=reason[:500], actor=actor[:200]
    )


def _announce_end(job: Job) -> None:
    """Tell who listens, and wake whoever may begin now."""
    job_finished.send(sender=Job, job=job)
    for pk in job_lines.next_after(job, timezone.now()):
        ring(tasks.run_job, pk)
