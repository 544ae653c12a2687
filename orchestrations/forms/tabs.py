"""The tabs of the schedule dialog: once an hour, a day or a week, or whatever is not so simple."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from orchestrations.scheduling import picker, presets
from orchestrator_site.lib import cron as crons

TAB = "tab"
MINUTE, HOUR, DAYS = "at_minute", "at_hour", "on_days"
FIELDS = (DAYS, HOUR, MINUTE)
PICKED_AS: dict[str, picker.Field] = {DAYS: "weekdays", HOUR: "hours", MINUTE: "minutes"}


@dataclass(frozen=True)
class Tab:
    """One tab and its fields in the order in which they are shown; Custom has no period."""

    key: str
    label: str
    period: picker.Period | None = None
    fields: tuple[str, ...] = ()


TABS = (
    Tab("hourly", "Hourly", "hour", (MINUTE,)),
    Tab("daily", "Daily", "day", (HOUR, MINUTE)),
    Tab("weekly", "Weekly", "week", FIELDS),
    Tab(presets.CUSTOM, "Custom"),
)
FRESH = {TAB: ["daily"], MINUTE: ["0"], HOUR: ["0"], DAYS: ["1"]}
"""The values of a new dialog: once a day, at midnight; on Monday for who goes on to Weekly."""


def simple_tab(key: object) -> Tab | None:
    """Return the tab of a key; None for Custom, and where there is none."""
    return next((tab for tab in TABS if tab.key == key and tab.period), None)


def tab_values(text: str) -> dict[str, list[str]] | None:
    """Return the values of the tab that says exactly this expression; None where none does."""
    picked = _picked(text)
    for tab in TABS:
        if picked is None or picked.period != tab.period:
            continue
        chosen = {name: getattr(picked, PICKED_AS[name]) for name in tab.fields}
        if all(len(values) == 1 or (values and name == DAYS) for name, values in chosen.items()):
            return {TAB: [tab.key]} | {n: [str(v) for v in found] for n, found in chosen.items()}
    return None


def fitting_values(text: str) -> dict[str, list[str]]:
    """Return what of an expression the fields of the tabs can take: its only hour, its days."""
    try:
        rule = crons.parse_cron(text)
    except crons.CronError:
        return {}
    if rule is None:  # an interval
        return {}
    found = {HOUR: rule.hours, MINUTE: rule.minutes}
    fitting = {name: [str(values[0])] for name, values in found.items() if len(values) == 1}
    days = sorted(day for day in rule.weekdays if isinstance(day, int))
    if rule.fields[-1] != "*" and len(days) == len(rule.weekdays):
        fitting[DAYS] = [str(day) for day in days]
    return fitting


def tab_expression(data: QueryDict, tab: Tab) -> str | None:
    """Return the expression that a tab says; None where something of it is missing or wrong."""
    chosen: dict[picker.Field, tuple[int, ...]] = {}
    for name in tab.fields:
        known = {str(value): value for value, _ in picker.CHOICES[PICKED_AS[name]]}
        values = data.getlist(name)
        if not values or not set(values) <= set(known):
            return None
        chosen[PICKED_AS[name]] = tuple(known[value] for value in values)
    return picker.to_cron(picker.Picked(tab.period, **chosen)) if tab.period else None


def signature(data: QueryDict) -> str:
    """Return all that the fields of the tabs say, to find out later whether it was changed."""
    return "; ".join(",".join(data.getlist(name)) for name in FIELDS)


def _picked(text: str) -> picker.Picked | None:
    try:
        return picker.from_cron(text)
    except crons.CronError:
        return None
