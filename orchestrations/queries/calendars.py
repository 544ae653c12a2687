"""Reading calendars: what they say in words, who uses them, and the days of a year."""

from __future__ import annotations

import calendar as months_of
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Count, Q, QuerySet

from orchestrations.models import Calendar, Schedule
from orchestrator_site.lib.days import WEEKDAYS, DayRules, countries, holidays_of
from orchestrator_site.lib.sentences import counted, joined

FIRST_YEAR, LAST_YEAR = 1970, 2100
DAY = timedelta(days=1)


@dataclass(frozen=True)
class YearDay:
    """A day of a month; `reason` says why it is held, wholly or for some hours (`is_partly`)."""

    on: date
    reason: str
    is_partly: bool


@dataclass(frozen=True)
class YearMonth:
    """A month as weeks from Monday on; None stands for days of its neighbours."""

    name: str
    weeks: list[list[YearDay | None]]


@dataclass(frozen=True)
class Year:
    """What a calendar makes of a year; `named` is what has a name, in order."""

    number: int
    months: list[YearMonth]
    named: list[tuple[str, str]]
    earlier: int | None
    later: int | None


def list_calendars() -> QuerySet[Calendar]:
    """Return the calendars by name, each with `used`: how many schedules use it."""
    is_there = Q(schedules__deleted_at=None, schedules__isnull=False)
    return Calendar.objects.annotate(used=Count("schedules", filter=is_there)).order_by("name")


def users_of(calendar: Calendar) -> QuerySet[Schedule]:
    """Return the schedules that use a calendar and were not removed, with orchestrations."""
    used = Schedule.objects.filter(calendar=calendar, deleted_at=None)
    return used.select_related("orchestration").order_by("orchestration__name", "pk")


def words(calendar: Calendar) -> str:
    """Say in words what a calendar holds."""
    said = []
    if calendar.country:
        country = dict(countries()).get(calendar.country, calendar.country)
        part = f" ({calendar.subdivision})" if calendar.subdivision else ""
        said.append(f"holidays of {country}{part}")
    if calendar.weekdays:
        said.append(joined(f"{WEEKDAYS[day]}s" for day in calendar.weekdays))
    if calendar.dates:
        said.append(counted(len(calendar.dates), "own date"))
    if calendar.windows:
        said.append(counted(len(calendar.windows), "blackout window"))
    text = ", ".join(said) or "holds nothing"
    return text[0].upper() + text[1:]


def year_of(rules: DayRules, number: int) -> Year:
    """Return a year from 1970 to 2100 with what is held on its days."""
    return Year(
        number=number,
        months=[_month(rules, number, month) for month in range(1, 13)],
        named=[(when, name) for _, when, name in sorted(_named(rules, number))],
        earlier=number - 1 if number > FIRST_YEAR else None,
        later=number + 1 if number < LAST_YEAR else None,
    )


def _month(rules: DayRules, year: int, month: int) -> YearMonth:
    weeks = months_of.Calendar().monthdatescalendar(year, month)
    rows = [[_day(rules, on) if on.month == month else None for on in week] for week in weeks]
    return YearMonth(months_of.month_name[month], rows)


def _day(rules: DayRules, on: date) -> YearDay:
    reason = rules.day_reason(on)
    if reason:
        return YearDay(on, reason, is_partly=False)
    begin = datetime.combine(on, time())
    end = begin + DAY
    found = [w for w in rules.windows if w[0] < end and begin < w[1]]
    whole = [name for begins, ends, name in found if begins <= begin and end <= ends]
    if whole:
        return YearDay(on, whole[0] or "Blackout window", is_partly=False)
    texts = (
        f"{name or 'Blackout window'}, {max(begins, begin):%H:%M} to "
        f"{'24:00' if ends >= end else f'{ends:%H:%M}'}"
        for begins, ends, name in found
    )
    return YearDay(on, "; ".join(texts), is_partly=bool(found))


def _named(rules: DayRules, year: int) -> Iterator[tuple[datetime, str, str]]:
    """Yield what has a name: where it stands, when it is in words, and the name."""
    own = {on for on, _ in rules.dates}
    days = [(on, name or "A day off") for on, name in rules.dates if on.year == year]
    if rules.country:
        holidays = holidays_of(rules.country, rules.subdivision, year)
        days += [(on, name) for on, name in holidays.items() if on not in own]
    for on, name in days:
        yield datetime.combine(on, time()), f"{on:%a} {on.day} {on:%b}", name
    for begins, ends, name in rules.windows:
        if begins.year <= year <= ends.year:
            when = f"{begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M}"
            yield begins, when, name or "Blackout window"
