"""Whether the scheduler is at work: its beats, when there was none, and the nightly self-check."""

from __future__ import annotations

from django.db import models


class Beat(models.Model):
    """One process that fires schedules; `name` is its host and process number."""

    name = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    ticked_at = models.DateTimeField(db_index=True, help_text="Last wrote so; every few seconds.")
    stopped_at = models.DateTimeField(null=True, blank=True, help_text="Said goodbye at.")
    fired = models.PositiveIntegerField(default=0, help_text="Moments that it decided.")

    class Meta:
        ordering = ["-ticked_at"]

    def __str__(self) -> str:
        return self.name


class Outage(models.Model):
    """A time in which nothing fired though something was due, or no beat ticked.

    `told_at` is when the administrators were told; `ended_at` is None while it lasts.
    """

    began_at = models.DateTimeField()
    noticed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    is_over = models.BooleanField(default=False)
    told_at = models.DateTimeField(null=True, blank=True)
    cause = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-began_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_over"],
                condition=models.Q(is_over=False),
                name="one_outage_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M} UTC"


class SlotCheck(models.Model):
    """One nightly comparison of the slots with what `occurrences` says (invariant I2)."""

    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    since = models.DateTimeField(help_text="The earliest moment that it looked at.")
    schedules = models.PositiveIntegerField(default=0)
    expected = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    extra = models.PositiveIntegerField(default=0)
    details = models.JSONField(
        default=list, blank=True, help_text="[{schedule, due_at, problem}], the first ones."
    )

    class Meta:
        ordering = ["-began_at"]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M} UTC"
