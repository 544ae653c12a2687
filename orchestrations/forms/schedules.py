"""The forms of the Automate dialog and of the schedule dialog."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils.functional import cached_property

from components.models import Configuration
from orchestrations.enums import Overlap
from orchestrations.exceptions import InvalidOrchestration, NotAllowed
from orchestrations.forms import tabs, timing
from orchestrations.forms.controls import select
from orchestrations.forms.schedule_options import OptionFields, stored_options
from orchestrations.forms.tab_fields import TabFields
from orchestrations.forms.timing_form import COUNTS, TimingForm
from orchestrations.models import Orchestration, Schedule
from orchestrations.scheduling import presets
from orchestrations.scheduling.preview import Limits
from orchestrations.services import automation, schedules
from orchestrations.services.foresight import Foresight, foresee
from orchestrations.services.ready_by import lead_for
from orchestrator_site.lib import cron as crons


class AutomateForm(TimingForm):
    """The Automate dialog of one configuration."""

    chooser = timing.PRESET
    unseen = "Choose the times of the custom schedule, then go on."
    preset = forms.ChoiceField(
        label="Schedule",
        choices=presets.choices,
        widget=select("preset"),
        error_messages={"invalid_choice": "Take one of the listed schedules."},
    )

    def __init__(self, posted: QueryDict, *, configuration: Configuration, **options: Any) -> None:
        super().__init__(posted, **options)
        self.configuration = configuration
        _describe_name(
            self.fields["name"],
            label="Orchestration name",
            placeholder=automation.default_name(configuration),
            help_text="Leave blank to use the default name",
        )

    def ready_made(self) -> str:
        """Return the expression of the preset."""
        preset = presets.find_preset(self.cleaned_data["preset"])
        return preset.expression if preset and preset.expression else ""

    def save(self, user: User) -> Orchestration | None:
        """Make the orchestration; None where that is refused, with the errors at their fields."""
        if not self.is_valid():
            return None
        try:
            return automation.automate(
                self.configuration,
                name=self.cleaned_data["name"],
                cron=self.expression,
                timezone=self.cleaned_data["timezone"],
                user=user,
            )
        except (InvalidOrchestration, NotAllowed) as error:
            self.refuse(error)
            return None


class ScheduleForm(OptionFields, TabFields, TimingForm):
    """The dialog that adds a schedule to an orchestration, or changes one."""

    chooser = tabs.TAB
    unseen = "These times were not shown before. Look at them, then go on."
    counts = COUNTS

    def __init__(
        self,
        posted: QueryDict,
        *,
        orchestration: Orchestration,
        schedule: Schedule | None = None,
        **o: Any,
    ) -> None:
        super().__init__(posted, **o)
        self.orchestration = orchestration
        self.schedule = schedule
        _describe_name(
            self.fields["name"],
            label="Name",
            placeholder="Such as Weekdays, early",
            help_text="Leave blank to call it by its times",
        )

    def rules(self) -> crons.Rules:
        """Return what is said besides the expression and the zone."""
        return Schedule(**self.said("gap", "repeat", "calendar", "on_held")).rules

    def limits(self) -> Limits:
        """Return from when to when it is valid, and until when it is paused."""
        return Limits(**self.said("valid_from", "valid_to", "paused_until"))

    def lead(self) -> timedelta:
        """Return how long before its moments it starts, by the orchestration's history."""
        said = self.said("confidence")
        schedule = Schedule(orchestration=self.orchestration, **said)
        return timedelta(seconds=lead_for(schedule))

    @cached_property
    def foresight(self) -> Foresight | None:
        """Say what the schedule will do, by usual durations; only where there is a preview."""
        if self.preview is None:
            return None
        said = self.said("overlap")
        return foresee(
            self.orchestration,
            [moment.starts_at or moment.at for moment in self._starts()],
            overlap=Overlap(said.get("overlap") or Overlap.QUEUE_ONE),
            zone=self.zone,
            without=self.schedule.pk if self.schedule else None,
        )

    @property
    def quick(self) -> list[tuple[str, str, bool]]:
        """The ready-made schedules: label, the action that takes it, whether it is the chosen."""
        chosen = crons.parse(self.expression) if self.preview else None
        return [
            (label, f"{timing.TAKE}{text}", bool(chosen and chosen.fires_like(crons.parse(text))))
            for label, text in presets.QUICK
        ]

    def offers(self) -> list[tuple[str, str]]:
        """Return the schedules that would fit: words, and the action that takes one."""
        found = self.foresight
        return [(o.words, f"{timing.TAKE}{o.cron}") for o in found.offers] if found else []

    def _starts(self) -> list[schedules.PreviewMoment]:
        """Return the next hundred starts, which are more than the preview shows."""
        found = schedules.preview(
            self.expression,
            self.zone,
            n=100,
            rules=self.rules(),
            limits=self.limits(),
            lead=self.lead(),
        )
        return [moment for moment in found.occurrences if not moment.is_held]

    def save(self, user: User) -> Schedule | None:
        """Add or change the schedule; None where that is refused, with errors at the fields."""
        if not self.is_valid():
            return None
        content: Any = {
            "cron": self._kept_expression(),
            "timezone": self.cleaned_data["timezone"],
            "name": self.cleaned_data["name"],
            **self.options(),
        }
        try:
            if self.schedule is not None:
                return schedules.update_schedule(self.schedule, user=user, **content)
            return schedules.create_schedule(self.orchestration, user=user, **content)
        except (InvalidOrchestration, NotAllowed) as error:
            self.refuse(error)
            return None

    def _kept_expression(self) -> str:
        """Return the expression as it is stored already where the choice still means the same."""
        if self.schedule is None or (self.is_custom and self.is_cron):
            return self.expression
        try:
            stored = crons.parse(self.schedule.cron)
        except crons.CronError:
            return self.expression
        same = stored.fires_like(crons.parse(self.expression))
        return self.schedule.cron if same else self.expression


def fresh_schedule(timezone: str = "UTC") -> QueryDict:
    """Return the values of a new dialog."""
    return _with_options(timing.fresh_tabs(timezone), Schedule(timezone=timezone))


def schedule_values(schedule: Schedule) -> QueryDict:
    """Return the values that show a schedule as it is stored."""
    return _with_options(timing.of_schedule(schedule), schedule)


def _with_options(values: QueryDict, schedule: Schedule) -> QueryDict:
    for name, value in stored_options(schedule, ZoneInfo(schedule.timezone)).items():
        values[name] = value
    return values


def _describe_name(field: forms.Field, *, label: str, placeholder: str, help_text: str) -> None:
    field.label, field.help_text = label, help_text
    field.widget.attrs["placeholder"] = placeholder
