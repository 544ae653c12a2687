"""What runs the project: its processes, when nothing fired, whether slots are complete."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Q

from orchestrations.enums import OutageKind, ProcessKind


class Process(models.Model):
    """A scheduler, worker or web server, and when it was last seen; each start has its own row.

    Moments are the database's: the clocks of hosts differ.
    """

    key = models.CharField(max_length=40, unique=True, editable=False)
    kind = models.CharField(max_length=20, choices=ProcessKind.choices)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(
        null=True, blank=True, help_text="It was told to stop; None where it vanished."
    )
    clock_off = models.FloatField(
        default=0.0, help_text="Seconds that the clock of its host is ahead of the database's."
    )

    class Meta:
        ordering = ["kind", "host", "pk"]
        verbose_name_plural = "processes"
        indexes = [models.Index(fields=["kind", "-seen_at"], name="process_seen")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.host}, process {self.pid}"


class Outage(models.Model):
    """A time in which nothing fired, or a jump of a clock; `ended_at` None while it lasts.

    At most one lasts at a time, so that however many notice it, it is told once.
    """

    kind = models.CharField(max_length=20, choices=OutageKind.choices)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500)
    noticed_at = models.DateTimeField(auto_now_add=True)
    tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    told_at = models.DateTimeField(
        null=True, blank=True, help_text="All administrators were told of it at."
    )
    # Digests of the addresses that it has reached, so that only the others are tried again.
    told = models.JSONField(default=list, blank=True, editable=False)

    class Meta:
        ordering = ["-began_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind"], condition=Q(ended_at__isnull=True), name="one_outage_at_a_time"
            ),
            models.UniqueConstraint(fields=["kind", "began_at"], name="an_outage_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.began_at:%Y-%m-%d %H:%M} UTC"

    @property
    def length(self) -> timedelta | None:
        """How long it was; None while it lasts."""
        return None if self.ended_at is None else self.ended_at - self.began_at


class SlotCheck(models.Model):
    """One count of all slots against the rule of time: none may be missing (invariant I2).

    `missing` counts due moments without a slot; `examples` are the first of them, as
    [{schedule, due_at}], and whatever could not be read, as [{schedule, error}].
    """

    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    since = models.DateTimeField(help_text="Moments after this were counted.")
    schedules = models.PositiveIntegerField()
    moments = models.PositiveBigIntegerField()
    missing = models.PositiveBigIntegerField()
    examples = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.began_at:%Y-%m-%d %H:%M} UTC: {self.missing} of {self.moments} missing"
