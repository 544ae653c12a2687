"""The critical path of a run: the tasks that decided how long it took. Pure, over plain data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TimedTask:
    """When one task began and ended; None in `ended` means that it goes on."""

    id: int
    started: datetime
    ended: datetime | None


@dataclass(frozen=True)
class TimedPhase:
    """One phase; `depends_on` holds the keys of the phases it waits for."""

    key: str
    depends_on: tuple[str, ...]
    tasks: tuple[TimedTask, ...]  # those that have begun


def critical_path(phases: Sequence[TimedPhase], *, now: datetime) -> list[int]:
    """Return the ids of the tasks on the critical path, in order of time.

    From the task that ended last one goes back: to the one that ended last in the phases that its
    phase waited for, and so on. Any of them ending sooner would have let the run end sooner.
    """
    by_key = {phase.key: phase for phase in phases}
    last = {phase.key: _last(phase.tasks, now) for phase in phases}
    found: list[int] = []
    seen: set[str] = set()
    keys: Iterable[str] = by_key
    while True:
        begun = [(key, task) for key in keys if key not in seen and (task := last.get(key))]
        if not begun:
            return found[::-1]
        key, task = max(begun, key=lambda pair: pair[1].ended or now)
        found.append(task.id)
        seen.add(key)
        keys = _waited_for(by_key[key], by_key, last)


def _last(tasks: Iterable[TimedTask], now: datetime) -> TimedTask | None:
    return max(tasks, key=lambda task: task.ended or now, default=None)


def _waited_for(
    phase: TimedPhase, by_key: dict[str, TimedPhase], last: dict[str, TimedTask | None]
) -> set[str]:
    """Return the phases with tasks that a phase waited for; one of which nothing ran is passed."""
    found: set[str] = set()
    left, seen = list(phase.depends_on), set[str]()
    while left:
        key = left.pop()
        if key in seen or key not in by_key:
            continue
        seen.add(key)
        if last[key] is None:
            left += by_key[key].depends_on
        else:
            found.add(key)
    return found
