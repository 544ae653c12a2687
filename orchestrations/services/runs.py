"""Start, retry and stop runs; and what the end of a job means for the run it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from components.models import Job
from orchestrations.engine import dispatch, stopping
from orchestrations.enums import FINISHED_TASK, StartedBy
from orchestrations.exceptions import InvalidOrchestration, NotAllowed
from orchestrations.models import Orchestration, OrchestrationVersion, Run, RunEvent, TaskRun
from orchestrations.models.orchestration import Definition
from orchestrations.queries.starting import tasks_to_retry
from orchestrations.tasks import advance_run as advance_run_task
from orchestrations.validators import variable_errors
from orchestrator_site.lib import actor
from orchestrator_site.lib.bell import ring


@transaction.atomic
def start_run(
    orchestration: Orchestration,
    *,
    started_by: StartedBy,
    user: User | None = None,
    variables: Mapping[str, str] | None = None,
    selected: Sequence[str] | None = None,
    retry_of: Run | None = None,
) -> Run:
    """Make a run of the latest version; a worker begins it as soon as none before it is unfinished.

    `selected` holds keys of tasks, also of inactive ones; None means all active ones. `variables`
    lie over those of the orchestration; None means none, for a retry those it had. A retry takes
    the version of the run it retries, so that its tasks are the ones that failed, with the present
    versions of their configurations, so that what was mended counts; there None means the tasks
    that did not succeed. Raises InvalidOrchestration for unknown keys and wrong variables,
    NotAllowed in the trash, or where there is nothing to retry.
    """
    # locked: it is neither binned nor purged while its run is made
    held = Orchestration.objects.select_for_update(no_key=True)
    if held.filter(pk=orchestration.pk, deleted_at=None).first() is None:
        raise NotAllowed("This orchestration is in the trash; restore it before running it.")
    if retry_of is not None:
        retry_of = Run.objects.select_related("version").get(pk=retry_of.pk)
        selected = _retried(orchestration, retry_of, selected)
    version = _version(orchestration, retry_of)
    if variables is None:
        variables = retry_of.variables if retry_of else {}
    if errors := variable_errors(variables):
        raise InvalidOrchestration("The run was not started.", fields=errors)
    run = Run.objects.create(
        orchestration=orchestration,
        version=version,
        started_by=started_by,
        created_by=user,
        token_name=actor.current().token,
        retry_of=retry_of,
        variables=dict(variables),
        selected=_checked(selected, version.definition),
        rung_at=timezone.now(),
    )
    RunEvent.objects.create(
        run=run,
        new_status=run.status,
        reason=f"Retry of run {retry_of.pk}." if retry_of else f"{started_by.label}.",
        actor=user.get_username() if user else "",
    )
    ring(advance_run_task, run.pk)
    return run


def terminate_run(run: Run, *, user: User | None = None) -> Run:
    """Stop a run: a queued one is cancelled, jobs and child runs are terminated, nothing begins.

    Returns at once; the run is Terminated when its last job has ended. Safe to call
    twice. Raises NotAllowed for a run that has ended.
    """
    asked = dispatch.terminate_run(run.pk, user_id=user.pk if user else None)
    was_finished = run.is_finished
    run.refresh_from_db()
    if not asked and (was_finished or run.terminate_at is None):
        raise NotAllowed(f"Run {run.pk} has already ended.")
    return run


def terminate_task(task: TaskRun, *, user: User | None = None) -> TaskRun:
    """Stop one task of a run: its job or child run, or its wait for the next attempt.

    What a terminated task means for the run is decided when its phase has ended. Returns at once;
    safe to call twice. Raises NotAllowed for a task that has not begun or has ended.
    """
    asked = stopping.terminate_task(task.pk, user=user)
    task.refresh_from_db()
    if not asked:
        what = "has already ended" if task.status in FINISHED_TASK else "has not begun"
        raise NotAllowed(f"“{task.name}” {what}.")
    return task


def on_job_started(job: Job) -> None:
    """Show the task of a claimed job as Processing; called inside the claim's transaction."""
    dispatch.job_started(job)


def on_job_finished(job: Job) -> None:
    """Settle the task of a finished job; the same worker advances the run once that is committed.

    Called inside the transaction that ends the job.
    """
    dispatch.job_finished(job)


def _retried(
    orchestration: Orchestration, run: Run, selected: Sequence[str] | None
) -> Sequence[str]:
    if run.orchestration_id != orchestration.pk:
        raise NotAllowed(f"Run {run.pk} is not one of this orchestration.")
    if not run.is_finished:
        raise NotAllowed(f"Run {run.pk} has not ended yet.")
    chosen = tasks_to_retry(run) if selected is None else selected
    if not chosen:
        raise NotAllowed(f"Every task of run {run.pk} succeeded; choose what is to run again.")
    return chosen


def _version(orchestration: Orchestration, retry_of: Run | None) -> OrchestrationVersion:
    if retry_of is not None:
        return retry_of.version
    return OrchestrationVersion.objects.filter(orchestration=orchestration).latest("number")


def _checked(selected: Sequence[str] | None, definition: Definition) -> list[str] | None:
    if selected is None:
        return None
    known = {task["key"] for phase in definition["phases"] for task in phase["tasks"]}
    if unknown := [key for key in selected if key not in known]:
        text = f"This orchestration has no task “{unknown[0]}”."
        raise InvalidOrchestration(text, fields={"tasks": text})
    return list(dict.fromkeys(selected))
