"""Where a cron step is not the interval that it looks like: what it does, and what to take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator_site.lib.cron_expression import Cron
from orchestrator_site.lib.cron_words import SHORTEST_RUN
from orchestrator_site.lib.every import Every, Unit

STEP = re.compile(r"(?:\*|0|0-59|0-23|1|1-31)/(\d+)", re.ASCII)
HOUR, DAY, MONTH = 60, 24, 31
ROUND = timedelta(minutes=5)


@dataclass(frozen=True)
class IntervalAdvice:
    """What an expression does that looks like an interval, and the interval that it looks like."""

    text: str
    count: int
    unit: Unit

    def every(self, now: datetime) -> Every:
        """Return the interval, counted from the next round five minutes after `now` (naive)."""
        later = now.replace(second=0, microsecond=0) + ROUND
        return Every(self.count, self.unit, later - timedelta(minutes=later.minute % 5))


def interval_advice(cron: Cron) -> IntervalAdvice | None:
    """Return what is to be said of a step that does not divide its field; None for the others."""
    minute, hour, day, _, weekday = cron.fields
    if step := _uneven(minute, cron.minutes, HOUR):
        rest = HOUR - cron.minutes[-1]
        text = (
            f"Cron begins anew at each full hour: after minute {cron.minutes[-1]} "
            f"it waits {rest} min, not {step}."
        )
        return IntervalAdvice(text, step, "minutes")
    if step := _uneven(hour, cron.hours, DAY):
        rest = DAY - cron.hours[-1] + cron.hours[0]
        text = (
            f"Cron begins anew at each midnight: after {cron.hours[-1]:02} o'clock "
            f"it waits {rest} hr, not {step}."
        )
        return IntervalAdvice(text, step, "hours")
    days = sorted(day for day in cron.days if day > 0)
    # Beside days of the week no interval says the same.
    if weekday == "*" and (step := _step(day, days, 1, MONTH)) > 1:
        which = f"days {_listed(days)}" if len(days) > 1 else "only then"
        text = (
            f"Cron begins anew on the 1st of each month: {which}, so that the last "
            f"day of one month and the 1st of the next are not {step} days apart."
        )
        return IntervalAdvice(text, step, "days")
    return None


def _uneven(field: str, values: Sequence[int], size: int) -> int:
    """Return the step of a field where it does not divide the field's size; else 0."""
    step = _step(field, values, 0, size - 1)
    return step if step > 1 and size % step else 0


def _step(field: str, values: Sequence[int], first: int, last: int) -> int:
    """Return the step that a field says, or that its values have from first to last; else 0."""
    if match := STEP.fullmatch(field):
        return int(match[1])
    step = values[1] - values[0] if len(values) >= SHORTEST_RUN else 0
    return step if step and list(values) == list(range(first, last + 1, step)) else 0


def _listed(days: Sequence[int]) -> str:
    return f"{', '.join(map(str, days[:3]))} … {days[-1]}"
