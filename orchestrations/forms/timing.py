"""What a timing form was sent, brought to one state: a switched mode carries the schedule along."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils import timezone as clock

from orchestrations.models import Schedule
from orchestrations.scheduling import picker, presets
from orchestrator_site.lib import cron as crons
from orchestrator_site.lib.interval_advice import IntervalAdvice, interval_advice

PICKER, CRON, EVERY = "picker", "cron", "every"
COUNT = "count-"  # of the buttons that show more moments: and how many
TAKE = "take:"  # of the buttons that put a schedule in: and its expression
NOT_SHOWABLE = (
    "The period and times cannot show this schedule, so it stays {name}. "
    "It runs as written all the same."
)
NAMES = {CRON: "a cron expression", EVERY: "an interval"}
INTERVAL = ("every_count", "every_unit", "every_from")
WALL = "%Y-%m-%dT%H:%M"  # as the browser's field for a date and time has it


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
        preset = presets.preset_of(schedule.cron)
    except crons.CronError:
        preset = presets.preset_of("* * * * *")
    values = expression_values(schedule.cron)
    return _values(
        values
        | {
            "name": [schedule.name],
            "timezone": [schedule.timezone],
            "preset": [preset.key],
            "shown": values["mode"] if preset.expression is None else [""],
        }
    )


def expression_values(text: str) -> dict[str, list[str]]:
    """Return the values of the custom schedule that show an expression best."""
    try:
        walls, picked = crons.parse(text), picker.from_cron(text)
    except crons.CronError:
        return {"mode": [CRON], "cron": [text]} | _picked_values(picker.DEFAULT)
    if isinstance(walls, crons.Every):
        return {"mode": [EVERY]} | _interval_values(walls) | _picked_values(picker.DEFAULT)
    if picked is None:
        return {"mode": [CRON], "cron": [text]} | _picked_values(picker.DEFAULT)
    return {"mode": [PICKER], "cron": []} | _picked_values(picked)


def settle(posted: QueryDict) -> Settled:
    """Return what a form shows for what was posted.

    What was left out is filled in, fields that the period lacks are cleared, and a change between
    picker and expression takes the schedule along. `shown` tells which of the two was visible.
    """
    data = posted.copy()
    shown = str(data["shown"]) if "shown" in data else None
    defaults = {"timezone": "UTC", "period": "day", "count": "5"}
    defaults["mode"] = CRON if data.get("cron") else PICKER
    for name, value in defaults.items():
        if not data.get(name):
            data[name] = value
    action = str(data.get("action", ""))
    if action.startswith(COUNT):
        data["count"] = action.removeprefix(COUNT)
    if action.startswith(TAKE):
        shown = _take(data, action.removeprefix(TAKE))
    note = ""
    if data.get("preset") == presets.CUSTOM:
        note = _switch(data, shown)
        data.setlist("shown", data.getlist("mode"))
    for name in picker.PLACEHOLDERS:
        if name not in _fields_of(data["period"]):
            data.setlist(name, [])
    not_seen = shown == "" and data.get("preset") == presets.CUSTOM
    return Settled(data, note, not_seen)


def _take(data: QueryDict, expression: str) -> str:
    """Put an expression in as a custom schedule; return the mode that shows it."""
    values = expression_values(expression)
    for name, found in values.items():
        data.setlist(name, found)
    data["preset"] = presets.CUSTOM
    return values["mode"][0]


def _switch(data: QueryDict, shown: str | None) -> str:
    """Carry the schedule over to the mode that is asked for; return why that cannot be."""
    wanted = str(data["mode"])
    if shown not in {PICKER, CRON, EVERY} or wanted == shown:
        return ""
    text = _said(data, shown)
    if text is None:  # the errors are shown where they are
        data["mode"] = shown
        return ""
    if not text:
        return ""
    values = _shown_as(text, wanted, str(data["timezone"]))
    if values is None:
        data["mode"] = shown
        return NOT_SHOWABLE.format(name=NAMES[shown])
    for name, found in values.items():
        data.setlist(name, found)
    return ""


def _said(data: QueryDict, mode: str) -> str | None:
    """Return the expression of what a mode says; None where it is wrong, empty where nothing is."""
    if mode == PICKER:
        return _written(data)
    try:
        if mode == EVERY:
            return crons.parse(interval_text(*(str(data.get(n, "")) for n in INTERVAL))).text
        text = str(data.get("cron", "")).strip()
        return crons.parse(text).text if text else ""
    except crons.CronError:
        return None


def _shown_as(text: str, mode: str, zone: str) -> dict[str, list[str]] | None:
    """Return the values that show an expression in a mode; None where it cannot."""
    if mode == CRON:
        return {"cron": [text]}
    if mode == EVERY:
        return _interval_values(_interval_like(text, zone))
    picked = picker.from_cron(text)
    return None if picked is None else _picked_values(picked)


def _interval_like(text: str, zone: str) -> crons.Every:
    """Return the interval that an expression looks like, or one to begin with: every hour."""
    walls = crons.parse(text)
    if isinstance(walls, crons.Every):
        return walls
    local = clock.now().astimezone(ZoneInfo(zone if crons.is_zone(zone) else "UTC"))
    advice = interval_advice(walls) or IntervalAdvice("", 1, "hours")
    return advice.every(local.replace(tzinfo=None))


def interval_text(count: str, unit: str, begins: str) -> str:
    """Return the expression of an interval as its fields say it."""
    return f"@every {count.strip()} {unit} from {begins.strip()[:16]}"


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


def _interval_values(every: crons.Every) -> dict[str, list[str]]:
    anchor = every.anchor.strftime(WALL)
    return dict(zip(INTERVAL, ([str(every.count)], [every.unit], [anchor]), strict=True))


def _values(lists: dict[str, list[str]]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, values in lists.items():
        data.setlist(name, values)
    return data
