"""The custom-schedule picker: a period and its fields, to a cron expression and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from orchestrator_site.lib import cron
from orchestrator_site.lib.cron_words import MONTH_NAMES, WEEKDAY_NAMES

Period = Literal["hour", "day", "week", "month", "year"]
Field = Literal["minutes", "hours", "days", "months", "weekdays"]

PERIODS: tuple[Period, ...] = get_args(Period)
PERIOD_CHOICES: tuple[tuple[Period, str], ...] = tuple(
    (name, name.capitalize()) for name in PERIODS
)

FIELDS_OF: dict[Period, tuple[Field, ...]] = {
    "hour": ("minutes",),
    "day": ("hours", "minutes"),
    "week": ("weekdays", "hours", "minutes"),
    "month": ("days", "hours", "minutes"),
    "year": ("days", "months", "hours", "minutes"),
}
"""The fields of each period, in the order in which they are shown."""

PLACEHOLDERS: dict[Field, str] = {
    "minutes": "-- Every Minute --",
    "hours": "-- Every Hour --",
    "weekdays": "-- Every Week Day --",
    "days": "-- Every Day --",
    "months": "-- Every Month --",
}

# Sunday is 0 as in cron, but listed last: a week begins on Monday here.
_MONDAY_FIRST = (1, 2, 3, 4, 5, 6, 0)
CHOICES: dict[Field, tuple[tuple[int, str], ...]] = {
    "minutes": tuple((minute, f"{minute:02}") for minute in range(60)),
    "hours": tuple((hour, f"{hour:02}") for hour in range(24)),
    "weekdays": tuple((day, WEEKDAY_NAMES[day]) for day in _MONDAY_FIRST),
    "days": tuple((day, str(day)) for day in range(1, 32)),
    "months": tuple(enumerate(MONTH_NAMES, 1)),
}
"""(value, label) of every choice, in the order of the list."""

_ORDER: tuple[Field, ...] = ("minutes", "hours", "days", "months", "weekdays")


@dataclass(frozen=True)
class Picked:
    """What is chosen in the picker; an empty tuple means every one."""

    period: Period
    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()


DEFAULT = Picked("day", minutes=(0,), hours=(0,))


def to_cron(picked: Picked) -> str:
    """Return the expression of what is chosen; fields that the period lacks are left out.

    Values are sorted and written as lists. Raises CronError, also for a date that never comes.
    """
    kept = with_period(picked, picked.period)
    return cron.parse(" ".join(_written(getattr(kept, name)) for name in _ORDER)).text


def from_cron(expression: str) -> Picked | None:
    """Return what shows this expression in the picker, steps and ranges as their values.

    None if the picker cannot show it: last days, counted weekdays, day together with weekday, and
    steps that follow the clock through its changes where a list of times would not.
    Raises CronError.
    """
    rule = cron.parse_cron(expression)
    if rule is None:
        return None
    if any(isinstance(day, tuple) for day in rule.weekdays) or min(rule.days) < 1:
        return None
    values = (rule.minutes, rule.hours, rule.days, rule.months, rule.weekdays)
    chosen: dict[Field, tuple[int, ...]] = {
        name: _chosen(text, set(found), name)
        for name, text, found in zip(_ORDER, rule.fields, values, strict=True)
    }
    if chosen["weekdays"] and (chosen["days"] or chosen["months"]):
        return None
    picked = Picked(_period(chosen), **chosen)
    # The proof of showing it truly: written again, it has to fire at the same moments.
    return picked if cron.parse(to_cron(picked)).fires_like(rule) else None


def with_period(picked: Picked, period: Period) -> Picked:
    """Return the choice under another period, without the fields that this one lacks."""
    lacking = {name: () for name in _ORDER if name not in FIELDS_OF[period]}
    return replace(picked, period=period, **lacking)


def _written(values: tuple[int, ...]) -> str:
    return ",".join(str(value) for value in sorted(set(values))) or "*"


def _chosen(text: str, values: set[object], name: Field) -> tuple[int, ...]:
    if text == "*":
        return ()
    return tuple(sorted(value for value, _ in CHOICES[name] if value in values))


def _period(chosen: dict[Field, tuple[int, ...]]) -> Period:
    """Infer the period from the widest field in use, as the dialog always did."""
    for name, period in _PERIOD_BY_FIELD:
        if chosen[name]:
            return period
    return "hour"


_PERIOD_BY_FIELD: tuple[tuple[Field, Period], ...] = (
    ("months", "year"),
    ("days", "month"),
    ("weekdays", "week"),
    ("hours", "day"),
)
