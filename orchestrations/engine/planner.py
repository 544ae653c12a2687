"""What a run does next: a pure function over plain data, so that it can be read as a table.

The rules are those of "Rules of running" 1: phases wait for the phases they depend on (by default
for the one before), the tasks of a phase run side by side, and a task that does not succeed and
does not continue on failure stops whatever depends on its phase, once that phase has ended. A
warning is not a success.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orchestrations.enums import FINISHED_TASK, RunStatus, TaskStatus

T = TaskStatus
STOPPED = frozenset({T.TERMINATED, T.CANCELLED})
BROKEN = frozenset({T.ERROR, T.WARNING}) | STOPPED
WARNED = "ended with a warning"
ENDLESS = "Its phases wait for each other."


@dataclass(frozen=True)
class TaskState:
    """One task as it stands.

    `not_before` is set while its delay or its pause before a retry runs; None means it has begun,
    ended, or may begin at once.
    """

    id: int
    name: str
    status: TaskStatus
    continue_on_failure: bool = False
    not_before: datetime | None = None
    delay: int = 0  # seconds
    reason: str = ""


@dataclass(frozen=True)
class PhaseState:
    """One phase; `depends_on` holds the keys of the phases it waits for."""

    key: str
    depends_on: tuple[str, ...] = ()
    tasks: tuple[TaskState, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What to do now; `outcome` is the run's status once all of it is done, None while it goes on.

    `skip` maps a reason to ids of tasks.
    """

    start: tuple[int, ...] = ()
    delay: tuple[int, ...] = ()
    skip: dict[str, tuple[int, ...]] = field(default_factory=dict)
    outcome: RunStatus | None = None
    reason: str = ""


def in_order(phases: Sequence[tuple[str, Sequence[str] | None]]) -> list[tuple[str, ...]]:
    """Return what each phase waits for, where None means: for the phase before it.

    Keys of phases that are not there are left out.
    """
    keys = [key for key, _ in phases]
    known = set(keys)
    return [
        tuple(dict.fromkeys(k for k in depends if k in known))
        if depends is not None
        else tuple(keys[max(i - 1, 0) : i])
        for i, (_, depends) in enumerate(phases)
    ]


def plan_next(phases: Sequence[PhaseState], *, now: datetime) -> Plan:
    """Decide what starts, what is skipped, and whether the run has ended."""
    start: list[int] = []
    delay: list[int] = []
    skip: dict[str, tuple[int, ...]] = {}
    complete: set[str] = set()
    stopped: dict[str, str] = {}  # phase key -> why what depends on it is skipped
    ordered, endless = sort_phases(phases)
    for phase in ordered:
        cause = next((stopped[key] for key in phase.depends_on if key in stopped), None)
        if cause is not None:
            stopped[phase.key] = cause
            _add(skip, cause, phase)
        elif all(key in complete for key in phase.depends_on):
            start += [t.id for t in phase.tasks if _may_start(t, now)]
            delay += [t.id for t in phase.tasks if t.status == T.CREATED and t.delay]
            if all(t.status in FINISHED_TASK for t in phase.tasks):
                complete.add(phase.key)
                _mark_stopped(stopped, phase)
    for phase in endless:
        _add(skip, ENDLESS, phase)
    skipped = {i for ids in skip.values() for i in ids}
    tasks = [t for phase in phases for t in phase.tasks if t.id not in skipped]
    if any(t.status not in FINISHED_TASK for t in tasks):
        return Plan(tuple(start), tuple(delay), skip)
    outcome, reason = outcome_of(tasks, endless=bool(endless))
    return Plan(skip=skip, outcome=outcome, reason=reason)


def sort_phases(phases: Sequence[PhaseState]) -> tuple[list[PhaseState], list[PhaseState]]:
    """Return the phases so that each comes after those it waits for, and those in a circle."""
    left = list(phases)
    ordered: list[PhaseState] = []
    done: set[str] = set()
    while ready := [p for p in left if done.issuperset(p.depends_on)]:
        ordered += ready
        done |= {p.key for p in ready}
        left = [p for p in left if p.key not in done]
    return ordered, left


def outcome_of(tasks: Iterable[TaskState], *, endless: bool = False) -> tuple[RunStatus, str]:
    """Return how a run of these ended tasks ended, with the sentence that says why.

    A task that a person stopped is no failure: the run is Terminated, unless another one failed.
    """
    if endless:
        return RunStatus.ERROR, ENDLESS
    broken = [t for t in tasks if t.status in BROKEN]
    stopping = [t for t in broken if not t.continue_on_failure]
    went_on = ", and the run went on"
    for status, found, what in (
        (RunStatus.ERROR, _those(stopping, T.ERROR), "failed"),
        (RunStatus.ERROR, _those(stopping, T.WARNING), WARNED),
        (RunStatus.TERMINATED, stopping, "was terminated"),
        (RunStatus.WARNING, _those(broken, T.ERROR), f"failed{went_on}"),
        (RunStatus.WARNING, _those(broken, *STOPPED), f"was terminated{went_on}"),
        (RunStatus.WARNING, broken, WARNED),
    ):
        if found:
            return status, _sentence(found, what)
    return RunStatus.SUCCESS, ""


def _those(tasks: Iterable[TaskState], *statuses: TaskStatus) -> list[TaskState]:
    return [task for task in tasks if task.status in statuses]


def _may_start(task: TaskState, now: datetime) -> bool:
    if task.status == T.CREATED:
        return not task.delay
    return task.status == T.WAITING and task.not_before is not None and task.not_before <= now


def _mark_stopped(stopped: dict[str, str], phase: PhaseState) -> None:
    for task in phase.tasks:
        if task.status in BROKEN and not task.continue_on_failure:
            verb = {T.ERROR: "failed", T.WARNING: WARNED}.get(task.status, "was terminated")
            stopped[phase.key] = f"“{task.name}” {verb} before it."
            return


def _add(skip: dict[str, tuple[int, ...]], reason: str, phase: PhaseState) -> None:
    ids = tuple(t.id for t in phase.tasks if t.status == T.CREATED)
    if ids:
        skip[reason] = (*skip.get(reason, ()), *ids)


def _sentence(tasks: Sequence[TaskState], what: str) -> str:
    more = f" (and {len(tasks) - 1} more)" if len(tasks) > 1 else ""
    why = f": {tasks[0].reason.rstrip('.')}" if tasks[0].reason else ""
    return f"“{tasks[0].name}” {what}{more}{why}."
