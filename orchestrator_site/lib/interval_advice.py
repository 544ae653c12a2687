"""Where a cron step is not the interval that it looks like: what it does, and what to take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator_site.lib.cron_expression import Cron
from orchestrator_site.lib.every import Every, Unit

STEP = re.compile(r"(?:\*|0|0-59|0-23|1|1-31)/(\d+)", re.ASCII)
HOUR, DAY = 60, 24
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
    minute, hour, day, _, _ = cron.fields
    if step := _uneven(minute, HOUR):
        rest = HOUR - cron.minutes[-1]
        text = (
            f"Cron begins anew at each full hour: after minute {cron.minutes[-1]} "
            f"it waits {rest} min, not {step}."
        )
        return IntervalAdvice(text, step, "minutes")
    if step := _uneven(hour, DAY):
        rest = DAY - cron.hours[-1] + cron.hours[0]
        text = (
            f"Cron begins anew at each midnight: after {cron.hours[-1]:02} o'clock "
            f"it waits {rest} hr, not {step}."
        )
        return IntervalAdvice(text, step, "hours")
    if (match := STEP.fullmatch(day)) and int(match[1]) > 1 and len(cron.days) > 1:
        step = int(match[1])
        text = (
            f"Cron begins anew on the 1st of each month: days {_listed(cron)}, so that the last "
            f"day of one month and the 1st of the next are not {step} days apart."
        )
        return IntervalAdvice(text, step, "days")
    return None


def _uneven(field: str, size: int) -> int:
    """Return the step of a field where it does not divide the field's size; else 0."""
    match = STEP.fullmatch(field)
    step = int(match[1]) if match else 0
    return step if 1 < step < size and size % step else 0


def _listed(cron: Cron) -> str:
    days = sorted(day for day in cron.days if day > 0)
    return f"{', '.join(map(str, days[:3]))} … {days[-1]}"
