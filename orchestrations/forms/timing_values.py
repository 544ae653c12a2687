"""The values of a timing form: from an expression to the fields that say it, and back."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils import timezone as clock

from orchestrations.scheduling import picker
from orchestrator_site.lib import cron as crons
from orchestrator_site.lib.interval_advice import IntervalAdvice, interval_advice

PICKER, CRON, EVERY = "picker", "cron", "every"
MODES = (PICKER, CRON, EVERY)
INTERVAL = ("every_count", "every_unit", "every_from")
WALL = "%Y-%m-%dT%H:%M"  # as the browser's field for a date and time has it


def expression_values(text: str) -> dict[str, list[str]]:
    """Return the values of the custom schedule that show an expression best."""
    try:
        walls, picked = crons.parse(text), picker.from_cron(text)
    except crons.CronError:
        return {"mode": [CRON], "cron": [text]} | picked_values(picker.DEFAULT)
    if isinstance(walls, crons.Every):
        return {"mode": [EVERY]} | _interval_values(walls) | picked_values(picker.DEFAULT)
    if picked is None:
        return {"mode": [CRON], "cron": [text]} | picked_values(picker.DEFAULT)
    return {"mode": [PICKER], "cron": []} | picked_values(picked)


def said(data: QueryDict, mode: str) -> str | None:
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


def shown_as(text: str, mode: str, zone: str) -> dict[str, list[str]] | None:
    """Return the values that show an expression in a mode; None where it cannot."""
    if mode == CRON:
        return {"cron": [text]}
    if mode == EVERY:
        return _interval_values(_interval_like(text, zone))
    picked = picker.from_cron(text)
    return None if picked is None else picked_values(picked)


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


def fields_of(text: object) -> tuple[picker.Field, ...]:
    """Return the fields of a period; none where it is none."""
    period = _period(text)
    return picker.FIELDS_OF[period] if period else ()


def picked_values(picked: picker.Picked) -> dict[str, list[str]]:
    """Return the values that show a choice in the picker."""
    values = {str(name): [str(v) for v in getattr(picked, name)] for name in picker.PLACEHOLDERS}
    return {"period": [str(picked.period)]} | values


def _interval_values(every: crons.Every) -> dict[str, list[str]]:
    anchor = every.anchor.strftime(WALL)
    return dict(zip(INTERVAL, ([str(every.count)], [every.unit], [anchor]), strict=True))


def values_of(lists: dict[str, list[str]]) -> QueryDict:
    """Return values as a form is sent them."""
    data = QueryDict(mutable=True)
    for name, values in lists.items():
        data.setlist(name, values)
    return data
