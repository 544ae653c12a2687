"""How long a run will take, by what its orchestration's runs usually take. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator_site.lib.durations import humanize

MINUTE = 60
EXACT_BELOW = 10 * MINUTE
SOON = 10


@dataclass(frozen=True)
class PhaseTime:
    """One phase of an unfinished run: its usual time, None where it was never seen, and how far."""

    key: str
    depends_on: tuple[str, ...]
    usual: float | None  # seconds
    elapsed: float = 0.0  # seconds since its first task began
    is_ended: bool = False


@dataclass(frozen=True)
class Forecast:
    """When an unfinished run will have ended; `over` is what it took more than usual already."""

    usual: float  # seconds
    left: float  # seconds
    ready_at: datetime
    over: float = 0.0

    @property
    def left_in_words(self) -> str:
        """Return what is left, no more exact than can be known."""
        if self.left < SOON:
            return "a few seconds"
        if self.left < MINUTE:
            return f"{round(self.left, -1):.0f} sec"
        if self.left < EXACT_BELOW:
            return f"{round(self.left / MINUTE)} min"
        return humanize(round(self.left / MINUTE) * MINUTE)


def forecast(
    *, now: datetime, started: datetime, usual: float, phases: Sequence[PhaseTime]
) -> Forecast:
    """Return when a run that has begun will end.

    Where the phases' usual times are known, they count: what is left is the longest way through
    the phases that have not ended, so that a run which skips the slow half is not said to need it.
    """
    elapsed = (now - started).total_seconds()
    known = all(phase.usual is not None for phase in phases if not phase.is_ended)
    left = remaining(phases) if phases and known else max(usual - elapsed, 0.0)
    return Forecast(usual, left, now + timedelta(seconds=left), max(elapsed - usual, 0.0))


def remaining(phases: Sequence[PhaseTime]) -> float:
    """Return the seconds of the longest way through what is left, by usual times."""
    by_key = {phase.key: phase for phase in phases}
    needed: dict[str, float] = {}
    left = list(phases)
    while left:
        ready = [p for p in left if all(k in needed or k not in by_key for k in p.depends_on)]
        if not ready:  # a circle: nothing in it will ever run
            break
        for phase in ready:
            before = max((needed[k] for k in phase.depends_on if k in needed), default=0.0)
            needed[phase.key] = before + _left(phase)
        left = [phase for phase in left if phase.key not in needed]
    return max(needed.values(), default=0.0)


def _left(phase: PhaseTime) -> float:
    return 0.0 if phase.is_ended else max((phase.usual or 0.0) - phase.elapsed, 0.0)
