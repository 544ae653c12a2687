"""Calendars: what may be said, what becomes of the schedules that use one, and their end."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine

from components.models import AuditEntry
from orchestrations.enums import HeldPolicy
from orchestrations.exceptions import InvalidCalendar, NotAllowed
from orchestrations.models import Calendar, Schedule
from orchestrations.queries.calendars import list_calendars, words, year_of
from orchestrations.services.calendars import (
    create_calendar,
    delete_calendar,
    update_calendar,
    why_kept,
)
from orchestrations.services.schedules import create_schedule, delete_schedule
from orchestrator_site.lib.days import DayRules
from tests.builders import make_empty_orchestration, make_user

pytestmark = pytest.mark.django_db
FRIDAY = datetime(2026, 11, 27, 12, tzinfo=UTC)
EVE = datetime(2026, 12, 31, 18)  # noqa: DTZ001  # a wall-clock time
MORNING = datetime(2027, 1, 1, 6)  # noqa: DTZ001


def schedule_of(calendar: Calendar, name: str = "Mornings", **fields: Any) -> Schedule:
    orchestration = make_empty_orchestration(name="Nightly")
    return create_schedule(
        orchestration,
        cron="0 6 * * *",
        timezone="UTC",
        user=None,
        name=name,
        calendar=calendar,
        **fields,
    )


def test_it_keeps_what_is_said_in_order() -> None:
    user = make_user()
    made = create_calendar(
        name=" Warehouse ",
        user=user,
        country="de",
        subdivision="by",
        weekdays=[6, 5, 6],
        dates=[(date(2026, 12, 24), "Eve"), (date(2026, 12, 23), " Stocktaking ")],
        windows=[(EVE, MORNING, "")],
    )
    kept = Calendar.objects.get()
    assert (made, kept.name, kept.created_by) == (kept, "Warehouse", user)
    assert (kept.country, kept.subdivision, kept.weekdays) == ("DE", "BY", [5, 6])
    assert [d["name"] for d in kept.dates] == ["Stocktaking", "Eve"]
    assert kept.rules.windows == ((EVE, MORNING, ""),)
    kept.full_clean()
    assert words(kept) == (
        "Holidays of Germany (BY), Saturdays and Sundays, 2 own dates, 1 blackout window"
    )
    assert AuditEntry.objects.filter(object_type="calendar", object_id=str(kept.pk)).exists()


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"name": " "}, {"name": "Give it a name."}),
        ({"name": "x" * 201}, {"name": "Use 200 characters or fewer."}),
        ({"name": " Taken"}, {"name": "There is a calendar “Taken” already."}),
        ({"country": "XX"}, {"country": "The holidays of “XX” are not known."}),
        ({"subdivision": "BY"}, {"subdivision": "Choose the country first."}),
        (
            {"country": "DE", "subdivision": "QQ"},
            {"subdivision": "“QQ” is no part of Germany."},
        ),
        (
            {"weekdays": range(7)},
            {"weekdays": "Take some days of the week, 0 to 6 for Monday to Sunday, not all seven."},
        ),
        (
            {"weekdays": [7]},
            {"weekdays": "Take some days of the week, 0 to 6 for Monday to Sunday, not all seven."},
        ),
        (
            {"dates": [(date(2026, 12, 24), "a"), (date(2026, 12, 24), "b")]},
            {"dates": "2026-12-24 is there more than once."},
        ),
        (
            {"dates": [(date(2026, 12, 24), "a\0")]},
            {"dates": "A name here is a text of 200 characters or fewer."},
        ),
        (
            {"windows": [(MORNING, EVE, "")]},
            {"windows": "The window from 2027-01-01 06:00 must end after it begins."},
        ),
        (
            {"windows": [(EVE, MORNING, "")] * 1001},
            {"windows": "A calendar holds at most 1000 lines here."},
        ),
    ],
)
def test_what_cannot_be_used_is_refused_at_its_field(
    said: dict[str, Any], fields: dict[str, str]
) -> None:
    create_calendar(name="Taken", user=None)
    with pytest.raises(InvalidCalendar) as refused:
        create_calendar(**{"name": "House", "user": None, **said})
    assert refused.value.fields == fields
    assert Calendar.objects.count() == 1


def test_a_change_moves_what_is_due_and_keeps_the_rest() -> None:
    calendar = create_calendar(name="House", user=None, dates=[(date(2026, 12, 24), "Eve")])
    with time_machine.travel(FRIDAY, tick=False):
        schedule = schedule_of(calendar, on_held=HeldPolicy.MOVE)
        before = schedule.next_fire_at
        changed = update_calendar(calendar, windows=[(EVE, MORNING, "")])
        assert changed.dates == calendar.dates
        Schedule.objects.update(next_fire_at=FRIDAY.replace(day=30))  # as if it had been elsewhere
        update_calendar(calendar, windows=[(EVE, MORNING, "")])  # says nothing new
        schedule.refresh_from_db()
        assert schedule.next_fire_at == FRIDAY.replace(day=30)
        update_calendar(calendar, weekdays=[5])
        schedule.refresh_from_db()
    assert schedule.next_fire_at == before


def test_it_may_keep_its_own_name() -> None:
    calendar = create_calendar(name="House", user=None)
    assert update_calendar(calendar, name="House", country="CZ").country == "CZ"


def test_it_is_not_deleted_while_a_schedule_uses_it() -> None:
    calendar = create_calendar(name="House", user=None)
    schedules = [schedule_of(calendar, name=f"S{n}") for n in range(7)]
    with pytest.raises(NotAllowed) as refused:
        delete_calendar(calendar)
    assert str(refused.value) == (
        "Schedules use “House”: “S0” of Nightly, “S1” of Nightly, “S2” of Nightly, "
        "“S3” of Nightly, “S4” of Nightly and 2 more. Give them another calendar first."
    )
    assert [each.used for each in list_calendars()] == [7]  # type: ignore[attr-defined]  # annotated
    for schedule in schedules:
        delete_schedule(schedule)
    assert why_kept(calendar) == ""
    assert [each.used for each in list_calendars()] == [0]  # type: ignore[attr-defined]  # annotated
    delete_calendar(calendar)
    delete_calendar(calendar)
    assert not Calendar.objects.exists()
    assert set(Schedule.objects.values_list("calendar", flat=True)) == {None}
    with pytest.raises(NotAllowed, match="deleted meanwhile"):
        update_calendar(calendar, country="CZ")


def test_a_year_names_what_it_holds() -> None:
    windows = (
        (EVE, MORNING, "Close of the year"),
        (datetime(2026, 3, 1), datetime(2026, 3, 3), ""),  # noqa: DTZ001
    )
    rules = DayRules("", "CZ", "", frozenset({6}), ((date(2026, 12, 23), ""),), windows)
    year = year_of(rules, 2026)
    days = {d.on: d for m in year.months for week in m.weeks for d in week if d is not None}
    assert len(days) == 365
    assert [len(week) for month in year.months for week in month.weeks if len(week) != 7] == []
    assert days[date(2026, 12, 23)].reason == "a day off"
    assert days[date(2026, 12, 20)].reason == "Sunday"
    assert days[date(2026, 12, 25)].reason != ""
    assert (days[date(2026, 12, 22)].reason, days[date(2026, 12, 22)].is_partly) == ("", False)
    eve = days[date(2026, 12, 31)]
    assert (eve.reason, eve.is_partly) == ("Close of the year, 18:00 to 24:00", True)
    full = days[date(2026, 3, 2)]
    assert (full.reason, full.is_partly) == ("Blackout window", False)
    assert ("Wed 23 Dec", "A day off") in year.named
    assert year.named[-1] == ("2026-12-31 18:00 to 2027-01-01 06:00", "Close of the year")
    assert (year.earlier, year.later) == (2025, 2027)
    assert year_of(rules, 2100).later is None
    assert words(Calendar(name="x")) == "Holds nothing"
