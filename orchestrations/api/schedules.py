"""Schedules, what became of their due moments, and what an expression would do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from components.api.base import ERRORS, needs, page_of, user_of
from orchestrations.api.orchestrations import existing
from orchestrations.enums import (
    GapPolicy,
    HeldPolicy,
    Misfire,
    Overlap,
    RepeatPolicy,
    SlotKind,
    SlotOutcome,
)
from orchestrations.exceptions import InvalidSchedule
from orchestrations.models import Calendar, Schedule, Slot
from orchestrations.queries.ledger import Mark, SlotFilter, ledger
from orchestrations.queries.schedules import active_schedules, words
from orchestrations.scheduling.preview import Preview, preview
from orchestrations.services import schedules as service
from orchestrations.services.arming import CatchUp
from orchestrator_site.lib.access import EDIT, VIEW

router = Router(tags=["Schedules"])
EXAMPLE: dict[str, JsonValue] = {
    "name": "Mornings",
    "cron": "0 6 * * 1-5",
    "timezone": "Europe/Prague",
}
SHOWN: dict[str, JsonValue] = {
    "id": 4,
    "orchestration": 7,
    **EXAMPLE,
    "words": "Monday to Friday at 06:00, Europe/Prague",
    "is_enabled": True,
    "overlap": "queue_one",
    "misfire": "last",
    "misfire_limit": 10,
    "misfire_window": None,
    "gap": "usual",
    "repeat": "usual",
    "calendar": None,
    "on_held": "skip",
    "confidence": None,
    "lead": 0,
    "valid_from": None,
    "valid_to": None,
    "paused_until": None,
    "variables": {},
    "next_fire_at": "2026-11-23T05:00:00Z",
}
SLOT: dict[str, JsonValue] = {
    "schedule": 4,
    "due_at": "2026-11-20T05:00:00Z",
    "outcome": "fired",
    "reason": "",
    "kind": "normal",
    "lead": 0,
    "run": 90,
    "decided_at": "2026-11-20T05:00:00.021000Z",
}
# What null takes away.
NULLABLE = {
    *("valid_from", "valid_to", "paused_until"),
    *("misfire_window", "calendar", "confidence"),
}
Window = Annotated[int, Field(description="Minutes: what was missed earlier is not run.")]
CalendarId = Annotated[int, Field(description="Id of the calendar that holds its moments.")]
Confidence = Annotated[
    int, Field(description="Per cent: the times are when it must be ready.", examples=[90])
]


class CatchUpIn(Schema):
    """What becomes of the moments missed while it was off, in place of its misfire policy."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"misfire": "skip"}})
    misfire: Misfire
    limit: Annotated[int, Field(ge=1, le=1000)] = 10

    @property
    def choice(self) -> CatchUp:
        """What the services take."""
        return CatchUp(self.misfire, self.limit)


class ScheduleIn(Schema):
    """A new schedule."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})
    cron: str
    timezone: str = "UTC"
    name: str = ""
    is_enabled: bool = True
    overlap: Overlap = Overlap.QUEUE_ONE
    misfire: Misfire = Misfire.LAST
    misfire_limit: Annotated[int, Field(ge=1, le=1000)] = 10
    misfire_window: Window | None = None
    gap: GapPolicy = GapPolicy.USUAL
    repeat: RepeatPolicy = RepeatPolicy.USUAL
    calendar: CalendarId | None = None
    on_held: HeldPolicy = HeldPolicy.SKIP
    confidence: Confidence | None = None
    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None
    paused_until: AwareDatetime | None = None
    variables: dict[str, str] = {}


class SchedulePatch(Schema):
    """What is to change; what is left out stays, and null takes a limit away."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"is_enabled": False}})
    cron: str | None = None
    timezone: str | None = None
    name: str | None = None
    is_enabled: bool | None = None
    overlap: Overlap | None = None
    misfire: Misfire | None = None
    misfire_limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    misfire_window: Window | None = None
    gap: GapPolicy | None = None
    repeat: RepeatPolicy | None = None
    calendar: CalendarId | None = None
    on_held: HeldPolicy | None = None
    confidence: Confidence | None = None
    valid_from: AwareDatetime | None = None
    valid_to: AwareDatetime | None = None
    paused_until: AwareDatetime | None = None
    variables: dict[str, str] | None = None
    catch_up: CatchUpIn | None = None


class ScheduleOut(Schema):
    """A schedule, also in words; `next_fire_at` is None where nothing is due any more."""

    model_config = ConfigDict(json_schema_extra={"example": SHOWN})
    id: int
    orchestration: int
    name: str
    cron: str
    timezone: str
    words: str
    is_enabled: bool
    overlap: Overlap
    misfire: Misfire
    misfire_limit: int
    misfire_window: int | None
    gap: GapPolicy
    repeat: RepeatPolicy
    calendar: int | None
    on_held: HeldPolicy
    confidence: int | None
    lead: int
    valid_from: datetime | None
    valid_to: datetime | None
    paused_until: datetime | None
    variables: dict[str, str]
    next_fire_at: datetime | None

    @staticmethod
    def resolve_orchestration(schedule: Schedule) -> int:
        return schedule.orchestration_id

    @staticmethod
    def resolve_calendar(schedule: Schedule) -> int | None:
        return schedule.calendar_id

    @staticmethod
    def resolve_words(schedule: Schedule) -> str:
        return words(schedule)


class SlotOut(Schema):
    """One due moment and what became of it."""

    model_config = ConfigDict(json_schema_extra={"example": SLOT})
    schedule: int
    due_at: datetime
    outcome: SlotOutcome
    reason: str
    kind: SlotKind
    lead: int
    run: int | None
    decided_at: datetime

    @staticmethod
    def resolve_schedule(slot: Slot) -> int:
        return slot.schedule_id

    @staticmethod
    def resolve_run(slot: Slot) -> int | None:
        return slot.run_id


class SlotPage(Schema):
    """Due moments, latest first; send `next` as `after` for the ones before."""

    model_config = page_of(SLOT, "2026-11-20T05:00:00+00:00/4711")
    items: list[SlotOut]
    next: str | None


class SlotQuery(Schema):
    """Which due moments are wanted: of one outcome, due from `since` up to before `until`."""

    limit: Annotated[int, Query(ge=1, le=200, description="Rows, 1 to 200.")] = 50
    after: Annotated[
        str,
        Query(max_length=100, description="`next` of the page before."),
    ] = ""
    outcome: SlotOutcome | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class PreviewIn(Schema):
    """An expression to try: the next `n` moments after `after`, or after now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"cron": "30 2 * * *", "timezone": "Europe/Prague", "n": 3}},
    )
    cron: str
    timezone: str = "UTC"
    gap: GapPolicy = GapPolicy.USUAL
    repeat: RepeatPolicy = RepeatPolicy.USUAL
    calendar: CalendarId | None = None
    on_held: HeldPolicy = HeldPolicy.SKIP
    n: Annotated[int, Field(ge=1, le=100)] = 5
    after: AwareDatetime | None = None


class Occurrence(Schema):
    """One moment, in UTC and in the schedule's zone, and what the clock or a calendar does to it.

    What is held starts nothing; `note` says why.
    """

    at: datetime
    local: datetime
    kind: SlotKind
    note: str | None
    is_held: bool


class PreviewOut(Schema):
    """A schedule in words and its next moments."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "words": "Every day at 02:30, Europe/Prague",
                "occurrences": [
                    {
                        "at": "2027-03-28T01:00:00Z",
                        "local": "2027-03-28T03:00:00+02:00",
                        "kind": "gap",
                        "note": "02:30 does not exist on 28 March 2027, runs at 03:00",
                        "is_held": False,
                    }
                ],
            }
        }
    )
    words: str
    occurrences: list[Occurrence]


@router.get(
    "/orchestrations/{int:pk}/schedules",
    response={200: list[ScheduleOut], **ERRORS},
    auth=needs(VIEW),
)
def list_schedules(request: HttpRequest, pk: int) -> QuerySet[Schedule]:
    """List an orchestration's schedules."""
    return active_schedules().filter(orchestration=get_object_or_404(existing(), pk=pk))


@router.post(
    "/orchestrations/{int:pk}/schedules",
    response={201: ScheduleOut, **ERRORS},
    auth=needs(EDIT),
)
def create_schedule(request: HttpRequest, pk: int, body: ScheduleIn) -> Status[Schedule]:
    """Give an orchestration another schedule."""
    content = body.dict()
    enabled = content.pop("is_enabled")
    _name_calendar(content)
    orchestration = get_object_or_404(existing(), pk=pk)
    return Status(
        201,
        service.create_schedule(orchestration, user=user_of(request), enabled=enabled, **content),
    )


@router.patch("/schedules/{int:pk}", response={200: ScheduleOut, **ERRORS}, auth=needs(EDIT))
def change_schedule(request: HttpRequest, pk: int, body: SchedulePatch) -> Schedule:
    """Change a schedule, or switch it on or off."""
    schedule = get_object_or_404(active_schedules(), pk=pk)
    given = body.dict(exclude_unset=True).items()
    content = {name: value for name, value in given if value is not None or name in NULLABLE}
    enabled = content.pop("is_enabled", None)
    content.pop("catch_up", None)
    _name_calendar(content)
    return service.update_schedule(
        schedule,
        user=user_of(request),
        enabled=enabled,
        catch_up=body.catch_up.choice if body.catch_up else None,
        **content,
    )


@router.delete("/schedules/{int:pk}", response={204: None, **ERRORS}, auth=needs(EDIT))
def delete_schedule(request: HttpRequest, pk: int) -> Status[None]:
    """Remove a schedule; what became of its due moments stays."""
    schedule = get_object_or_404(active_schedules(), pk=pk)
    service.delete_schedule(schedule, user=user_of(request))
    return Status(204, None)


@router.get("/schedules/{int:pk}/slots", response={200: SlotPage, **ERRORS}, auth=needs(VIEW))
def list_slots(request: HttpRequest, pk: int, query: Query[SlotQuery]) -> dict[str, Any]:
    """List what became of each due moment of a schedule, latest first."""
    return _slots(query, schedule=get_object_or_404(Schedule, pk=pk).pk)


@router.get("/orchestrations/{int:pk}/slots", response={200: SlotPage, **ERRORS}, auth=needs(VIEW))
def list_orchestration_slots(
    request: HttpRequest, pk: int, query: Query[SlotQuery]
) -> dict[str, Any]:
    """List what became of each due moment of all schedules of an orchestration, latest first."""
    return _slots(query, orchestration=get_object_or_404(existing(), pk=pk).pk)


def _slots(query: SlotQuery, **of: int) -> dict[str, Any]:
    before = _mark(query.after) if query.after else None
    where = SlotFilter(outcome=query.outcome or "", since=query.since, until=query.until, **of)
    page = ledger(where, before=before, limit=query.limit)
    return {"items": page.slots, "next": str(page.older) if page.older else None}


def _mark(text: str) -> Mark:
    """Return where a page goes on; raises InvalidSchedule where that cannot be read."""
    found = Mark.read(text.replace(" ", "+"))
    if found is None:
        wrong = "This is no `next` of a page."
        raise InvalidSchedule(wrong, fields={"after": wrong})
    return found


@router.post("/schedules/preview", response={200: PreviewOut, **ERRORS}, auth=needs(VIEW))
def preview_schedule(request: HttpRequest, body: PreviewIn) -> Preview:
    """Say when an expression would fire, by the function that the scheduler itself uses."""
    content: dict[str, Any] = {"calendar": body.calendar}
    _name_calendar(content)
    rules = Schedule(
        gap=body.gap, repeat=body.repeat, on_held=body.on_held, calendar=content["calendar"]
    ).rules
    return preview(body.cron, body.timezone, n=body.n, after=body.after, rules=rules)


def _name_calendar(content: dict[str, Any]) -> None:
    """Put the calendar in the place of its id; raises InvalidSchedule where there is none."""
    if content.get("calendar") is not None:
        found = Calendar.objects.filter(pk=content["calendar"]).first()
        if found is None:
            text = f"There is no calendar {content['calendar']}."
            raise InvalidSchedule(text, fields={"calendar": text})
        content["calendar"] = found
