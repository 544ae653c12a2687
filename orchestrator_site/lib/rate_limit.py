"""How many calls somebody may make in a minute, over all threads, processes and machines.

A sliding window, out of two counts: what was counted in the window before weighs as much as of it
still lies in the last 60 seconds. Each process counts by itself and tells the store after every
`batch` calls: nearly all calls cost microseconds, and n processes let at most n x batch calls
through too many. The first call of a window reads what the others have counted.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from django.http import HttpRequest, HttpResponse

PERIOD = 60  # seconds
MOST_KEYS = 10_000  # that a process remembers before it forgets those of windows that are over


@dataclass(frozen=True)
class Verdict:
    """Whether a call may be made; times are whole seconds from now."""

    limit: int
    remaining: int
    reset: int  # until the window ends
    retry_after: int = 0  # 0 means that it may

    @property
    def is_allowed(self) -> bool:
        """Tell whether the call may be made."""
        return self.retry_after == 0


class Store(Protocol):
    """What all processes share."""

    def add(self, key: str, window: int, count: int) -> tuple[int, int]:
        """Add to a window's count; return the counts of the window before and of this one."""


@dataclass
class Tally:
    """What one process knows of one key in one window."""

    window: int
    before: int  # counted in the window before, by all
    shared: int  # counted in this one, by all, when they were last heard of
    untold: int = 0  # counted here since


def judge(limit: int, before: int, current: int, now: float) -> Verdict:
    """Decide on one more call after so many in the window before and in the present one."""
    elapsed = now % PERIOD
    used = before * (1 - elapsed / PERIOD) + current
    reset = math.ceil(PERIOD - elapsed)
    if used + 1 <= limit:
        return Verdict(limit, math.floor(limit - used - 1), reset)
    if current + 1 <= limit:
        wait = PERIOD * (1 - (limit - 1 - current) / before) - elapsed
    else:
        wait = PERIOD - elapsed + PERIOD * (1 - (limit - 1) / current)
    return Verdict(limit, 0, reset, max(1, math.ceil(wait)))


class Limiter:
    """Counts calls by key; safe for threads."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._tallies: dict[str, Tally] = {}

    def hit(self, key: str, limit: int) -> Verdict:
        """Count a call, unless it may not be made; tells the store now and then."""
        now = self._clock()
        window = int(now // PERIOD)
        if self._is_new(key, window):
            self._begin(key, window)
        batch = max(1, limit // 50)
        with self._lock:
            tally = self._tallies[key]
            verdict = judge(limit, tally.before, tally.shared + tally.untold, now)
            if not verdict.is_allowed:
                return verdict
            tally.untold += 1
            told = tally.untold if tally.untold >= batch else 0
            tally.untold -= told
            tally.shared += told
        if told:
            self._tell(tally, key, told)
        return verdict

    def hit_at_once(self, key: str, limit: int) -> Verdict:
        """Count a call that is rare and matters: all processes know of it before the answer."""
        now = self._clock()
        window = int(now // PERIOD)
        verdict = judge(limit, *self._store.add(key, window, 0), now)
        if verdict.is_allowed:
            before, current = self._store.add(key, window, 1)
            verdict = judge(limit, before, current - 1, now)
        return verdict

    def take_back(self, key: str) -> None:
        """Uncount a call that was counted at once."""
        self._store.add(key, int(self._clock() // PERIOD), -1)

    def forget(self) -> None:
        """Forget what this process has counted."""
        with self._lock:
            self._tallies.clear()

    def _is_new(self, key: str, window: int) -> bool:
        tally = self._tallies.get(key)
        return tally is None or tally.window != window

    def _begin(self, key: str, window: int) -> None:
        before, shared = self._store.add(key, window, 0)
        with self._lock:
            old = self._tallies.get(key)
            if old is not None and old.window == window:
                return  # another thread was first
            if old is not None and old.window == window - 1:
                before = max(before, old.shared + old.untold)
            if len(self._tallies) >= MOST_KEYS:
                self._tallies = {k: t for k, t in self._tallies.items() if t.window == window}
            self._tallies[key] = Tally(window, before, shared)

    def _tell(self, tally: Tally, key: str, count: int) -> None:
        before, shared = self._store.add(key, tally.window, count)
        with self._lock:
            tally.before = max(tally.before, before)
            tally.shared = max(tally.shared, shared)


class RateLimitMiddleware:
    """Say in the headers of a counted call what is left, and after which time to come again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer; whoever counted the call left the verdict at the request."""
        answer = self.get_response(request)
        verdict: Any = getattr(request, "rate_limit", None)
        if isinstance(verdict, Verdict):
            answer["RateLimit-Limit"] = str(verdict.limit)
            answer["RateLimit-Remaining"] = str(verdict.remaining)
            answer["RateLimit-Reset"] = str(verdict.reset)
            if not verdict.is_allowed:
                answer["Retry-After"] = str(verdict.retry_after)
        return answer
