from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrations.insights.progress import Forecast, PhaseTime, forecast, remaining

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def phase(key: str, depends_on: str, usual: float | None, **fields: float | bool) -> PhaseTime:
    return PhaseTime(key, tuple(depends_on), usual, **fields)  # type: ignore[arg-type]  # by name


CASES = {
    "nothing": ([], 0),
    "all of a chain": ([phase("a", "", 10), phase("b", "a", 20)], 30),
    "a phase that runs": ([phase("a", "", 10, elapsed=4), phase("b", "a", 20)], 26),
    "a phase that takes longer": ([phase("a", "", 10, elapsed=40), phase("b", "a", 20)], 20),
    "a phase that has ended": ([phase("a", "", 10, is_ended=True), phase("b", "a", 20)], 20),
    "the longer of two branches": (
        [phase("a", "", 10), phase("b", "", 25), phase("c", "ab", 5)],
        30,
    ),
    "listed before what it waits for": ([phase("b", "a", 20), phase("a", "", 10)], 30),
    "a circle": ([phase("a", "b", 10), phase("b", "a", 10)], 0),
    "a phase that is not there": ([phase("a", "x", 10)], 10),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_left(name: str) -> None:
    phases, seconds = CASES[name]
    assert remaining(phases) == seconds


def test_a_forecast_by_phases() -> None:
    phases = [phase("a", "", 10, is_ended=True), phase("b", "a", 20, elapsed=5)]
    found = forecast(now=NOW, started=NOW - timedelta(seconds=15), usual=30, phases=phases)
    assert found == Forecast(30, 15, NOW + timedelta(seconds=15))


def test_a_forecast_without_knowing_the_phases_counts_the_whole() -> None:
    phases = [phase("a", "", 10), phase("b", "a", None)]
    found = forecast(now=NOW, started=NOW - timedelta(seconds=12), usual=30, phases=phases)
    assert (found.left, found.over) == (18, 0)


def test_a_run_that_takes_longer_than_usual() -> None:
    found = forecast(now=NOW, started=NOW - timedelta(seconds=50), usual=30, phases=[])
    assert (found.left, found.over, found.ready_at) == (0, 20, NOW)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (3, "a few seconds"),
        (44, "40 sec"),
        (95, "2 min"),
        (599, "10 min"),
        (3725, "1 hr 2 min"),
    ],
)
def test_what_is_left_is_not_said_too_exactly(left: float, words: str) -> None:
    assert Forecast(100, left, NOW).left_in_words == words
