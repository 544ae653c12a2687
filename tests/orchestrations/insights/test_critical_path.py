from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrations.insights.critical_path import TimedPhase, TimedTask, critical_path

T0 = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOW = T0 + timedelta(seconds=100)


def task(pk: int, start: float, end: float | None) -> TimedTask:
    ended = None if end is None else T0 + timedelta(seconds=end)
    return TimedTask(pk, T0 + timedelta(seconds=start), ended)


def phase(key: str, depends_on: str, *tasks: TimedTask) -> TimedPhase:
    return TimedPhase(key, tuple(depends_on), tasks)


CASES = {
    "nothing has begun": ([phase("a", "")], []),
    "the slowest of each phase": (
        [
            phase("a", "", task(1, 0, 9), task(2, 0, 5)),
            phase("b", "a", task(3, 9, 10), task(4, 9, 20)),
        ],
        [1, 4],
    ),
    "the slower of two branches": (
        [
            phase("a", "", task(1, 0, 3)),
            phase("b", "a", task(2, 3, 4)),
            phase("c", "a", task(3, 3, 8)),
            phase("d", "bc", task(4, 8, 9)),
        ],
        [1, 3, 4],
    ),
    "a branch nothing waits for": (
        [phase("a", "", task(1, 0, 3)), phase("b", "", task(2, 0, 30))],
        [2],
    ),
    "a phase of which nothing ran is passed": (
        [phase("a", "", task(1, 0, 3)), phase("b", "a"), phase("c", "b", task(3, 3, 4))],
        [1, 3],
    ),
    "what goes on ends now at the earliest": (
        [
            phase("a", "", task(1, 0, 3)),
            phase("b", "a", task(2, 3, None)),
            phase("c", "a", task(3, 3, 99)),
        ],
        [1, 2],
    ),
    "a circle ends": ([phase("a", "b", task(1, 0, 3)), phase("b", "a", task(2, 3, 4))], [1, 2]),
    "a phase that is not there": ([phase("a", "x", task(1, 0, 3))], [1]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_critical_path(name: str) -> None:
    phases, path = CASES[name]
    assert critical_path(phases, now=NOW) == path
