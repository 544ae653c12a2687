"""What the schedule dialog asks besides the times: policies, limits, a calendar, variables."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from orchestrations.enums import GapPolicy, HeldPolicy, Misfire, Overlap, RepeatPolicy
from orchestrations.forms.controls import number_input, select, text_area, text_input
from orchestrations.forms.timing_values import WALL
from orchestrations.models import Calendar, Schedule
from orchestrations.services.schedule_checks import LEAST_CONFIDENCE, MOST_CONFIDENCE
from orchestrations.validators import variable_errors
from orchestrator_site.lib import cron as crons
from orchestrator_site.lib.moments import FIRST_YEAR, LAST_YEAR
from orchestrator_site.lib.sentences import joined

MOMENTS = ("valid_from", "valid_to", "paused_until")
CHOSEN = ("overlap", "misfire", "gap", "repeat", "on_held")
NUMBERS = ("misfire_limit", "misfire_window")
USUAL: dict[str, Any] = {
    "overlap": Overlap.QUEUE_ONE,
    "misfire": Misfire.LAST,
    "misfire_limit": 10,
    "misfire_window": None,
    "gap": GapPolicy.USUAL,
    "repeat": RepeatPolicy.USUAL,
    "calendar": None,
    "on_held": HeldPolicy.SKIP,
    "confidence": None,
    "valid_from": None,
    "valid_to": None,
    "paused_until": None,
    "variables": {},
}
READY = "ready"


def _help(name: str) -> str:
    """Return the id of what explains an option."""
    return f"help-{name}"


def _choice(name: str, label: str, choices: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=choices,
        required=False,
        widget=select(name, note=_help(name)),
        error_messages={"invalid_choice": "Take one of the list."},
    )


def _number(name: str, label: str, low: int, high: int) -> forms.IntegerField:
    wrong = f"This takes a whole number from {low} to {high}."
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=low,
        max_value=high,
        widget=number_input(name, note=_help(name)),
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), wrong),
    )


def _moment(name: str, label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        required=False,
        max_length=40,
        widget=text_input(name, note=_help(name), type="datetime-local"),
    )


class OptionFields(forms.Form):
    """The fields that most schedules leave as they are; moments are of the schedule's zone."""

    schedule: Schedule | None

    overlap = _choice("overlap", "While a run is unfinished", Overlap.choices)
    misfire = _choice("misfire", "Moments that were missed", Misfire.choices)
    misfire_limit = _number("misfire_limit", "At most", 1, 100)
    misfire_window = _number("misfire_window", "Of the last minutes", 1, 60 * 24 * 366)
    gap = _choice("gap", "Times that a clock change leaves out", GapPolicy.choices)
    repeat = _choice("repeat", "Times that a clock change repeats", RepeatPolicy.choices)
    calendar = forms.ModelChoiceField(
        Calendar.objects.all(),
        required=False,
        empty_label="None: every day counts",
        label="Calendar",
        widget=select("calendar", note=_help("calendar")),
        error_messages={"invalid_choice": "This calendar was removed meanwhile."},
    )
    on_held = _choice("on_held", "On days that it holds", HeldPolicy.choices)
    ready = _choice(
        "ready", "These times are", (("", "when it starts"), (READY, "when it must be ready"))
    )
    confidence = _number("confidence", "In time with", LEAST_CONFIDENCE, MOST_CONFIDENCE)
    valid_from = _moment("valid_from", "Valid from")
    valid_to = _moment("valid_to", "Valid to")
    paused_until = _moment("paused_until", "Paused until")
    variables = forms.CharField(
        label="Variables",
        required=False,
        widget=text_area("variables", note=_help("variables"), rows=2),
    )

    def clean_valid_from(self) -> datetime | None:
        return self._read_moment("valid_from")

    def clean_valid_to(self) -> datetime | None:
        return self._read_moment("valid_to")

    def clean_paused_until(self) -> datetime | None:
        return self._read_moment("paused_until")

    def clean_variables(self) -> dict[str, str]:
        """Read one variable a line: name = value."""
        found: dict[str, str] = {}
        for line in self.cleaned_data["variables"].splitlines():
            name, equals, value = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not equals or not name:
                raise forms.ValidationError(f"“{line.strip()[:40]}” is no variable: name = value.")
            if name in found:
                raise forms.ValidationError(f"“{name[:40]}” is there twice; keep one of them.")
            found[name] = value
        if wrong := variable_errors(found):
            raise forms.ValidationError([_named(at, text) for at, text in wrong.items()])
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("valid_from"), cleaned.get("valid_to")
        if first and last and last <= first:
            self.add_error("valid_to", "The end must come after the beginning.")
        is_unsaid = not cleaned.get("confidence") and "confidence" not in self.errors
        if cleaned.get("ready") == READY and is_unsaid:
            self.add_error("confidence", "Say how sure it must be, such as 90.")
        return cleaned

    def options(self) -> dict[str, Any]:
        """Return what is said, for the service; what was not asked is left out.

        What is wrong or empty is as usual.
        """
        cleaned = self.cleaned_data
        asked = [name for name in USUAL if name in self.data]
        said = {name: cleaned.get(name) or USUAL[name] for name in asked}
        if "confidence" in said and cleaned.get("ready") != READY:
            said["confidence"] = None
        return said

    def said(self, *names: str) -> dict[str, Any]:
        """Return some of the options."""
        said = {**USUAL, **self.options()}
        return {name: said[name] for name in names}

    @property
    def summary(self) -> str:
        """What of the options is not as usual, in words; empty where all is."""
        if not self.is_bound or not hasattr(self, "cleaned_data"):
            return ""
        said = self.options()
        changed = [name for name in said if said[name] != USUAL[name]]
        return joined(str(self.fields[name].label).lower() for name in changed)

    @property
    def is_opened(self) -> bool:
        """Something is not as usual, or wrong."""
        return bool(self.summary) or any(name in self.errors for name in (*USUAL, "ready"))

    def _read_moment(self, name: str) -> datetime | None:
        """Read a wall-clock time of the schedule's zone; one that was not touched stays exact."""
        text = str(self.cleaned_data[name]).strip()
        if not text:
            return None
        zone_name = str(self.data.get("timezone", "UTC"))
        zone = ZoneInfo(zone_name if crons.is_zone(zone_name) else "UTC")
        stored: datetime | None = getattr(self.schedule, name, None)
        if stored is not None and _wall(stored, zone) == text[:16]:
            return stored
        try:
            typed = datetime.fromisoformat(text)
        except ValueError:
            raise forms.ValidationError(
                f"“{text[:30]}” is no date and time, write it as 2026-12-24 06:00."
            ) from None
        if not FIRST_YEAR <= typed.year <= LAST_YEAR:
            raise forms.ValidationError(f"Use a year from {FIRST_YEAR} to {LAST_YEAR}.")
        return typed.replace(tzinfo=typed.tzinfo or zone).astimezone(UTC)


def _named(place: str, text: str) -> str:
    """Say which variable is wrong: its place is such as `variables.city`."""
    _, _, name = place.partition(".")
    return f"“{name[:40]}”: {text}" if name else text


def stored_options(schedule: Schedule, zone: tzinfo) -> dict[str, str]:
    """Return the options of a schedule as its dialog posts them."""
    said = {name: str(getattr(schedule, name)) for name in (*CHOSEN, "misfire_limit")}
    for name in MOMENTS:
        moment = getattr(schedule, name)
        said[name] = _wall(moment, zone) if moment else ""
    said["misfire_window"] = str(schedule.misfire_window or "")
    said["calendar"] = str(schedule.calendar_id or "")
    said["ready"] = READY if schedule.confidence else ""
    said["confidence"] = str(schedule.confidence or 90)
    said["variables"] = "\n".join(f"{n} = {v}" for n, v in schedule.variables.items())
    return said


def _wall(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime(WALL)
