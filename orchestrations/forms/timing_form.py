"""What the forms of the Automate and schedule dialogs share: a name, a zone, and when it fires.

They are bound from the first, so that the preview, the switched modes and what was typed come from
one place: the posted values, settled by `orchestrations.forms.timing`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxLengthValidator
from django.forms.boundfield import BoundField
from django.http import QueryDict
from django.utils import timezone as clock

from orchestrations.exceptions import InvalidOrchestration, OrchestrationsError
from orchestrations.forms import timing, timing_values
from orchestrations.forms.controls import attributes, select, text_input
from orchestrations.scheduling import picker, presets
from orchestrations.scheduling.preview import NO_LIMITS, Limits
from orchestrations.services import schedules
from orchestrator_site.lib import cron as crons
from orchestrator_site.lib.clock_effects import ClockEffect, clock_effects
from orchestrator_site.lib.interval_advice import IntervalAdvice, interval_advice

COUNTS = (5, 20, 100)
COUNT = re.compile(r"0*[1-9][0-9]{0,5}", re.ASCII)
LONGEST_NAME = 200
MODES = (
    (timing_values.PICKER, "Period and times"),
    (timing_values.EVERY, "Interval"),
    (timing_values.CRON, "Cron expression"),
)
UNITS = tuple((unit, unit) for unit in ("minutes", "hours", "days", "weeks"))
# The words that join the fields to a sentence: every week, on these days, at these hours.
JOINING = {"weekdays": "on", "days": "on", "months": "in", "hours": "at", "minutes": "at"}
LABELS = {
    "weekdays": "Days of week",
    "days": "Days of month",
    "months": "Months",
    "hours": "Hours",
    "minutes": "Minutes",
}
FIELD_OF_ERROR = {
    "minute": "minutes",
    "hour": "hours",
    "day": "days",
    "month": "months",
    "weekday": "weekdays",
}


class _Chips(forms.TypedMultipleChoiceField):
    """Several values of one field of the picker, shown as removable chips; none means every."""

    def __init__(self, name: picker.Field) -> None:
        shown = {"data-enhance": "chips", "data-placeholder": picker.PLACEHOLDERS[name]}
        super().__init__(
            label=LABELS[name],
            choices=picker.CHOICES[name],
            coerce=int,
            required=False,
            widget=forms.SelectMultiple(attributes(name, "form-select", **shown)),
            error_messages={"invalid_choice": "Take values from the list only."},
        )


class TimingForm(forms.Form):
    """When something fires: what is ready-made, or a custom schedule; and in which zone.

    A form adds the field that chooses between these two, and what of it is ready-made.
    """

    chooser: ClassVar[str]
    unseen: ClassVar[str]  # what is said where a choice was sent before its fields were shown

    name = forms.CharField(
        required=False,
        validators=[MaxLengthValidator(LONGEST_NAME, f"Use {LONGEST_NAME} characters or fewer.")],
        widget=text_input("name", note="id_name_helptext", maxlength=LONGEST_NAME),
    )
    timezone = forms.ChoiceField(
        label="Time zone",
        error_messages={
            "invalid_choice": "This is not a time zone; take one such as Europe/Prague."
        },
    )
    shown = forms.CharField(required=False, widget=forms.HiddenInput)
    count = forms.TypedChoiceField(
        choices=[(n, n) for n in COUNTS], coerce=int, widget=forms.HiddenInput
    )
    mode = forms.ChoiceField(
        label="Choose by",
        choices=MODES,
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
        error_messages={"invalid_choice": "Take one of the three."},
    )
    period = forms.ChoiceField(
        label="Every",
        choices=picker.PERIOD_CHOICES,
        widget=select("period"),
        error_messages={"invalid_choice": "Take one of the listed periods."},
    )
    weekdays = _Chips("weekdays")
    days = _Chips("days")
    months = _Chips("months")
    hours = _Chips("hours")
    minutes = _Chips("minutes")
    cron = forms.CharField(
        label="Cron expression",
        required=False,
        max_length=crons.MAX_LENGTH,
        widget=text_input("cron", note="cron-help", is_code=True, placeholder="30 6 * * 1-5"),
        error_messages={"max_length": f"Use {crons.MAX_LENGTH} characters or fewer."},
    )

    every_count = forms.CharField(
        label="Every",
        required=False,
        widget=text_input("every_count", inputmode="numeric"),
    )
    every_unit = forms.ChoiceField(
        label="Unit",
        choices=UNITS,
        required=False,
        widget=select("every_unit"),
        error_messages={"invalid_choice": "Take one of the listed units."},
    )
    every_from = forms.CharField(
        label="Counted from",
        required=False,
        widget=forms.DateTimeInput(attributes("every_from", type="datetime-local")),
    )

    def __init__(self, posted: QueryDict, *, viewer_zone: str, submitted: bool = False) -> None:
        """Bind what was posted; `submitted` False only shows it, for the preview."""
        settled = timing.settle(posted, self.chooser)
        super().__init__(settled.data)
        self.note, self.replaced = settled.note, settled.replaced
        self.submitted = submitted
        self.not_seen = settled.not_seen
        self.viewer_zone = viewer_zone if crons.is_zone(viewer_zone) else "UTC"
        zones = self.fields["timezone"]
        if isinstance(zones, forms.ChoiceField):  # which it is; the type checker cannot know
            zones.choices = self._zones()
        zones.widget.attrs = attributes("timezone", "form-select", **{"data-enhance": "search"})
        self.preview: schedules.Preview | None = None

    def clean_every_count(self) -> str:
        """Take a whole number; what is wrong is said in the words of the field."""
        text = str(self.cleaned_data["every_count"]).strip()
        if not COUNT.fullmatch(text):
            raise forms.ValidationError("Use a whole number from 1 to 999999.")
        return text

    def clean_every_from(self) -> str:
        text = str(self.cleaned_data["every_from"]).strip()
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise forms.ValidationError("Choose the date and time to count from.") from None
        return text

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        # What cannot be seen cannot be mended: it is not used either.
        for name in (*(field.name for field in self.hidden_parts()), "shown", "count"):
            self.errors.pop(name, None)
        expression = self._expression()
        if expression is not None and "timezone" in cleaned:
            self._look_ahead(expression, cleaned["timezone"])
        if self.submitted and self.not_seen and self.chooser not in self.errors:
            self.add_error(self.chooser, self.unseen)
        return cleaned

    @property
    def expression(self) -> str:
        """The checked expression; only after `is_valid`."""
        return str(self.cleaned_data["expression"])

    @property
    def is_custom(self) -> bool:
        return str(self[self.chooser].value()) == presets.CUSTOM

    @property
    def is_cron(self) -> bool:
        return str(self["mode"].value()) == timing_values.CRON

    @property
    def is_interval(self) -> bool:
        return str(self["mode"].value()) == timing_values.EVERY

    @property
    def advice(self) -> IntervalAdvice | None:
        """What is to be said of a step that is no interval; only where there is a preview."""
        walls = crons.parse(self.expression) if self.preview else None
        return interval_advice(walls) if isinstance(walls, crons.Cron) else None

    @property
    def advised(self) -> str:
        """The interval that is offered instead."""
        return self.advice.every(self.now.replace(tzinfo=None)).text if self.advice else ""

    @property
    def clock_effects(self) -> list[ClockEffect]:
        """What the next clock changes do; empty where the zone has none."""
        if self.preview is None:
            return []
        return clock_effects(self.expression, self.zone, clock.now(), self.rules())

    @property
    def replaced_words(self) -> str:
        """What the custom schedule was before another one was put in its place."""
        return timing.words(self.replaced, self.zone)

    def ready_made(self) -> str:
        """Return the expression of a choice that is not custom, of checked fields."""
        raise NotImplementedError

    def ready_parts(self) -> list[BoundField]:
        """Return the fields that such a choice has besides the chooser."""
        return []

    def kept_parts(self) -> list[BoundField]:
        """Return the fields that other such choices have."""
        return []

    def rules(self) -> crons.Rules:
        """Return what is said besides the expression and the zone."""
        return crons.USUAL

    def lead(self) -> timedelta:
        """Return how long before its moments it starts."""
        return timedelta()

    def limits(self) -> Limits:
        """Return from when to when it is valid."""
        return NO_LIMITS

    @property
    def zone(self) -> str:
        """The chosen zone; UTC while it is none."""
        value = str(self["timezone"].value())
        return value if crons.is_zone(value) else "UTC"

    @property
    def now(self) -> datetime:
        """The present time in the chosen zone."""
        return clock.now().astimezone(ZoneInfo(self.zone))

    @property
    def shows_two_zones(self) -> bool:
        return self.zone != self.viewer_zone

    def chips(self) -> list[tuple[BoundField, str]]:
        """Return the fields that the period has, each with the word before it."""
        names = self._names()
        words = [JOINING[name] for name in names]
        # A word that was just said is not said again: at 06, 30.
        return [
            (self[name], "" if position and words[position - 1] == words[position] else word)
            for position, (name, word) in enumerate(zip(names, words, strict=True))
        ]

    def visible_parts(self) -> list[BoundField]:
        """Return the fields of what is chosen."""
        if not self.is_custom:
            return self.ready_parts()
        if self.is_interval:
            return [self[name] for name in timing_values.INTERVAL]
        return [self["cron"]] if self.is_cron else [self["period"], *(f for f, _ in self.chips())]

    def hidden_parts(self) -> list[BoundField]:
        """Return the fields that are kept for when they are seen again."""
        seen = {field.name for field in self.visible_parts()}
        names = [*picker.FIELDS_OF["year"], "weekdays", "period", "cron", *timing_values.INTERVAL]
        kept = [*self.kept_parts(), *(self[name] for name in names if name not in seen)]
        return kept if self.is_custom else [*kept, self["mode"]]

    def feedback(self) -> list[BoundField]:
        """Return the fields whose errors change while somebody types."""
        custom = [self["mode"]] if self.is_custom else []
        return [self[self.chooser], self["timezone"], *custom, *self.visible_parts()]

    def refuse(self, error: OrchestrationsError) -> None:
        """Show a service's refusal at the fields that it names, or else above the form."""
        fields = error.fields if isinstance(error, InvalidOrchestration) else {}
        for name, text in fields.items():
            # An error inside of a field names its place: variables.city.
            at = self._error_field("expression") if name == "cron" else name.partition(".")[0]
            self.add_error(at if at in self.fields else None, text)
        if not fields:
            self.add_error(None, str(error))

    def _names(self) -> tuple[picker.Field, ...]:
        period = self["period"].value()
        return picker.FIELDS_OF.get(period, ())

    def _zones(self) -> list[Any]:
        own = [] if self.viewer_zone == "UTC" else [self.viewer_zone]
        now = clock.now()
        near = [
            ("UTC", f"UTC · {now.astimezone(UTC):%H:%M}"),
            *((z, f"My time zone ({z}) · {now.astimezone(ZoneInfo(z)):%H:%M}") for z in own),
        ]
        others = [
            (zone, f"{zone} · {now.astimezone(ZoneInfo(zone)):%H:%M}")
            for zone in crons.zone_names()
            if zone not in {"UTC", *own}
        ]
        return [("Near", near), ("All time zones", others)]

    def _expression(self) -> crons.Expression | None:
        """Return what was chosen; None where it is wrong, with the error at its field."""
        if any(field.name in self.errors for field in (self[self.chooser], *self.visible_parts())):
            return None
        try:
            return crons.parse(self._said())
        except crons.CronError as error:
            self.add_error(self._error_field(error.field), str(error))
            return None

    def _said(self) -> str:
        """Return the expression of what was chosen, as it was written. Raises CronError."""
        if not self.is_custom:
            return self.ready_made()
        if self.is_interval:
            return timing_values.interval_text(
                *(str(self.cleaned_data[n]) for n in timing_values.INTERVAL)
            )
        return str(self.cleaned_data["cron"]) if self.is_cron else picker.to_cron(self._picked())

    def _picked(self) -> picker.Picked:
        chosen: dict[picker.Field, tuple[int, ...]] = {
            name: tuple(self.cleaned_data[name]) for name in self._names()
        }
        return picker.Picked(self.cleaned_data["period"], **chosen)

    def _error_field(self, part: str) -> str:
        if not self.is_custom:
            return self.chooser
        if self.is_cron:
            return "cron"
        if self.is_interval:
            return "every_count"
        field = FIELD_OF_ERROR.get(part, "period")
        return field if field in self._names() else "period"

    def _look_ahead(self, cron: crons.Expression, zone: str) -> None:
        count = self.cleaned_data.get("count") or COUNTS[0]
        found = schedules.preview(
            cron.text,
            zone,
            n=count,
            viewer_zone=self.viewer_zone,
            rules=self.rules(),
            limits=self.limits(),
            lead=self.lead(),
        )
        if not found.occurrences:
            text = f"This never runs in {zone}: its clock skips that time. Choose another one."
            self.add_error(self._error_field("hour"), text)
            return
        self.preview = found
        self.cleaned_data["expression"] = cron.text
