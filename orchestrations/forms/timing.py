"""What a timing form was sent, brought to one state: a switched mode carries the schedule along."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from orchestrations.forms import tabs
from orchestrations.forms.timing_values import (
    CRON,
    EVERY,
    MODES,
    PICKER,
    expression_values,
    fields_of,
    picked_values,
    said,
    shown_as,
    values_of,
)
from orchestrations.models import Schedule
from orchestrations.scheduling import picker, presets
from orchestrator_site.lib import cron as crons

COUNT = "count-"  # of the buttons that show more moments: and how many
TAKE = "take:"  # of the buttons that put a schedule in: and its expression
NOT_SHOWABLE = (
    "The period and times cannot show this schedule, so it stays {name}. "
    "It runs as written all the same."
)
KEPT = "{tab} says only a part of the custom schedule. Custom keeps all of it: {words}."
PRESET = "preset"
LEFT = "left"  # what the tabs said when Custom was left; empty while Custom was never shown
TAKEN = "taken"  # no such thing was said: another schedule was put in
NAMES = {CRON: "a cron expression", EVERY: "an interval"}


@dataclass(frozen=True)
class Settled:
    """The values a form is bound to; `note` says what a switch did not carry, or is empty.

    `not_seen` means that a choice was sent before its fields were ever shown. `replaced` is the
    custom schedule, as it was written, in whose place another one was put.
    """

    data: QueryDict
    note: str = ""
    not_seen: bool = False
    replaced: str = ""


def fresh(timezone: str = "UTC") -> QueryDict:
    """Return the values of a new dialog: a usual choice, and midnight for who goes on to custom."""
    values = {PRESET: [presets.DEFAULT], "timezone": [timezone], "shown": [""]}
    return values_of(values | picked_values(picker.DEFAULT))


def fresh_tabs(timezone: str = "UTC") -> QueryDict:
    """Return the values of a new dialog with tabs."""
    values = {"timezone": [timezone], "shown": tabs.FRESH[tabs.TAB], LEFT: [""]}
    return values_of(values | tabs.FRESH | picked_values(picker.DEFAULT))


def of_schedule(schedule: Schedule) -> QueryDict:
    """Return the values that show a schedule as it is stored, under the tab that says it."""
    values = fresh_tabs(schedule.timezone)
    values["name"] = schedule.name
    values["shown"] = _take(values, schedule.cron, tabs.TAB)
    return values


def settle(posted: QueryDict, chooser: str = PRESET) -> Settled:
    """Return what a form shows for what was posted; `chooser` is its field with presets or tabs.

    What was left out is filled in, fields that the period lacks are cleared, and a change between
    tabs, or between picker and expression, takes the schedule along. `shown` tells what was
    visible: a simple tab, a mode of the custom schedule, or nothing of either.
    """
    data = posted.copy()
    shown = str(data["shown"]) if "shown" in data else None
    _fill_in(data, chooser)
    before = _custom_as_written(data, shown)
    action = str(data.get("action", ""))
    if action.startswith(COUNT):
        data["count"] = action.removeprefix(COUNT)
    if action.startswith(TAKE):
        shown = _take(data, action.removeprefix(TAKE), chooser)
    note = _carry(data, shown, chooser)
    for name in picker.PLACEHOLDERS:
        if name not in fields_of(data["period"]):
            data.setlist(name, [])
    is_custom = data.get(chooser) == presets.CUSTOM
    not_seen = _not_seen(data, shown, chooser)
    if is_custom or chooser == tabs.TAB:
        data["shown"] = str(data["mode"] if is_custom else data.get(chooser, ""))
    after = _custom_as_written(data, str(data["mode"]))
    is_replaced = is_custom and _is_put_in(action, shown) and before not in {"", after}
    return Settled(data, note, not_seen, before if is_replaced else "")


def _fill_in(data: QueryDict, chooser: str) -> None:
    """Put in what every form has where it was left out."""
    defaults = {"timezone": "UTC", "period": "day", "count": "5"}
    if chooser == tabs.TAB and not {"mode", "cron"}.isdisjoint(data):
        defaults[tabs.TAB] = presets.CUSTOM
    defaults["mode"] = CRON if data.get("cron") else PICKER
    for name, value in defaults.items():
        if not data.get(name):
            data[name] = value


def _not_seen(data: QueryDict, shown: str | None, chooser: str) -> bool:
    """Tell whether what is chosen was never shown."""
    choice = data.get(chooser)
    if chooser == PRESET:
        return shown == "" and choice == presets.CUSTOM
    return shown is not None and choice != (presets.CUSTOM if shown in MODES else shown)


def _is_put_in(action: str, shown: str | None) -> bool:
    """Tell whether a custom schedule came in another way than by being written."""
    return action.startswith(TAKE) or tabs.simple_tab(shown) is not None


def _custom_as_written(data: QueryDict, shown: str | None) -> str:
    """Return the custom schedule that was seen, right or wrong; empty where none was."""
    mode = str(data["mode"]) if data.get(LEFT) and shown not in MODES else shown
    if mode not in MODES:
        return ""
    return str(data.get("cron", "")).strip() if mode == CRON else said(data, mode) or ""


def _take(data: QueryDict, expression: str, chooser: str) -> str:
    """Put an expression in, under its tab or else as a custom schedule; return what shows it."""
    values = tabs.tab_values(expression) if chooser == tabs.TAB else None
    if values is not None:
        if data.get(chooser) == presets.CUSTOM:
            data[LEFT] = TAKEN
        shown = values[tabs.TAB][0]
    else:
        values = expression_values(expression) | {chooser: [presets.CUSTOM]}
        shown = values["mode"][0]
    for name, found in values.items():
        data.setlist(name, found)
    return shown


def _carry(data: QueryDict, shown: str | None, chooser: str) -> str:
    """Carry the schedule over to what is chosen; return what that could not do, or nothing."""
    tab = tabs.simple_tab(data.get(tabs.TAB)) if chooser == tabs.TAB else None
    if tab is not None:
        return _to_tab(data, shown, tab) if shown in MODES else ""
    if data.get(chooser) != presets.CUSTOM:
        return ""
    before = tabs.simple_tab(shown)
    if before is None:
        return _switch(data, shown)
    if data.get(LEFT) != tabs.signature(data):
        _to_custom(data, before)
    return ""


def _to_tab(data: QueryDict, shown: str, tab: tabs.Tab) -> str:
    """Take from the custom schedule what the tabs can say; it is kept itself for who returns."""
    text = said(data, shown)
    for name, found in tabs.fitting_values(text or "").items():
        data.setlist(name, found)
    data["mode"], data[LEFT] = shown, tabs.signature(data)
    if not text or (tabs.tab_values(text) or {}).get(tabs.TAB) == [tab.key]:
        return ""
    return KEPT.format(tab=tab.label, words=words(text, str(data["timezone"])))


def _to_custom(data: QueryDict, tab: tabs.Tab) -> None:
    """Begin the custom schedule with what the tab says."""
    text = tabs.tab_expression(data, tab)
    if text is None:
        return
    mode = CRON if data["mode"] == CRON else PICKER
    values = shown_as(text, mode, str(data["timezone"])) or {}
    for name, found in (values | {"mode": [mode]}).items():
        data.setlist(name, found)


def words(text: str, zone: str) -> str:
    """Return an expression in words, or as it is written where it has none."""
    try:
        found = crons.describe(text, zone if crons.is_zone(zone) else "UTC")
    except crons.CronError:
        return f"“{text}”"
    return found


def _switch(data: QueryDict, shown: str | None) -> str:
    """Carry the schedule over to the mode that is asked for; return why that cannot be."""
    wanted = str(data["mode"])
    if shown not in MODES or wanted == shown:
        return ""
    text = said(data, shown)
    if text is None:  # the errors are shown where they are
        data["mode"] = shown
        return ""
    if not text:
        return ""
    values = shown_as(text, wanted, str(data["timezone"]))
    if values is None:
        data["mode"] = shown
        return NOT_SHOWABLE.format(name=NAMES[shown])
    for name, found in values.items():
        data.setlist(name, found)
    return ""
