"""When an orchestration runs, and what became of each due moment."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from orchestrations.enums import Misfire, Overlap, SlotOutcome
from orchestrations.models.orchestration import Orchestration


class Schedule(models.Model):
    """A cron expression in a time zone, with policies; the authority over when it fires.

    `next_fire_at` is the next due moment not yet decided; None while nothing is due ever or the
    schedule is off. A deleted schedule keeps its rows, so that its slots stay explained.
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
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    variables = models.JSONField(default=dict, blank=True)
    next_fire_at = models.DateTimeField(null=True, blank=True)
    off_since = models.DateTimeField(
        null=True, blank=True, help_text="Switched off at; the misfire policy looks back to it."
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
    decided_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-due_at"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="one_slot_per_moment")
        ]

    def __str__(self) -> str:
        return f"{self.due_at:%Y-%m-%d %H:%M} {self.outcome}"
