"""What the dialogs that start a run show: its tasks by phase, and the runs that come before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from components.models import Configuration
from orchestrations.enums import UNFINISHED_RUN, TaskStatus
from orchestrations.models import Orchestration, OrchestrationVersion, Run, TaskRun
from orchestrations.models.orchestration import Definition, TaskDesign

KEPT_FROM = re.compile(r"Kept from run (\d+)\.")
NOT_SUCCESSFUL = (
    TaskStatus.ERROR,
    TaskStatus.WARNING,
    TaskStatus.TERMINATED,
    TaskStatus.CANCELLED,
)


@dataclass(frozen=True)
class Before:
    """How a task stands in the run that is retried; `kept_from` is the run that has its result."""

    status: TaskStatus
    kept_from: int | None = None


@dataclass(frozen=True)
class TaskChoice:
    """One task that may be chosen; without configuration and orchestration its target is gone."""

    key: str
    name: str
    configuration: Configuration | None
    orchestration: Orchestration | None
    is_active: bool
    before: Before | None = None


@dataclass(frozen=True)
class PhaseChoice:
    """One phase with its tasks in order; `number` counts from 1."""

    number: int
    name: str
    tasks: list[TaskChoice]


@dataclass(frozen=True)
class Queue:
    """The unfinished runs that a new one waits for: the one that is first, and how many in all."""

    first: Run
    count: int

    @property
    def between(self) -> int:
        """How many of them wait themselves."""
        return self.count - 1


def latest_version(orchestration: Orchestration) -> OrchestrationVersion:
    """Return what the next run of an orchestration runs."""
    return OrchestrationVersion.objects.filter(orchestration=orchestration).latest("number")


def choices(
    definition: Definition, before: Mapping[str, Before] | None = None
) -> list[PhaseChoice]:
    """Return the tasks of a version by phase; two queries, however many tasks."""
    designs = [task for phase in definition["phases"] for task in phase["tasks"]]
    configurations = Configuration.objects.select_related("component").in_bulk(
        {d["configuration"] for d in designs if d.get("configuration")}
    )
    orchestrations = Orchestration.objects.in_bulk(
        {d["orchestration"] for d in designs if d.get("orchestration")}
    )

    def choice(design: TaskDesign) -> TaskChoice:
        configuration = configurations.get(design.get("configuration") or 0)
        orchestration = orchestrations.get(design.get("orchestration") or 0)
        target = configuration or orchestration
        return TaskChoice(
            key=design["key"],
            name=target.name if target else "Deleted",
            configuration=configuration,
            orchestration=orchestration,
            is_active=design["is_active"],
            before=(before or {}).get(design["key"]),
        )

    return [
        PhaseChoice(number, phase["name"], [choice(design) for design in phase["tasks"]])
        for number, phase in enumerate(definition["phases"], 1)
    ]


def active_keys(definition: Definition) -> list[str]:
    """Return the keys of the tasks that a run runs where nobody chooses."""
    return [t["key"] for phase in definition["phases"] for t in phase["tasks"] if t["is_active"]]


def queue_before(orchestration: Orchestration) -> Queue | None:
    """Return what a run would wait for if it were started now; None where it begins at once."""
    runs = Run.objects.filter(orchestration=orchestration, status__in=UNFINISHED_RUN)
    unfinished = list(runs.order_by("pk"))
    return Queue(unfinished[0], len(unfinished)) if unfinished else None


def states_before(run: Run) -> dict[str, Before]:
    """Return how each task of an earlier run stands, by key; nothing where it never began."""
    rows = TaskRun.objects.filter(run=run).values_list("key", "status", "reason")
    return {
        key: Before(TaskStatus(status), kept_from(run, status, why)) for key, status, why in rows
    }


def kept_from(run: Run, status: str, reason: str) -> int | None:
    """Return the run whose result of a task stays valid when the task is not run again."""
    if status in {TaskStatus.SUCCESS, TaskStatus.WARNING}:
        return run.pk
    found = KEPT_FROM.fullmatch(reason) if status == TaskStatus.SKIPPED else None
    return int(found[1]) if found else None


def tasks_to_retry(run: Run) -> list[str]:
    """Return the keys of the tasks that a retry runs by default: those failed or not executed.

    A warning of a nested orchestration is no success. Of a run that was cancelled before it began
    nothing was executed: all that it was to run.
    """
    definition: Definition = run.version.definition
    wanted = active_keys(definition) if run.selected is None else run.selected
    states = states_before(run)
    if not states:
        return list(wanted)
    return [
        key
        for key, before in states.items()
        if before.status in NOT_SUCCESSFUL
        or (before.status == TaskStatus.SKIPPED and before.kept_from is None and key in wanted)
    ]
