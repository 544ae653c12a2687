"""Calendars: make, change, delete; the schedules that use one are due as it says.

A calendar is locked before the orchestrations and schedules that use it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from typing import TypedDict, Unpack

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from orchestrations.exceptions import InvalidCalendar, NotAllowed
from orchestrations.models import Calendar
from orchestrations.queries.calendars import users_of
from orchestrations.services.schedules import on_calendar_changed, title
from orchestrations.validators import name_error
from orchestrator_site.lib.days import DaysError, check_country, countries
from orchestrator_site.lib.sentences import counted, joined

MAX_LINES = 1000
MAX_NAME = 200
SHOWN_USERS = 5
FIELDS = ("name", "country", "subdivision", "weekdays", "dates", "windows")

Dates = Sequence[tuple[date, str]]
Windows = Sequence[tuple[datetime, datetime, str]]


class Content(TypedDict, total=False):
    """What a calendar says besides its name; what is left out stays, or is empty.

    Times are naive: wall-clock times of the schedule that uses it. 0 is Monday.
    """

    country: str
    subdivision: str
    weekdays: Collection[int]
    dates: Dates
    windows: Windows


class Changes(Content, total=False):
    """What can be changed in a calendar."""

    name: str


@transaction.atomic
def create_calendar(*, name: str, user: User | None, **content: Unpack[Content]) -> Calendar:
    """Make a calendar. Raises InvalidCalendar."""
    calendar = Calendar(created_by=user)
    _say(calendar, {"name": name, **content})
    _save(calendar)
    return calendar


@transaction.atomic
def update_calendar(calendar: Calendar, **changes: Unpack[Changes]) -> Calendar:
    """Change a calendar and return it; the schedules that use it are due anew, from now on.

    Raises InvalidCalendar, and NotAllowed where it was deleted meanwhile.
    """
    locked = _locked(calendar, Calendar.objects.select_for_update(no_key=True))
    before = [getattr(locked, field) for field in FIELDS]
    _say(locked, changes)
    if before != [getattr(locked, field) for field in FIELDS]:
        _save(locked)
        on_calendar_changed(locked)
    return locked


@transaction.atomic
def delete_calendar(calendar: Calendar) -> None:
    """Delete a calendar; safe to call twice. Raises NotAllowed while schedules use it."""
    locked = Calendar.objects.select_for_update().filter(pk=calendar.pk).first()
    if locked is None:
        return
    used = why_kept(locked)
    if used:
        raise NotAllowed(used)
    # Removed schedules only tell of the past; where one comes back, it asks for the name anew.
    locked.schedules.update(calendar=None)
    locked.delete()


def why_kept(calendar: Calendar) -> str:
    """Say which schedules use a calendar, so that it cannot be deleted; empty where none does."""
    users = list(users_of(calendar)[: SHOWN_USERS + 1])
    if not users:
        return ""
    names = [f"“{title(each)}” of {each.orchestration.name}" for each in users[:SHOWN_USERS]]
    more = users_of(calendar).count() - len(names)
    names += [f"{more} more"] if more else []
    return f"Schedules use “{calendar.name}”: {joined(names)}. Give them another calendar first."


def _say(calendar: Calendar, changes: Changes) -> None:
    """Put what is said into a calendar that is not saved yet; raises InvalidCalendar."""
    wrong = dict(_errors(calendar, changes))
    if wrong:
        raise InvalidCalendar(" ".join(wrong.values()), fields=wrong)
    for field in ("name", "country", "subdivision"):
        if field in changes:
            text = changes[field].strip()
            setattr(calendar, field, text if field == "name" else text.upper())
    if "weekdays" in changes:
        calendar.weekdays = sorted(set(changes["weekdays"]))
    if "dates" in changes:
        calendar.dates = [{"on": f"{on}", "name": n.strip()} for on, n in sorted(changes["dates"])]
    if "windows" in changes:
        calendar.windows = [
            {"begins": _wall(begins), "ends": _wall(ends), "name": name.strip()}
            for begins, ends, name in sorted(changes["windows"])
        ]


def _errors(calendar: Calendar, changes: Changes) -> Iterator[tuple[str, str]]:
    """Yield a sentence for each field that is wrong."""
    name = changes.get("name", calendar.name)
    wrong = name_error(name)
    if not wrong and Calendar.objects.exclude(pk=calendar.pk).filter(name=name.strip()).exists():
        wrong = _taken(name)
    if wrong:
        yield "name", wrong
    country = changes.get("country", calendar.country).strip().upper()
    part = changes.get("subdivision", calendar.subdivision).strip().upper()
    try:
        check_country(country, part)
    except DaysError as error:
        is_known = not country or country in dict(countries())
        yield "subdivision" if is_known else "country", str(error)
    weekdays = set(changes.get("weekdays", ()))
    if weekdays and not weekdays < set(range(7)):
        yield "weekdays", "Take some days of the week, 0 to 6 for Monday to Sunday, not all seven."
    dates, windows = changes.get("dates", ()), changes.get("windows", ())
    twice = [on for on, times in Counter(on for on, _ in dates).items() if times > 1]
    if twice:
        yield "dates", f"{min(twice)} is there more than once."
    else:
        yield from _line_error("dates", [n for _, n in dates])
    backwards = [begins for begins, ends, _ in windows if begins >= ends]
    if backwards:
        yield "windows", f"The window from {backwards[0]:%Y-%m-%d %H:%M} must end after it begins."
    else:
        yield from _line_error("windows", [n for _, _, n in windows])


def _line_error(field: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    if len(names) > MAX_LINES:
        yield field, f"A calendar holds at most {counted(MAX_LINES, 'line')} here."
    elif any(len(name) > MAX_NAME or "\0" in name for name in names):
        yield field, f"A name here is a text of {MAX_NAME} characters or fewer."


def _save(calendar: Calendar) -> None:
    try:
        with transaction.atomic():
            calendar.save()
    except IntegrityError:  # somebody else took the name in this moment
        text = _taken(calendar.name)
        raise InvalidCalendar(text, fields={"name": text}) from None


def _locked(calendar: Calendar, rows: QuerySet[Calendar]) -> Calendar:
    found = rows.filter(pk=calendar.pk).first()
    if found is None:
        raise NotAllowed("This calendar was deleted meanwhile.")
    return found


def _taken(name: str) -> str:
    return f"There is a calendar “{name.strip()}” already."


def _wall(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")
