"""The form of a calendar: its own dates and windows are written as lines of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, TypeVar

from django import forms
from django.contrib.auth.models import User
from django.http import QueryDict

from orchestrations.exceptions import InvalidCalendar, NotAllowed
from orchestrations.forms.controls import select, text_area, text_input
from orchestrations.models import Calendar
from orchestrations.services.calendars import create_calendar, update_calendar
from orchestrator_site.lib.days import (
    WEEKDAYS,
    DayRules,
    DaysError,
    check_country,
    countries,
    subdivisions,
)

T = TypeVar("T")
LONGEST_TEXT = 300_000
SHOWN_LINE = 40
_DAY = r"(\d{4}-\d{2}-\d{2})"
_MOMENT = rf"{_DAY}[ T]+(\d{{1,2}}:\d{{2}})"
DATE_LINE = re.compile(rf"{_DAY}(?:\s+(.*))?")
WINDOW_LINE = re.compile(rf"{_MOMENT}\s*(?:-|–|—|to)\s*{_MOMENT}(?:\s+(.*))?")  # noqa: RUF001  # as people type it


def _country_choices() -> Iterator[tuple[str, str]]:
    yield "", "No country"
    yield from countries()


def _lines(name: str, label: str, example: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=LONGEST_TEXT,
        widget=text_area(name, note=f"help-{name}", rows=4, placeholder=example),
    )


class CalendarForm(forms.Form):
    """What a calendar says; `rules` are those of what is typed, without what is wrong."""

    name = forms.CharField(
        label="Name",
        max_length=200,
        widget=text_input("name", note="help-name"),
        error_messages={
            "required": "Give it a name.",
            "max_length": "Use 200 characters or fewer.",
        },
    )
    country = forms.ChoiceField(
        label="Public holidays of",
        choices=_country_choices,
        required=False,
        widget=select("country", note="help-country", **{"data-enhance": "search"}),
        error_messages={"invalid_choice": "The holidays of this country are not known."},
    )
    subdivision = forms.CharField(
        label="Part of the country",
        max_length=10,
        required=False,
        widget=text_input(
            "subdivision", note="help-subdivision", is_code=True, list="calendar-parts"
        ),
    )
    weekdays = forms.TypedMultipleChoiceField(
        label="Days of the week",
        choices=list(enumerate(WEEKDAYS)),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        error_messages={"invalid_choice": "Take some days of the week."},
    )
    dates = _lines("dates", "Own dates", "2026-12-24 Stocktaking")
    windows = _lines("windows", "Blackout windows", "2026-12-31 18:00 - 2027-01-01 06:00")

    def __init__(self, posted: QueryDict | None, *, calendar: Calendar | None = None) -> None:
        """Bind what was posted; None shows the calendar as it is, or a new one."""
        self.calendar = calendar
        super().__init__(posted, initial=_stored(calendar) if calendar else None)

    def clean_subdivision(self) -> str:
        return str(self.cleaned_data["subdivision"]).strip().upper()

    def clean_dates(self) -> list[tuple[date, str]]:
        """Read one date a line, with its name behind it."""
        return _read(self.cleaned_data["dates"], _date, "a date: write it as 2026-12-24 Name")

    def clean_windows(self) -> list[tuple[datetime, datetime, str]]:
        """Read one window a line, with its name behind it."""
        shape = "a window: write it as 2026-12-31 18:00 - 2027-01-01 06:00 Name"
        return _read(self.cleaned_data["windows"], _window, shape)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            if "country" in cleaned:
                check_country(cleaned["country"], cleaned.get("subdivision", ""))
        except DaysError as error:
            self.add_error("subdivision", str(error))
        return cleaned

    def save(self, user: User) -> Calendar | None:
        """Make or change the calendar; None where that is refused, with errors at the fields."""
        if not self.is_valid():
            return None
        try:
            if self.calendar is None:
                return create_calendar(user=user, **self.cleaned_data)
            return update_calendar(self.calendar, **self.cleaned_data)
        except InvalidCalendar as error:
            for name, text in error.fields.items():
                self.add_error(name, text)
        except NotAllowed as error:
            self.add_error(None, str(error))
        return None

    @property
    def rules(self) -> DayRules:
        """What it says as far as it can be read; as it is stored where nothing was posted."""
        if not self.is_bound:
            return self.calendar.rules if self.calendar else DayRules(name="")
        said = self.cleaned_data if self.is_valid() or hasattr(self, "cleaned_data") else {}
        return DayRules(
            name=said.get("name", ""),
            country=said.get("country", ""),
            subdivision=said.get("subdivision", ""),
            weekdays=frozenset(said.get("weekdays", ())),
            dates=tuple(said.get("dates", ())),
            windows=tuple(said.get("windows", ())),
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the chosen country that have holidays of their own."""
        return subdivisions(self.rules.country) if self.rules.country else ()

    @property
    def checked(self) -> list[forms.BoundField]:
        """The fields whose errors are shown while somebody types."""
        return [self[name] for name in ("country", "subdivision", "weekdays", "dates", "windows")]


def _read(text: str, read: Callable[[str], T | None], shape: str) -> list[T]:
    """Read each line that is not empty; raises ValidationError where one cannot be read."""
    found: list[T] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        value = read(line.strip())
        if value is None:
            shown = line.strip()[:SHOWN_LINE]
            raise forms.ValidationError(f"Line {number}, “{shown}”, is not {shape}.")
        found.append(value)
    return found


def _date(line: str) -> tuple[date, str] | None:
    match = DATE_LINE.fullmatch(line)
    try:
        return (date.fromisoformat(match[1]), match[2] or "") if match else None
    except ValueError:  # such as the 31st of June
        return None


def _window(line: str) -> tuple[datetime, datetime, str] | None:
    match = WINDOW_LINE.fullmatch(line)
    if match is None:
        return None
    day, at, last_day, last_at, name = match.groups()
    try:
        begins = datetime.fromisoformat(f"{day} {at:0>5}")
        return begins, datetime.fromisoformat(f"{last_day} {last_at:0>5}"), name or ""
    except ValueError:
        return None


def _stored(calendar: Calendar) -> dict[str, Any]:
    """Return a calendar as its form shows it."""
    rules = calendar.rules
    return {
        "name": calendar.name,
        "country": calendar.country,
        "subdivision": calendar.subdivision,
        "weekdays": calendar.weekdays,
        "dates": "\n".join(f"{on} {name}".strip() for on, name in rules.dates),
        "windows": "\n".join(
            f"{begins:%Y-%m-%d %H:%M} - {ends:%Y-%m-%d %H:%M} {name}".strip()
            for begins, ends, name in rules.windows
        ),
    }
