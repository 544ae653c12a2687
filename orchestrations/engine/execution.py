"""Beginning a task: its job, or its child run, or the sentence why it cannot begin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from components.enums import JobOrigin
from components.models import Configuration
from components.services.jobs import JobRequest, create_jobs
from orchestrations.engine.transitions import begin_again, move_task, move_tasks
from orchestrations.enums import StartedBy, TaskStatus
from orchestrations.models import Orchestration, OrchestrationVersion, Run, TaskAttempt, TaskRun
from orchestrations.tasks import advance_run as advance_run_task
from orchestrations.validators import inside_itself, too_deep
from orchestrator_site.lib.bell import ring

RING_AHEAD = 60  # seconds; a later moment is left to recovery, which looks every ten seconds


def delay_tasks(tasks: Sequence[TaskRun]) -> None:
    """Let tasks wait for the delay of their design."""
    for task in tasks:
        wait_until(task, task.design["delay"], f"Starts {task.design['delay']} s after its phase.")


def wait_until(task: TaskRun, seconds: float, reason: str) -> bool:
    """Let a task wait so many seconds, then begin; False where somebody else changed it."""
    due = timezone.now() + timedelta(seconds=seconds)
    if not move_task(task, TaskStatus.WAITING, reason=reason, not_before=due):
        return False
    if seconds <= RING_AHEAD:
        ring(advance_run_task, task.run_id, countdown=seconds)
    return True


def start_tasks(run: Run, tasks: Sequence[TaskRun]) -> bool:
    """Give each task its job or child run; True where one could not begin, and so ended at once.

    Jobs are made and tasks moved in bulk: a phase of 500 tasks costs as many queries as one of 5.
    """
    configurations = Configuration.objects.select_related("component").in_bulk(
        {t.configuration_id for t in tasks if t.configuration_id}
    )
    runnable, nested, refused = [], [], False
    for task in tasks:
        configuration = configurations.get(task.configuration_id or 0)
        if task.design.get("orchestration"):
            nested.append(task)
        elif configuration is None or configuration.deleted_at:
            _refuse(task, "configuration", exists=configuration is not None)
            refused = True
        else:
            runnable.append((task, configuration))
    if runnable:
        _start_jobs(run, runnable)
    for task in nested:
        refused |= not _start_child(run, task)
    return refused


def _start_jobs(run: Run, pairs: Sequence[tuple[TaskRun, Configuration]]) -> None:
    variables = run.effective_variables
    jobs = create_jobs(
        [
            JobRequest(
                configuration=configuration,
                version=task.configuration_version,
                parameters=task.design["parameters"],
                time_limit=task.design["timeout"],
                variables=variables,
            )
            for task, configuration in pairs
        ],
        user=run.created_by,
        origin=JobOrigin.ORCHESTRATION,
    )
    tasks = [task for task, _ in pairs]
    _begin_attempt(tasks)
    TaskAttempt.objects.bulk_create(
        TaskAttempt(task_run=task, number=task.attempt, job=job)
        for task, job in zip(tasks, jobs, strict=True)
    )


def _begin_attempt(tasks: Sequence[TaskRun]) -> None:
    """Move tasks that begin to Waiting; those that waited for a delay or retry are there."""
    fresh = [task for task in tasks if task.status == TaskStatus.CREATED]
    if fresh:
        move_tasks(fresh, TaskStatus.WAITING, attempt=1)
    begin_again([task for task in tasks if task not in fresh])


def _start_child(run: Run, task: TaskRun) -> bool:
    orchestration = Orchestration.objects.filter(pk=task.orchestration_id or 0).first()
    if orchestration is None or orchestration.deleted_at:
        _refuse(task, "orchestration", exists=orchestration is not None)
        return False
    above = _above(run)
    names = [*(o.name for o in above[::-1]), orchestration.name]
    if orchestration in above:
        move_task(task, TaskStatus.ERROR, reason=inside_itself(names))
        return False
    if len(above) > settings.NESTING_LIMIT:
        move_task(task, TaskStatus.ERROR, reason=too_deep(names, settings.NESTING_LIMIT))
        return False
    child = Run.objects.create(
        orchestration=orchestration,
        version=OrchestrationVersion.objects.get(
            orchestration=orchestration, number=orchestration.version
        ),
        started_by=StartedBy.NESTED,
        created_by=run.created_by,
        variables=run.effective_variables,
        rung_at=timezone.now(),
    )
    _begin_attempt([task])
    task.child = child
    task.save(update_fields=["child"])
    ring(advance_run_task, child.pk)
    return True


def _above(run: Run) -> list[Orchestration]:
    """Return the orchestrations whose runs this one is part of, its own first."""
    found = [run.orchestration]
    while run.started_by == StartedBy.NESTED:
        parent = TaskRun.objects.filter(child=run).select_related("run__orchestration").first()
        if parent is None:
            break
        run = parent.run
        found.append(run.orchestration)
    return found


def _refuse(task: TaskRun, kind: str, *, exists: bool) -> None:
    where = "is in the trash" if exists else "was deleted"
    move_task(task, TaskStatus.ERROR, reason=f"The {kind} “{task.name}” {where}.")
