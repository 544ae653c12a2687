"""What a timing form was sent, brought to one state: a switched mode carries the schedule along."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from orchestrations.models import Schedule
from orchestrations.scheduling import picker, presets
from orchestrator_site.lib import cron as crons

PICKER, CRON = "picker", "cron"
COUNT = "count-"  # of the buttons that show more moments: and how many
NOT_SHOWABLE = (
    "The period and times cannot show this schedule, so it stays a cron expression. "
    "It runs as written all the same."
)


@dataclass(frozen=True)
class Settled:
    """The values a form is bound to; `note` says why a wish was not followed, or is empty.

    `not_seen` means that a custom schedule was asked for before its fields were ever shown.
    """

    data: QueryDict
    note: str = ""
    not_seen: bool = False


def fresh(timezone: str = "UTC") -> QueryDict:
    """Return the values of a new dialog: once per hour, and midnight for who goes on to custom."""
    values = {"preset": [presets.DEFAULT], "timezone": [timezone], "shown": [""]}
    return _values(values | _picked_values(picker.DEFAULT))


def of_schedule(schedule: Schedule) -> QueryDict:
    """Return the values that show a schedule as it is stored."""
    try:
        preset, picked = presets.preset_of(schedule.cron), picker.from_cron(schedule.cron)
    except crons.CronError:
        preset, picked = presets.preset_of("* * * * *"), None
    shown = CRON if picked is None else PICKER
    values = {
        "name": [schedule.name],
        "timezone": [schedule.timezone],
        "preset": [preset.key],
        "shown": [shown if preset.expression is None else ""],
        "mode": [shown],
        "cron": [schedule.cron] if picked is None else [],
    }
    return _values(values | _picked_values(picked or picker.DEFAULT))


def settle(posted: QueryDict) -> Settled:
    """Return what a form shows for what was posted.

    What was left out is filled in, fields that the period lacks are cleared, and a change between
    picker and expression takes the schedule along. `shown` tells which of the two was visible.
    """
    data = posted.copy()
    shown = data.get("shown")
    defaults = {"timezone": "UTC", "period": "day", "count": "5"}
    defaults["mode"] = CRON if data.get("cron") else PICKER
    for name, value in defaults.items():
        if not data.get(name):
            data[name] = value
    if str(data.get("action", "")).startswith(COUNT):
        data["count"] = str(data["action"]).removeprefix(COUNT)
    note = ""
    if data.get("preset") == presets.CUSTOM:
        note = _switch(data, shown)
        data.setlist("shown", data.getlist("mode"))
    for name in picker.PLACEHOLDERS:
        if name not in _fields_of(data["period"]):
            data.setlist(name, [])
    not_seen = shown == "" and data.get("preset") == presets.CUSTOM
    return Settled(data, note, not_seen)


def _switch(data: QueryDict, shown: str | None) -> str:
    """Carry the schedule over to the mode that is asked for; return why that cannot be."""
    if shown == PICKER and data["mode"] == CRON:
        text = _written(data)
        if text is None:  # the errors are shown where they are
            data["mode"] = PICKER
        else:
            data["cron"] = text
    elif shown == CRON and data["mode"] == PICKER and str(data.get("cron", "")).strip():
        try:
            picked = picker.from_cron(str(data["cron"]))
        except crons.CronError:
            data["mode"] = CRON  # with the error at the field
            return ""
        if picked is None:
            data["mode"] = CRON
            return NOT_SHOWABLE
        for name, values in _picked_values(picked).items():
            data.setlist(name, values)
    return ""


def _written(data: QueryDict) -> str | None:
    """Return the expression of what is picked; None where something of it is wrong."""
    period = _period(data["period"])
    if period is None:
        return None
    chosen: dict[picker.Field, tuple[int, ...]] = {}
    for name in picker.FIELDS_OF[period]:
        known = {str(value): value for value, _ in picker.CHOICES[name]}
        values = data.getlist(name)
        if not set(values) <= set(known):
            return None
        chosen[name] = tuple(known[value] for value in values)
    try:
        return picker.to_cron(picker.Picked(period, **chosen))
    except crons.CronError:
        return None


def _period(text: object) -> picker.Period | None:
    return next((name for name in picker.PERIODS if name == text), None)


def _fields_of(text: object) -> tuple[picker.Field, ...]:
    period = _period(text)
    return picker.FIELDS_OF[period] if period else ()


def _picked_values(picked: picker.Picked) -> dict[str, list[str]]:
    values = {str(name): [str(v) for v in getattr(picked, name)] for name in picker.PLACEHOLDERS}
    return {"period": [str(picked.period)]} | values


def _values(lists: dict[str, list[str]]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, values in lists.items():
        data.setlist(name, values)
    return data
