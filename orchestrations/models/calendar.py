"""Days and hours on which schedules do not fire."""

from __future__ import annotations

from datetime import date, datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.urls import reverse

from orchestrator_site.lib.days import DayRules, DaysError, check_country


class Calendar(models.Model):
    """Holidays of a country, days of the week, own dates and blackout windows.

    Its times are wall-clock times of the schedule that uses it. Versions and files call it by its
    name.
    """

    name = models.CharField(max_length=200, unique=True)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1, such as CZ.")
    subdivision = models.CharField(max_length=10, blank=True, help_text="ISO 3166-2, such as BY.")
    weekdays = models.JSONField(default=list, blank=True, help_text="Days off, 0 is Monday.")
    dates = models.JSONField(default=list, blank=True, help_text="[{on, name}], ISO 8601 dates.")
    windows = models.JSONField(
        default=list, blank=True, help_text="[{begins, ends, name}], local ISO 8601 times."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("calendar", args=[self.pk])

    def clean(self) -> None:
        """Raise ValidationError where what was typed cannot be used."""
        try:
            check_country(self.country, self.subdivision)
        except DaysError as error:
            raise ValidationError({"country": str(error)}) from None
        if not set(self.weekdays) < set(range(7)):
            raise ValidationError({"weekdays": "Write a list such as [5, 6]; not all seven days."})
        try:
            windows = self.rules.windows
        except (AttributeError, KeyError, TypeError, ValueError):
            text = 'Write [{"on": "2026-12-24", "name": ""}] or begins, ends and name.'
            raise ValidationError(text) from None
        if any(begins >= ends for begins, ends, _ in windows):
            raise ValidationError({"windows": "A window must end after it begins."})

    @property
    def rules(self) -> DayRules:
        """What it says, for `orchestrator_site.lib.days`."""
        return DayRules(
            name=self.name,
            country=self.country,
            subdivision=self.subdivision,
            weekdays=frozenset(self.weekdays),
            dates=tuple((date.fromisoformat(d["on"]), d["name"]) for d in self.dates),
            windows=tuple(
                (datetime.fromisoformat(w["begins"]), datetime.fromisoformat(w["ends"]), w["name"])
                for w in self.windows
            ),
        )
