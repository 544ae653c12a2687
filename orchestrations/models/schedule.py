"""When an orchestration runs, and what became of each due moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone as clock

from orchestrations.enums import (
    GapPolicy,
    HeldPolicy,
    Misfire,
    Overlap,
    RepeatPolicy,
    SlotKind,
    SlotOutcome,
)
from orchestrations.models.calendar import Calendar
from orchestrations.models.orchestration import Orchestration
from orchestrator_site.lib.cron import Gap, Held, Repeat, Rules


class Schedule(models.Model):
    """A cron expression in a time zone, with policies; the authority over when it fires.

    `next_fire_at` is when the next due moment not yet decided is to start, which is `lead` before
    it; None while nothing is due ever or the schedule is off. With a `confidence` its moments are
    when the work must be ready, and the lead is computed from history. A deleted schedule keeps its
    rows, so that its slots stay explained.
    """

    orchestration = models.ForeignKey(
        Orchestration, on_delete=models.CASCADE, related_name="schedules"
    )
    name = models.CharField(max_length=200, blank=True)
    cron = models.CharField(max_length=500)
    timezone = models.CharField(max_length=64, default="UTC")
    is_enabled = models.BooleanField(default=True)
    overlap = models.CharField(max_length=20, choices=Overlap.choices, default=Overlap.QUEUE_ONE)
    misfire = models.CharField(max_length=20, choices=Misfire.choices, default=Misfire.LAST)
    misfire_limit = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1)], help_text="For: run all, up to."
    )
    misfire_window = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Minutes: what was missed longer ago is not run.",
    )
    gap = models.CharField(max_length=20, choices=GapPolicy.choices, default=GapPolicy.USUAL)
    repeat = models.CharField(
        max_length=20, choices=RepeatPolicy.choices, default=RepeatPolicy.USUAL
    )
    calendar = models.ForeignKey(
        Calendar, null=True, blank=True, on_delete=models.PROTECT, related_name="schedules"
    )
    on_held = models.CharField(max_length=20, choices=HeldPolicy.choices, default=HeldPolicy.SKIP)
    confidence = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(50), MaxValueValidator(99)],
        help_text="Per cent: its moments are when the work must be ready.",
    )
    lead = models.PositiveIntegerField(
        default=0, help_text="Seconds before its moment that it starts, computed from history."
    )
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    variables = models.JSONField(default=dict, blank=True)
    next_fire_at = models.DateTimeField(null=True, blank=True)
    off_since = models.DateTimeField(
        null=True, blank=True, help_text="Switched off at; the misfire policy looks back to it."
    )
    off_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["next_fire_at"], name="schedule_due")]

    def __str__(self) -> str:
        return self.name or f"{self.cron} ({self.timezone})"

    @property
    def rules(self) -> Rules:
        """What it says besides its expression and zone, for `orchestrator_site.lib.cron`."""
        days = None if self.calendar is None else self.calendar.rules
        return Rules(
            cast("Gap", str(self.gap)),
            cast("Repeat", str(self.repeat)),
            days,
            cast("Held", str(self.on_held)),
        )

    @property
    def ahead(self) -> timedelta:
        """How long before a due moment it starts."""
        return timedelta(seconds=self.lead)

    @property
    def next_due_at(self) -> datetime | None:
        """The next due moment that is not decided yet."""
        return self.next_fire_at and self.next_fire_at + self.ahead


class Slot(models.Model):
    """One due moment of one schedule and what became of it."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="slots")
    due_at = models.DateTimeField()
    outcome = models.CharField(max_length=20, choices=SlotOutcome.choices)
    reason = models.CharField(max_length=500, blank=True)
    run = models.OneToOneField(
        "orchestrations.Run",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="slot",
    )
    kind = models.CharField(max_length=20, choices=SlotKind.choices, default=SlotKind.NORMAL)
    lead = models.PositiveIntegerField(
        default=0, help_text="Seconds before its moment that it was to start: ready by then."
    )
    decided_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["-due_at"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="one_slot_per_moment")
        ]
        indexes = [
            models.Index(fields=["schedule", "outcome", "-due_at"], name="slot_outcome"),
            models.Index(fields=["decided_at", "outcome"], name="slot_decided"),
        ]

    def __str__(self) -> str:
        return f"{self.due_at:%Y-%m-%d %H:%M} {self.outcome}"
