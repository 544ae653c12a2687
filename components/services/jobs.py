"""Jobs: asked for, run by a worker from claim to commit, terminated."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from components import tasks
from components.enums import ErrorType, JobOrigin, JobStatus
from components.exceptions import ComponentsError, NotAllowed, RunnerError, StaleToken
from components.models import Configuration, Job, JobEvent
from components.runners.base import EndedBy, Ending, JobSpec, LogLine, RunnerResult
from components.runners.launcher import launcher
from components.runners.supervisor import Limits, Supervisor
from components.services import job_transitions as transitions
from components.services.input_mapping import tables_in
from components.services.job_journal import JobJournal
from components.services.job_specs import build_spec
from components.services.job_transitions import Claim
from components.services.storage import PreparedLoads, commit_outputs, prepare_outputs
from components.store.tables import InputPlan
from orchestrator_site.lib.bell import ring
from orchestrator_site.lib.errors import new_reference
from orchestrator_site.lib.secrets import encrypt_tree

MEGABYTE = 1024 * 1024
SOON = 60.0  # seconds that a delay may spend in the broker; a longer one is the sweeper's
GIVE_UP_AFTER = 3600.0  # seconds of trying again while the database is away
RETRY_SECONDS = 1.0

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class JobRequest:
    """One job that is wanted; None means the present version, no limit of its own, no delay."""

    configuration: Configuration
    version: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    time_limit: int | None = None  # seconds
    not_before: datetime | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def create_job(  # noqa: PLR0913  # the choices of one request
    configuration: Configuration,
    *,
    user: User | None = None,
    origin: JobOrigin = JobOrigin.MANUAL,
    parameters: Mapping[str, Any] | None = None,
    version: int | None = None,
    time_limit: int | None = None,
    not_before: datetime | None = None,
) -> Job:
    """Ask for one execution of a configuration; raises NotAllowed where it is in the trash."""
    request = JobRequest(configuration, version, parameters or {}, time_limit, not_before)
    return create_jobs([request], user=user, origin=origin)[0]


def create_jobs(
    requests: Sequence[JobRequest],
    *,
    user: User | None = None,
    origin: JobOrigin = JobOrigin.MANUAL,
) -> list[Job]:
    """Ask for many executions at once, in their order; all or none. Workers are rung on commit.

    Raises NotAllowed where a configuration is in the trash.
    """
    now = timezone.now()
    actor = user.get_username() if user else ""
    with transaction.atomic():
        jobs = Job.objects.bulk_create([_job(request, user, origin, now) for request in requests])
        JobEvent.objects.bulk_create(
            JobEvent(job=job, new_status=JobStatus.CREATED, actor=actor) for job in jobs
        )
        for job in jobs:
            delay = (job.not_before - now).total_seconds() if job.not_before else 0.0
            if delay <= SOON:
                ring(tasks.run_job, job.pk, countdown=delay if delay > 0 else None)
    return jobs


def terminate_job(job: Job, *, user: User | None = None, reason: str = "") -> Job:
    """End a job on request: a queued one at once, a running one within seconds; returns it.

    Safe to call twice; a job that has ended stays as it is.
    """
    return transitions.ask_terminate(job, user=user, reason=reason)


def run_job(job_id: int) -> None:
    """Run one job from claim to commit; nothing where it cannot run now or somebody else has it.

    Never raises what a component does: the job ends as Error then.
    """
    try:
        claim = transitions.claim(job_id, worker=worker_name())
    except (OperationalError, InterfaceError) as error:
        logger.warning("Job %s was not claimed, the database is away: %s", job_id, error)
        connection.close()
        return
    if claim is None:
        return
    try:
        _carry_out(claim)
    except StaleToken:
        logger.warning("Job %s was declared dead meanwhile; its result is refused.", job_id)


def worker_name() -> str:
    """Return what names this worker on the job page: machine and process."""
    return f"{platform.node()}:{os.getpid()}"


def _job(request: JobRequest, user: User | None, origin: JobOrigin, now: datetime) -> Job:
    configuration = request.configuration
    if configuration.deleted_at:
        raise NotAllowed(f"“{configuration.name}” is in the trash; restore it first.")
    return Job(
        component_id=configuration.component_id,
        configuration=configuration,
        configuration_name=configuration.name,
        configuration_version=request.version or configuration.version,
        parameters=encrypt_tree(dict(request.parameters)) if request.parameters else {},
        variables=dict(request.variables),
        origin=origin,
        created_by=user,
        time_limit=request.time_limit,
        not_before=request.not_before,
        rung_at=now,
    )


def _carry_out(claim: Claim) -> None:
    """Run a claimed job and write how it ended; the one edge that takes any exception."""
    journal = JobJournal(claim)
    try:
        ending = _execute(claim, journal)
        _settle(claim, journal, ending)
    except StaleToken:
        raise
    except ComponentsError as error:
        permanent = isinstance(error, RunnerError) and error.permanent
        _settle(claim, journal, Ending(EndedBy.ITSELF, error=error.message, permanent=permanent))
    except Exception as error:  # noqa: BLE001  # recorded with its traceback, and the worker goes on
        text = "".join(traceback.format_exception(error))
        ending = Ending(EndedBy.CRASH, error=repr(error), is_user_error=False, traceback=text)
        _settle(claim, journal, ending)


def _execute(claim: Claim, journal: JobJournal) -> Ending:
    job = claim.job
    if job.configuration is None:
        raise RunnerError("The configuration was deleted.", permanent=True)
    orders = partial(build_spec, job, job.configuration)
    spec = _patiently(f"The beginning of job {job.pk}", orders)
    seconds = job.time_limit or job.component.time_limit or settings.JOB_TIME_LIMIT
    Path(spec.work).mkdir(parents=True, mode=0o700)
    try:
        child = launcher().start(spec)
        limits = Limits(seconds=seconds, memory=spec.memory_mb * MEGABYTE)
        ending = Supervisor(child, journal, limits).watch()
    finally:
        shutil.rmtree(spec.work, ignore_errors=True)
    _remember_inputs(job, spec)
    return ending


def _remember_inputs(job: Job, spec: JobSpec) -> None:
    """Keep what the job read, to be written with its end."""
    job.tables_in = tables_in(cast("list[InputPlan]", spec.inputs))


def _settle(claim: Claim, journal: JobJournal, ending: Ending) -> None:
    """Write the end of a job, trying again while the database is away; raises StaleToken."""
    if ending.by == EndedBy.LOSS:
        raise StaleToken
    _patiently(f"The end of job {claim.job.pk}", partial(_write_end, claim, journal, ending))


def _patiently(what: str, work: Callable[[], T]) -> T:
    """Return what `work` gives, trying again while the database is away."""
    until = time.monotonic() + GIVE_UP_AFTER
    while True:
        try:
            return work()
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > until:
                raise
            logger.warning("%s waits for the database: %s", what, error)
            connection.close()
            time.sleep(RETRY_SECONDS)


def _write_end(claim: Claim, journal: JobJournal, ending: Ending) -> None:
    fields: dict[str, Any] = {
        "peak_memory": ending.peak_memory or None,
        "tables_in": claim.job.tables_in,
    }
    if ending.by != EndedBy.TERMINATION and ending.result is not None:
        _write_success(claim, journal, ending.lines, ending.result, fields)
        return
    lines = ending.lines
    if ending.by == EndedBy.TERMINATION:
        to = JobStatus.TERMINATED
    else:
        to = JobStatus.ERROR
        fields |= _error(claim, ending)
        lines = [*lines, (time.time(), "error", fields["error"])]
    transitions.end(claim, to, fields=fields, log=journal.rows(lines))


def _write_success(
    claim: Claim,
    journal: JobJournal,
    lines: list[LogLine],
    result: RunnerResult,
    fields: dict[str, Any],
) -> None:
    """End the job with its outputs, state and last log lines in one transaction."""
    job = claim.job
    fields["result"] = result.result

    def commit(prepared: PreparedLoads | None = None) -> dict[str, Any]:
        if job.configuration and result.state != job.configuration.state:
            Configuration.objects.filter(pk=job.configuration.pk).update(state=result.state)
        if not result.outputs:
            return {}
        loads = commit_outputs(result.outputs, job=job, user=job.created_by, prepared=prepared)
        return {"tables_out": loads}

    end = partial(transitions.end, claim, JobStatus.SUCCESS, fields=fields, log=journal.rows(lines))
    if result.outputs:
        with journal.kept_alive():  # a large load may take longer than a lease
            end(commit=partial(commit, prepare_outputs(result.outputs)))
    else:
        end(commit=commit)


def _error(claim: Claim, ending: Ending) -> dict[str, Any]:
    """Return what people read about a failure; ours get a reference and a traceback in the log."""
    if ending.is_user_error:
        return {"error": ending.error, "error_type": ErrorType.USER}
    reference = new_reference()
    logger.error(
        "Error %s in job %s: %s\n%s", reference, claim.job.pk, ending.error, ending.traceback
    )
    what = "Something went wrong on our side." if ending.traceback else ending.error
    return {
        "error": f"{what} Reference: {reference}.",
        "error_type": ErrorType.APPLICATION,
        "error_reference": reference,
    }
