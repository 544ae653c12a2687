from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator_site.lib.rate_limit import PERIOD, Limiter, Verdict, judge

NOON = 1_000_000 * PERIOD  # the beginning of a window


class Shared:
    """Counts that several processes share, and how often they were asked for."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, int]] = Counter()
        self.told: list[int] = []
        self.lock = threading.Lock()

    def add(self, key: str, window: int, count: int) -> tuple[int, int]:
        with self.lock:
            self.told.append(count)
            self.counts[key, window] += count
            return self.counts[key, window - 1], self.counts[key, window]


class Clock:
    def __init__(self) -> None:
        self.now = float(NOON)

    def __call__(self) -> float:
        return self.now


def allowed(limiter: Limiter, times: int, limit: int, key: str = "a") -> int:
    return sum(limiter.hit(key, limit).is_allowed for _ in range(times))


@pytest.mark.parametrize(
    ("before", "current", "elapsed", "verdict"),
    [
        (0, 0, 0, Verdict(10, 9, 60)),
        (0, 9, 59.5, Verdict(10, 0, 1)),
        (0, 10, 0, Verdict(10, 0, 60, 66)),  # in the next window 9 of 10 lie behind after 6 s
        (10, 0, 0, Verdict(10, 0, 60, 6)),
        (10, 0, 6, Verdict(10, 0, 54)),
        (10, 0, 30, Verdict(10, 4, 30)),
        (10, 5, 30, Verdict(10, 0, 30, 6)),
        (10, 10, 30, Verdict(10, 0, 30, 36)),
        (0, 1, 0, Verdict(1, 0, 60, 120)),
    ],
)
def test_the_window_before_weighs_what_is_left_of_it(
    before: int, current: int, elapsed: float, verdict: Verdict
) -> None:
    limit = verdict.limit
    assert judge(limit, before, current, NOON + elapsed) == verdict


@pytest.mark.parametrize("limit", [1, 2, 7, 600])
def test_who_waits_as_long_as_told_may_call_and_a_second_before_may_not(limit: int) -> None:
    clock = Clock()
    limiter = Limiter(Shared(), clock)
    for _ in range(200):
        verdict = limiter.hit("a", limit)
        if verdict.is_allowed:
            clock.now += 0.01
            continue
        clock.now += verdict.retry_after - 1.01
        assert not limiter.hit("a", limit).is_allowed
        clock.now += 1.01
        assert limiter.hit("a", limit).is_allowed


def test_no_sixty_seconds_hold_many_more_than_the_limit() -> None:
    clock, times = Clock(), []
    limiter = Limiter(Shared(), clock)
    while clock.now < NOON + 10 * PERIOD:
        if limiter.hit("a", 30).is_allowed:
            times.append(clock.now)
        clock.now += 0.25
    busiest = max(sum(t <= u < t + PERIOD for u in times) for t in times)
    assert busiest <= 33
    assert len(times) >= 10 * 29


def test_keys_do_not_count_for_each_other() -> None:
    limiter = Limiter(Shared(), Clock())
    assert [allowed(limiter, 5, 3, key) for key in ("a", "b")] == [3, 3]


def test_threads_get_exactly_the_limit() -> None:
    limiter = Limiter(Shared(), Clock())
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda _: limiter.hit("a", 500).is_allowed, range(1000)))
    assert sum(verdicts) == 500


def test_processes_let_at_most_a_batch_each_through_too_many() -> None:
    shared, clock = Shared(), Clock()
    processes = [Limiter(shared, clock) for _ in range(4)]
    through = sum(allowed(process, 1, 600) for _ in range(1000) for process in processes)
    assert 600 <= through <= 600 + 4 * 12


def test_a_new_process_knows_what_the_others_counted() -> None:
    shared, clock = Shared(), Clock()
    assert allowed(Limiter(shared, clock), 100, 50) == 50
    assert allowed(Limiter(shared, clock), 10, 50) == 0
    clock.now += PERIOD
    assert allowed(Limiter(shared, clock), 10, 50) == 0
    clock.now += PERIOD / 2
    assert allowed(Limiter(shared, clock), 100, 50) == 25


def test_the_store_is_told_in_batches() -> None:
    shared = Shared()
    assert allowed(Limiter(shared, Clock()), 36, 600) == 36
    assert shared.told == [0, 12, 12, 12]


def test_what_was_not_told_still_weighs_in_the_next_window() -> None:
    clock = Clock()
    limiter = Limiter(Shared(), clock)
    assert allowed(limiter, 599, 600) == 599
    clock.now += PERIOD
    assert allowed(limiter, 10, 600) == 1


def test_what_matters_is_counted_at_once_and_exactly() -> None:
    shared, clock = Shared(), Clock()
    processes = [Limiter(shared, clock) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(
            pool.map(lambda n: processes[n % 4].hit_at_once("a", 10).is_allowed, range(200))
        )
    assert sum(verdicts) == 10
    refused = Limiter(shared, clock).hit_at_once("a", 10)
    assert (refused.remaining, refused.retry_after > 60) == (0, True)


def test_what_is_taken_back_does_not_count() -> None:
    limiter = Limiter(Shared(), Clock())
    for _ in range(30):
        assert limiter.hit_at_once("a", 3).is_allowed
        limiter.take_back("a")


def test_windows_that_are_over_are_forgotten() -> None:
    clock = Clock()
    limiter = Limiter(Shared(), clock)
    for number in range(10_000):
        limiter.hit(f"k{number}", 5)
    clock.now += PERIOD
    limiter.hit("new", 5)
    assert list(limiter._tallies) == ["new"]  # noqa: SLF001  # what it holds is the point
