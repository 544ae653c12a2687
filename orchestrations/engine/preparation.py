"""The tasks of a run, copied from its version by the first `advance_run`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model

from components.models import Configuration
from orchestrations.engine.transitions import move_tasks
from orchestrations.enums import TaskStatus
from orchestrations.models import Orchestration, Run, TaskRun
from orchestrations.models.orchestration import Definition, TaskDesign

INACTIVE = "Inactive."
NOT_SELECTED = "Not selected."
KEPT = "Kept from run"

M = TypeVar("M", bound=Model)


def prepare(run: Run) -> list[TaskRun]:
    """Make the task rows of a run, in order, and skip those that it leaves out.

    A task that is inactive or not chosen has a row too, so that the page of the run shows the whole
    orchestration; one chosen by name runs though it is inactive. What a retry leaves out and its
    forerunner had done is "Kept from run n."
    """
    tasks = TaskRun.objects.bulk_create(_rows(run))
    reasons = _left_out(run, tasks)
    for reason in dict.fromkeys(reasons.values()):
        chosen = [task for task in tasks if reasons.get(task.key) == reason]
        move_tasks(chosen, TaskStatus.SKIPPED, reason=reason)
    return tasks


def _rows(run: Run) -> Iterator[TaskRun]:
    definition: Definition = run.version.definition
    designs = [task for phase in definition["phases"] for task in phase["tasks"]]
    configurations = Configuration.objects.select_related("component").in_bulk(
        {d["configuration"] for d in designs if d.get("configuration")}
    )
    orchestrations = Orchestration.objects.in_bulk(
        {d["orchestration"] for d in designs if d.get("orchestration")}
    )
    for number, phase in enumerate(definition["phases"]):
        for position, design in enumerate(phase["tasks"]):
            configuration = _find(configurations, design.get("configuration"))
            orchestration = _find(orchestrations, design.get("orchestration"))
            yield TaskRun(
                run=run,
                key=design["key"],
                phase=number,
                phase_key=phase["key"],
                phase_name=phase["name"],
                position=position,
                configuration=configuration,
                configuration_version=configuration.version if configuration else None,
                orchestration=orchestration,
                name=_name(configuration, orchestration, design),
                component_key=configuration.component.key if configuration else "",
                design=design,
            )


def _find(rows: dict[int, M], pk: int | None) -> M | None:
    return rows.get(pk) if pk else None


def _name(
    configuration: Configuration | None, orchestration: Orchestration | None, design: TaskDesign
) -> str:
    target = configuration or orchestration
    if target is not None:
        return target.name
    kind = "configuration" if design.get("configuration") else "orchestration"
    return f"Deleted {kind} {design.get(kind)}"


def _left_out(run: Run, tasks: list[TaskRun]) -> dict[str, str]:
    """Return the reason for each task, by key, that this run does not run."""
    if run.selected is None:
        return {task.key: INACTIVE for task in tasks if not task.design["is_active"]}
    kept = _kept(run.retry_of) if run.retry_of else {}
    return {
        task.key: kept.get(task.key, NOT_SELECTED) for task in tasks if task.key not in run.selected
    }


def _kept(old: Run) -> dict[str, str]:
    """Return, by key, what an earlier run had done, or had itself kept from one before."""
    done = {}
    for key, status, reason in old.task_runs.values_list("key", "status", "reason"):
        if status in {TaskStatus.SUCCESS, TaskStatus.WARNING}:
            done[key] = f"{KEPT} {old.pk}."
        elif status == TaskStatus.SKIPPED and reason.startswith(KEPT):
            done[key] = reason
    return done
