"""Calendars: holidays, own dates and blackout windows on which schedules are held."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field, JsonValue, NaiveDatetime

from components.api.base import ERRORS, needs, user_of
from orchestrations.models import Calendar
from orchestrations.queries.calendars import list_calendars, words
from orchestrations.services import calendars as service
from orchestrator_site.lib.access import EDIT, VIEW

router = Router(tags=["Calendars"])
EXAMPLE: dict[str, JsonValue] = {
    "name": "Warehouse",
    "country": "CZ",
    "subdivision": "",
    "weekdays": [5, 6],
    "dates": [{"on": "2026-12-23", "name": "Stocktaking"}],
    "windows": [
        {"begins": "2026-12-31T18:00", "ends": "2027-01-01T06:00", "name": "Close of the year"}
    ],
}
SHOWN: dict[str, JsonValue] = {
    "id": 3,
    **EXAMPLE,
    "words": "Holidays of Czechia, Saturdays and Sundays, 1 own date, 1 blackout window",
    "used": 2,
    "updated_at": "2026-11-26T06:00:00Z",
}
Country = Annotated[str, Field(description="ISO 3166-1, such as CZ; empty for no holidays.")]
Subdivision = Annotated[str, Field(description="ISO 3166-2 without the country, such as BY.")]
Weekdays = Annotated[list[int], Field(description="Days off, 0 is Monday; not all seven.")]


class OwnDate(Schema):
    """A day that is held."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"on": "2026-12-23", "name": "Stocktaking"}}
    )
    on: date
    name: str = ""


class Window(Schema):
    """A time that is held, by the clock of the schedule that uses it; its end is excluded."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"begins": "2026-12-31T18:00", "ends": "2027-01-01T06:00", "name": ""}
        },
    )
    begins: NaiveDatetime
    ends: NaiveDatetime
    name: str = ""


class CalendarIn(Schema):
    """A new calendar."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})
    name: str
    country: Country = ""
    subdivision: Subdivision = ""
    weekdays: Weekdays = []
    dates: list[OwnDate] = []
    windows: list[Window] = []


class CalendarPatch(Schema):
    """What is to change; what is left out stays. A list takes the place of the whole one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"weekdays": [6]}})
    name: str | None = None
    country: Country | None = None
    subdivision: Subdivision | None = None
    weekdays: Weekdays | None = None
    dates: list[OwnDate] | None = None
    windows: list[Window] | None = None


class CalendarOut(Schema):
    """A calendar, also in words; `used` counts the schedules that use it."""

    model_config = ConfigDict(json_schema_extra={"example": SHOWN})
    id: int
    name: str
    country: str
    subdivision: str
    weekdays: list[int]
    dates: list[OwnDate]
    windows: list[Window]
    words: str
    used: int
    updated_at: datetime

    @staticmethod
    def resolve_words(calendar: Calendar) -> str:
        return words(calendar)


@router.get("/calendars", response={200: list[CalendarOut], **ERRORS}, auth=needs(VIEW))
def get_calendars(request: HttpRequest) -> QuerySet[Calendar]:
    """List the calendars by name."""
    return list_calendars()


@router.post("/calendars", response={201: CalendarOut, **ERRORS}, auth=needs(EDIT))
def create_calendar(request: HttpRequest, body: CalendarIn) -> Status[Calendar]:
    """Make a calendar; schedules name it by its id."""
    made = service.create_calendar(user=user_of(request), **_content(body))
    return Status(201, _found(made.pk))


@router.get("/calendars/{int:pk}", response={200: CalendarOut, **ERRORS}, auth=needs(VIEW))
def get_calendar(request: HttpRequest, pk: int) -> Calendar:
    """Return a calendar."""
    return _found(pk)


@router.patch("/calendars/{int:pk}", response={200: CalendarOut, **ERRORS}, auth=needs(EDIT))
def change_calendar(request: HttpRequest, pk: int, body: CalendarPatch) -> Calendar:
    """Change a calendar; the schedules that use it are due as it now says."""
    service.update_calendar(_found(pk), **_content(body))
    return _found(pk)


@router.delete("/calendars/{int:pk}", response={204: None, **ERRORS}, auth=needs(EDIT))
def delete_calendar(request: HttpRequest, pk: int) -> Status[None]:
    """Delete a calendar that no schedule uses."""
    service.delete_calendar(_found(pk))
    return Status(204, None)


def _found(pk: int) -> Calendar:
    return get_object_or_404(list_calendars(), pk=pk)


def _content(body: CalendarIn | CalendarPatch) -> dict[str, Any]:
    """Return what is given, as the service takes it; null says nothing."""
    given = body.dict(exclude_unset=True).items()
    content = {name: value for name, value in given if value is not None}
    if body.dates is not None and "dates" in content:
        content["dates"] = [(each.on, each.name) for each in body.dates]
    if body.windows is not None and "windows" in content:
        content["windows"] = [(each.begins, each.ends, each.name) for each in body.windows]
    return content
