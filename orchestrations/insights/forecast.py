"""What coming starts will become: the rules of running replayed with usual durations. Pure.

An orchestration runs one run at a time; a start that meets an unfinished one follows its overlap
policy; no more runs process at once than the installation's limit. Each run counts as one.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from orchestrations.enums import Overlap

# Of one that never ran: shown, and never in the way of others for long.
UNKNOWN = timedelta(minutes=1)


class Fate(StrEnum):
    """What becomes of a coming start."""

    RUNS = "runs"
    WAITS = "waits"
    SKIPPED = "skipped"
    ENDED = "ended"  # runs, and is terminated by a later one


@dataclass(frozen=True)
class Usual:
    """How long runs of an orchestration take: in half of the cases, and in nine of ten."""

    p50: timedelta = UNKNOWN
    p90: timedelta = UNKNOWN


@dataclass(frozen=True)
class Start:
    """One coming start: when, of what, by which schedule, and what it does when one is running."""

    at: datetime
    orchestration: int
    schedule: int
    overlap: Overlap = Overlap.QUEUE_ONE


@dataclass(frozen=True)
class Running:
    """A run that is unfinished now, and when it will probably end."""

    orchestration: int
    ends_at: datetime


@dataclass(frozen=True)
class Expected:
    """One start and what will probably become of it; `begins_at` None where it is skipped.

    `ends_at` is when it has ended in half of the cases, `late_at` in nine of ten.
    """

    start: Start
    fate: Fate
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    late_at: datetime | None = None


@dataclass
class _Run:
    start: Start | None
    orchestration: int
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    is_cut: bool = False


def percentile(durations: Sequence[timedelta], per_cent: int) -> timedelta:
    """Return the nearest-rank percentile of durations, of which there is one at least."""
    rank = -(-len(durations) * per_cent // 100)
    return sorted(durations)[max(rank, 1) - 1]


def replay(
    starts: Iterable[Start],
    usual: Mapping[int, Usual],
    running: Iterable[Running] = (),
    waiting: Iterable[int] = (),
    *,
    now: datetime | None = None,
    limit: int = 10,
) -> list[Expected]:
    """Return what becomes of each start, in the order of their moments.

    `waiting` names the orchestrations of the runs that wait at `now`, the first in line first.
    """
    found = _Replay(usual, limit)
    found.take_over(running, waiting, now)
    return found.play(sorted(starts, key=lambda start: start.at))


class _Replay:
    def __init__(self, usual: Mapping[int, Usual], limit: int) -> None:
        self.usual, self.limit = usual, limit
        self.active: dict[int, _Run] = {}
        self.waiting: dict[int, deque[tuple[int, _Run]]] = defaultdict(deque)
        # The first that waits of each orchestration with nothing active, by when it came.
        self.heads: list[tuple[int, int]] = []
        self.ends: list[tuple[datetime, int, _Run]] = []
        self.count = 0

    def take_over(
        self, running: Iterable[Running], waiting: Iterable[int], now: datetime | None
    ) -> None:
        """Begin with what there is: runs that are active, and those that wait behind them."""
        for each in running:
            if each.orchestration not in self.active:
                run = _Run(None, each.orchestration)
                self._begin(run, each.ends_at, ends_at=each.ends_at)
        for orchestration in waiting:
            self._queue(_Run(None, orchestration))
        if now is not None:
            self._go_on(now)
            self._admit(now)

    def play(self, starts: Sequence[Start]) -> list[Expected]:
        made: list[tuple[Start, _Run | None]] = []
        for start in starts:
            self._go_on(start.at)
            made.append((start, self._arrive(start)))
        self._go_on(None)
        return [self._told(start, run) for start, run in made]

    def _arrive(self, start: Start) -> _Run | None:
        active, waiting = self.active.get(start.orchestration), self.waiting[start.orchestration]
        unfinished = (active is not None) + len(waiting)
        if unfinished and start.overlap == Overlap.SKIP:
            return None
        if unfinished > 1 and start.overlap == Overlap.QUEUE_ONE:
            return None
        if start.overlap == Overlap.TERMINATE:
            waiting.clear()  # runs that never begin
            if active is not None:
                active.is_cut = True
                self._end(active, start.at)
        run = _Run(start, start.orchestration)
        self._queue(run)
        self._admit(start.at)
        return run

    def _queue(self, run: _Run) -> None:
        self.count += 1
        waiting = self.waiting[run.orchestration]
        waiting.append((self.count, run))
        if len(waiting) == 1:
            self._offer(run.orchestration)

    def _offer(self, orchestration: int) -> None:
        """Let the first that waits of an orchestration stand in line where nothing is active."""
        waiting = self.waiting[orchestration]
        if waiting and orchestration not in self.active:
            heapq.heappush(self.heads, (waiting[0][0], orchestration))

    def _go_on(self, until: datetime | None) -> None:
        """End all runs that end up to `until`, and let those begin that waited for them."""
        while self.ends and (until is None or self.ends[0][0] <= until):
            at, _, run = heapq.heappop(self.ends)
            if not run.is_cut:
                self._end(run, at)
                self._admit(at)

    def _admit(self, now: datetime) -> None:
        while self.heads and len(self.active) < self.limit:
            number, orchestration = heapq.heappop(self.heads)
            waiting = self.waiting[orchestration]
            # Else it was terminated while it stood in line.
            if waiting and waiting[0][0] == number:
                self._begin(waiting.popleft()[1], now)

    def _begin(self, run: _Run, now: datetime, *, ends_at: datetime | None = None) -> None:
        run.begins_at = now
        run.ends_at = ends_at or now + self.usual.get(run.orchestration, Usual()).p50
        self.active[run.orchestration] = run
        self.count += 1
        heapq.heappush(self.ends, (run.ends_at, self.count, run))

    def _end(self, run: _Run, at: datetime) -> None:
        run.ends_at = at
        self.active.pop(run.orchestration, None)
        self._offer(run.orchestration)

    def _told(self, start: Start, run: _Run | None) -> Expected:
        if run is None or run.begins_at is None or run.ends_at is None:
            return Expected(start, Fate.SKIPPED)
        if run.is_cut:
            return Expected(start, Fate.ENDED, run.begins_at, run.ends_at, run.ends_at)
        late = run.begins_at + self.usual.get(run.orchestration, Usual()).p90
        fate = Fate.RUNS if run.begins_at == start.at else Fate.WAITS
        return Expected(start, fate, run.begins_at, run.ends_at, max(late, run.ends_at))
