"""Cron expressions: what may be written, and which wall-clock minutes it names.

Zones and clock changes belong to `orchestrator_site.lib.cron`; this module knows the calendar.
"""

from __future__ import annotations

import calendar
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from cronsim import CronSim, CronSimError

FieldName = Literal["minute", "hour", "day", "month", "weekday", "expression"]

# Every value of every field written as a list still fits.
MAX_LENGTH = 500
SHOWN_LENGTH = 24
# Nothing that fires is silent for longer: 29 February on one weekday, over the year 2100, takes 40.
HORIZON_YEARS = 100

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


class CronError(ValueError):
    """The cron expression cannot be used."""

    def __init__(self, message: str, field: FieldName) -> None:
        super().__init__(message)
        self.field: FieldName = field


class _Spec(NamedTuple):
    name: FieldName
    low: int
    high: int
    noun: str
    names: dict[str, int]
    special: re.Pattern[str] | None


_SPECS = (
    _Spec("minute", 0, 59, "a minute", {}, None),
    _Spec("hour", 0, 23, "an hour", {}, None),
    _Spec("day", 1, 31, "a day of the month", {}, re.compile(r"LW?", re.ASCII)),
    _Spec("month", 1, 12, "a month", {name: n for n, name in enumerate(MONTHS, 1)}, None),
    _Spec(
        "weekday",
        0,
        7,
        "a day of the week",
        {name: n for n, name in enumerate(WEEKDAYS)},
        re.compile(r"[0-7]L|[0-7]#[1-5]", re.ASCII),
    ),
)
_TERM = re.compile(r"(?:\*|(\d{1,9}|[A-Z]{3})(?:-(\d{1,9}|[A-Z]{3}))?)(?:/(\d{1,9}))?", re.ASCII)
_WORD = re.compile(r"[A-Z]{3}|\d{1,9}", re.ASCII)


@dataclass(frozen=True)
class Cron:
    """A checked expression; `text` has five fields, numbers for names, and one space between."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    """Days of the month; `CronSim.LAST` and `CronSim.LAST_WEEKDAY` stand for L and LW."""
    months: frozenset[int]
    weekdays: frozenset[int | tuple[int, int]]
    """0 is Sunday; (weekday, n) is the n-th of the month, (weekday, `CronSim.LAST`) the last."""
    follows_clock: bool
    """Minute or hour begins with *: follows the wall clock through clock changes (Debian cron)."""
    both_days: bool
    """Day and weekday must both match; otherwise either is enough (Debian cron)."""
    times: tuple[int, ...] = field(repr=False, compare=False)
    _rule: CronSim = field(repr=False, compare=False, hash=False)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the five fields as text: minute, hour, day, month, weekday."""
        return tuple(self.text.split(" "))

    def fires_like(self, other: object) -> bool:
        """Tell whether both fire at the same moments in every zone, however they are written."""
        return isinstance(other, Cron) and self.meaning == other.meaning

    @property
    def meaning(self) -> tuple[object, ...]:
        """Return what tells expressions apart that fire at different moments."""
        return (
            *(self.minutes, self.hours, self.days, self.months),
            *(self.weekdays, self.follows_clock, self.both_days),
        )

    def next_wall(self, wall: datetime) -> datetime | None:
        """Return the first named wall-clock minute at or after `wall` (both naive).

        None means that there is none within `HORIZON_YEARS`.
        """
        if wall.second or wall.microsecond:
            wall = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = wall.date()
        if day.month in self.months and self._rule.match_day(day):
            index = bisect_left(self.times, wall.hour * 60 + wall.minute)
            if index < len(self.times):
                return _combine(day, self.times[index])
        later = self._next_day(day + timedelta(days=1))
        return None if later is None else _combine(later, self.times[0])

    def _next_day(self, day: date) -> date | None:
        last_year = min(day.year + HORIZON_YEARS, date.max.year - 1)
        while day.year <= last_year:
            if day.month not in self.months:
                day = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
            elif self._rule.match_day(day):
                return day
            else:
                day += timedelta(days=1)
        return None


def _combine(day: date, minute_of_day: int) -> datetime:
    return datetime.combine(day, time(*divmod(minute_of_day, 60)))


@lru_cache(maxsize=2048)
def parse(expression: str) -> Cron:
    """Check a cron expression and return what it means.

    Five fields (minute, hour, day, month, weekday) with *, lists, ranges, steps, month and weekday
    names, 0 or 7 for Sunday, L and LW for the last day and last working day of a month, 5L and 1#2
    for the last Friday and the second Monday; or @hourly, @daily, @weekly, @monthly, @yearly.
    Raises CronError with the field and the reason, also for what would never fire.
    """
    texts = _split(expression)
    normalised = " ".join(
        _check_field(spec, text) for spec, text in zip(_SPECS, texts, strict=True)
    )
    try:
        rule = CronSim(normalised, datetime(2000, 1, 1))  # noqa: DTZ001 - wall-clock time has no zone here
    except CronSimError:
        # The fields were checked one by one: what is left is a day that these months do not have.
        raise CronError(
            "None of the chosen months has such a day, so this would never run.", "day"
        ) from None
    cron = _from_rule(normalised, rule)
    if not _ever_matches(cron, rule):
        raise CronError(
            "This day of the month and day of the week never fall together, "
            "so this would never run.",
            "weekday",
        )
    return cron


def _from_rule(text: str, rule: CronSim) -> Cron:
    fields = text.split(" ")
    minutes, hours = tuple(sorted(rule.minutes)), tuple(sorted(rule.hours))
    return Cron(
        text=text,
        minutes=minutes,
        hours=hours,
        days=frozenset(rule.days),
        months=frozenset(rule.months),
        weekdays=frozenset(_sunday_as_0(item) for item in rule.weekdays),
        follows_clock=fields[0].startswith("*") or fields[1].startswith("*"),
        both_days=fields[2].startswith("*") or fields[4].startswith("*"),
        times=tuple(hour * 60 + minute for hour in hours for minute in minutes),
        _rule=rule,
    )


def _sunday_as_0(item: int | tuple[int, int]) -> int | tuple[int, int]:
    return item % 7 if isinstance(item, int) else (item[0] % 7, item[1])


def _split(expression: str) -> list[str]:
    if len(expression) > MAX_LENGTH:
        raise CronError(
            f"The cron expression has {len(expression)} characters, {MAX_LENGTH} are allowed.",
            "expression",
        )
    if not expression.isascii():
        raise CronError(
            "The cron expression may contain only plain letters, digits and * , - / # signs.",
            "expression",
        )
    text = expression.strip().lower()
    if text.startswith("@"):
        text = _expand_macro(text)
    parts = text.upper().split()
    if not parts:
        raise CronError("Write a cron expression, for example 30 6 * * 1-5.", "expression")
    if len(parts) != len(_SPECS):
        has = "1 field" if len(parts) == 1 else f"{len(parts)} fields"
        raise CronError(
            f"The cron expression has {has}, it needs 5: "
            "minute, hour, day of the month, month and day of the week.",
            "expression",
        )
    return parts


def _expand_macro(text: str) -> str:
    try:
        return MACROS[text]
    except KeyError:
        known = ", ".join(MACROS)
        raise CronError(
            f"“{_shown(text)}” is not known, use one of {known}.", "expression"
        ) from None


def _check_field(spec: _Spec, text: str) -> str:
    terms = text.split(",")
    if "" in terms:
        raise CronError(
            f"The {spec.name} field has a comma with no value beside it: {_shown(text)}.", spec.name
        )
    return ",".join([_check_term(spec, term) for term in terms])


def _check_term(spec: _Spec, term: str) -> str:
    number_text = _WORD.sub(lambda word: _as_number(spec, word[0]), term)
    if spec.special and spec.special.fullmatch(number_text):
        return number_text
    match = _TERM.fullmatch(term)
    if match is None:
        raise _not_understood(spec, term)
    low, high, step = match.groups()
    if step is not None and int(step) == 0:
        raise CronError(
            f"A step of 0 never moves on, in “{_shown(term)}” use 1 or more.", spec.name
        )
    if low is None:
        return "*" if step is None or int(step) == 1 else f"*/{int(step)}"
    first, last = _value(spec, low), None if high is None else _value(spec, high)
    if last is not None and last < first:
        raise CronError(
            f"The range “{_shown(term)}” runs backwards, write it as two ranges or as a list.",
            spec.name,
        )
    if last == first:
        # cronsim reads 5-5/2 like 5/2, which goes on to the end; cron means 5.
        number_text = str(first)
    return "0" if number_text == "7" and spec.name == "weekday" else number_text


def _as_number(spec: _Spec, word: str) -> str:
    value = spec.names.get(word)
    if value is not None:
        return str(value)
    return str(int(word)) if word.isdigit() else word


def _value(spec: _Spec, word: str) -> int:
    number = _as_number(spec, word)
    if not number.isdigit():
        raise _not_understood(spec, word)
    if not spec.low <= int(number) <= spec.high:
        raise CronError(f"{number} is not {spec.noun}, use {spec.low} to {spec.high}.", spec.name)
    return int(number)


def _not_understood(spec: _Spec, term: str) -> CronError:
    return CronError(
        f"“{_shown(term)}” is not {spec.noun}, use {spec.low} to {spec.high}, *, "
        "a list such as 1,5, a range such as 1-5 or a step such as */5.",
        spec.name,
    )


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"


def _ever_matches(cron: Cron, rule: CronSim) -> bool:
    """Look at one year of each of the 14 kinds: leap or not, beginning on each weekday."""
    if _names_a_plain_day(cron):
        return True
    kinds = {
        (calendar.isleap(year), calendar.weekday(year, 1, 1)): year for year in range(2000, 2028)
    }
    return any(
        rule.match_day(date(year, month, day))
        for year in kinds.values()
        for month in cron.months
        for day in range(1, calendar.monthrange(year, month)[1] + 1)
    )


def _names_a_plain_day(cron: Cron) -> bool:
    every_weekday = cron.weekdays.issuperset(range(7))
    return every_weekday and any(1 <= day <= 28 for day in cron.days)  # noqa: PLR2004 - the shortest month
