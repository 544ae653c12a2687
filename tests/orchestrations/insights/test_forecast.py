"""Coming starts replayed by the rules of running."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from orchestrations.enums import Overlap
from orchestrations.insights.forecast import Expected, Running, Start, Usual, percentile, replay

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USUAL = {1: Usual(45 * MINUTE, 60 * MINUTE), 2: Usual(10 * MINUTE, 20 * MINUTE)}


def start(minutes: int, overlap: Overlap = Overlap.QUEUE_ONE, *, of: int = 1) -> Start:
    return Start(NOON + minutes * MINUTE, of, of, overlap)


def told(found: list[Expected]) -> list[tuple[str, int | None, int | None]]:
    """What becomes of each, and from when to when in minutes after noon."""

    def minutes(at: datetime | None) -> int | None:
        return None if at is None else (at - NOON) // MINUTE

    return [(e.fate.value, minutes(e.begins_at), minutes(e.ends_at)) for e in found]


HALF_HOURS = [0, 30, 60, 90, 120]
TABLE = [
    (
        Overlap.SKIP,
        [
            ("runs", 0, 45),
            ("skipped", None, None),
            ("runs", 60, 105),
            ("skipped", None, None),
            ("runs", 120, 165),
        ],
    ),
    (
        Overlap.QUEUE_ONE,
        [
            ("runs", 0, 45),
            ("waits", 45, 90),
            ("waits", 90, 135),
            # At 90 the second ends and the third begins at that very moment.
            ("waits", 135, 180),
            ("skipped", None, None),
        ],
    ),
    (
        Overlap.QUEUE_ALL,
        [
            ("runs", 0, 45),
            ("waits", 45, 90),
            ("waits", 90, 135),
            ("waits", 135, 180),
            ("waits", 180, 225),
        ],
    ),
    (
        Overlap.TERMINATE,
        [
            ("ended", 0, 30),
            ("ended", 30, 60),
            ("ended", 60, 90),
            ("ended", 90, 120),
            ("runs", 120, 165),
        ],
    ),
]


@pytest.mark.parametrize(("overlap", "expected"), TABLE)
def test_each_overlap_policy_of_runs_that_are_longer_than_the_time_between(
    overlap: Overlap, expected: list[tuple[str, int | None, int | None]]
) -> None:
    assert told(replay([start(m, overlap) for m in HALF_HOURS], USUAL)) == expected


def test_a_run_that_is_unfinished_now_is_in_the_way() -> None:
    running = [Running(1, NOON + 20 * MINUTE)]
    found = replay([start(10), start(15, Overlap.SKIP), start(70, of=2)], USUAL, running)

    assert told(found) == [("waits", 20, 65), ("skipped", None, None), ("runs", 70, 80)]


def test_the_limit_lets_the_first_that_waits_begin_first() -> None:
    usual = {n: Usual(10 * MINUTE, 10 * MINUTE) for n in range(5)}
    found = replay([start(n, of=n) for n in range(5)], usual, limit=2)

    assert told(found) == [
        ("runs", 0, 10),
        ("runs", 1, 11),
        ("waits", 10, 20),
        ("waits", 11, 21),
        ("waits", 20, 30),
    ]


def test_the_late_end_is_that_of_nine_in_ten() -> None:
    (found,) = replay([start(0)], USUAL)

    assert found.late_at == NOON + 60 * MINUTE


def test_what_never_ran_takes_a_minute() -> None:
    assert told(replay([start(0, of=9)], USUAL)) == [("runs", 0, 1)]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_the_rules_of_running_hold(seed: int) -> None:
    rng = random.Random(seed)
    usual = {n: Usual(rng.randint(1, 90) * MINUTE, 99 * MINUTE) for n in range(6)}
    starts = [
        start(rng.randrange(1440), rng.choice(list(Overlap)), of=rng.randrange(6))
        for _ in range(300)
    ]
    found = replay(starts, usual, limit=3)

    spans = [(e.begins_at, e.ends_at, e) for e in found if e.begins_at and e.ends_at]
    assert len(found) == 300
    for begins, ends, one in spans:
        assert one.start.at <= begins <= ends
        same = [o for b, e, o in spans if o is not one and b < ends and begins < e]
        assert all(o.start.orchestration != one.start.orchestration for o in same)
        at_once = sum(b <= begins < e for b, e, _ in spans)
        assert at_once <= 3


@dataclass
class Row:
    """A run of the replay by hand: minutes after noon."""

    of: int
    begins: int | None = None
    ends: int | None = None
    is_cut: bool = False


class ByHand:
    """The rules of running minute by minute, with nothing but a list."""

    def __init__(self, lengths: dict[int, int], limit: int, rows: list[Row]) -> None:
        self.lengths, self.limit, self.rows = lengths, limit, rows

    def play(self, starts: list[Start]) -> list[tuple[str, int | None, int | None]]:
        made: list[tuple[Start, Row | None]] = []
        for minute in range(6000):
            self.admit(minute)
            for each in [s for s in starts if s.at == NOON + minute * MINUTE]:
                made.append((each, self.arrive(each, minute)))
                self.admit(minute)
        return [self.fate(each, row) for each, row in made]

    def active(self, minute: int) -> list[Row]:
        return [r for r in self.rows if r.begins is not None and (r.ends or 0) > minute]

    def admit(self, minute: int) -> None:
        for row in self.rows:
            active = self.active(minute)
            is_free = len(active) < self.limit and row.of not in {r.of for r in active}
            if row.begins is None and not row.is_cut and is_free:
                row.begins, row.ends = minute, minute + self.lengths[row.of]

    def arrive(self, each: Start, minute: int) -> Row | None:
        waiting = [r for r in self.rows if r.begins is None and not r.is_cut]
        mine = [r for r in (*self.active(minute), *waiting) if r.of == each.orchestration]
        most = {Overlap.SKIP: 0, Overlap.QUEUE_ONE: 1}.get(each.overlap, 10_000)
        if len(mine) > most:
            return None
        if each.overlap == Overlap.TERMINATE:
            for row in mine:
                row.is_cut, row.ends = True, minute
        self.rows.append(Row(each.orchestration))
        return self.rows[-1]

    def fate(self, each: Start, row: Row | None) -> tuple[str, int | None, int | None]:
        if row is None or row.begins is None:
            return "skipped", None, None
        at_once = each.at == NOON + row.begins * MINUTE
        return "ended" if row.is_cut else "runs" if at_once else "waits", row.begins, row.ends


@pytest.mark.parametrize("seed", range(60))
def test_it_is_what_comes_out_by_hand(seed: int) -> None:
    rng = random.Random(seed)
    lengths = {n: rng.randint(1, 60) for n in range(5)}
    # Different moments: what comes in one minute is in no order of its own.
    minutes = sorted(rng.sample(range(1, 600), 80))
    starts = [start(m, rng.choice(list(Overlap)), of=rng.randrange(5)) for m in minutes]
    limit = rng.randint(1, 4)
    running = {n: rng.randint(1, 99) for n in rng.sample(range(5), rng.randint(0, limit))}
    waiting = [rng.randrange(5) for _ in range(rng.randint(0, 6))]

    found = replay(
        starts,
        {n: Usual(length * MINUTE, 99 * MINUTE) for n, length in lengths.items()},
        [Running(of, NOON + ends * MINUTE) for of, ends in running.items()],
        waiting,
        now=NOON,
        limit=limit,
    )

    rows = [Row(of, 0, ends) for of, ends in running.items()] + [Row(of) for of in waiting]
    assert told(found) == ByHand(lengths, limit, rows).play(starts)


@pytest.mark.parametrize(("per_cent", "expected"), [(50, 2), (90, 4), (1, 1), (100, 4)])
def test_the_percentile_is_the_nearest_rank(per_cent: int, expected: int) -> None:
    assert percentile([n * MINUTE for n in (4, 1, 3, 2)], per_cent) == expected * MINUTE
