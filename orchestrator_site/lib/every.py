"""Anchored intervals: “@every 7 minutes from 2026-11-26 10:00”, what cron cannot say.

Minutes and hours are counted in real time, so that a clock change makes no distance longer or
shorter; days and weeks by the wall clock, so that the time of day stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from orchestrator_site.lib.cron_expression import SHOWN_LENGTH, CronError

Unit = Literal["minutes", "hours", "days", "weeks"]
MACRO = "@EVERY"
STEP: dict[Unit, timedelta] = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}
LONGEST = timedelta(days=366)
FIRST_YEAR, LAST_YEAR = 1970, 2999
HELP = "write it as @every 7 minutes from 2026-11-26 10:00"
_FORM = re.compile(
    r"@EVERY (\d{1,6}) ?(MINUTE|HOUR|DAY|WEEK)S? FROM (\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})",
    re.ASCII,
)


@dataclass(frozen=True)
class Every:
    """A checked interval; `anchor` is the wall-clock time (naive) from which it is counted."""

    count: int
    unit: Unit
    anchor: datetime
    follows_clock: bool = False

    @property
    def text(self) -> str:
        """How it is written: the normal form."""
        unit = self.unit if self.count > 1 else self.unit[:-1]
        return f"@every {self.count} {unit} from {self.anchor:%Y-%m-%d %H:%M}"

    @property
    def step(self) -> timedelta:
        """The distance of two moments: in real time for minutes and hours, on the wall else."""
        return self.count * STEP[self.unit]

    @property
    def is_real_time(self) -> bool:
        """Counted in real time, not by the wall clock."""
        return self.unit in {"minutes", "hours"}

    def fires_like(self, other: object) -> bool:
        """Tell whether both fire at the same moments in every zone."""
        return self == other

    def next_wall(self, wall: datetime) -> datetime | None:
        """Return the first named wall-clock time at or after `wall` (both naive)."""
        steps = max(-((self.anchor - wall) // self.step), 0)
        try:
            return self.anchor + steps * self.step
        except OverflowError:
            return None


def parse_every(text: str) -> Every:
    """Read an interval; raises CronError with the reason."""
    match = _FORM.fullmatch(" ".join(text.upper().split()))
    if match is None:
        shown = text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
        raise CronError(f"“{shown}” cannot be read, {HELP}.", "expression")
    count, word, day, time = match.groups()
    unit = next(unit for unit in STEP if unit.startswith(word.lower()))
    if not timedelta() < int(count) * STEP[unit] <= LONGEST:
        text = f"Every {int(count)} {unit} is not possible, use more than 0 and up to 366 days."
        raise CronError(text, "expression")
    try:
        anchor = datetime.fromisoformat(f"{day} {time}")
    except ValueError:
        raise CronError(f"“{day} {time}” is not a date and time, {HELP}.", "expression") from None
    if not FIRST_YEAR <= anchor.year <= LAST_YEAR:
        raise CronError(f"Count from a year between {FIRST_YEAR} and {LAST_YEAR}.", "expression")
    return Every(int(count), unit, anchor)
