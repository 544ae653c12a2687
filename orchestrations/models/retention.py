"""How long history is kept."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models


class Retention(models.Model):
    """The one row that says how long history is kept; off until somebody switches it on.

    A run goes when it is older than `days` (`failed_days` where it did not succeed) and not among
    the last `runs` of its orchestration; jobs that belong to no run likewise, by configuration.
    Messages, the audit and slots go by their age; None keeps them for ever. A slot stays as long as
    its run does. The nightly count of slots looks back a day.
    """

    is_enabled = models.BooleanField("Delete old history every night", default=False)
    runs = models.PositiveIntegerField(
        "Keep the last runs of each orchestration", default=100, validators=[MinValueValidator(1)]
    )
    days = models.PositiveIntegerField(
        "Keep runs for days", default=90, validators=[MinValueValidator(1)]
    )
    failed_days = models.PositiveIntegerField(
        "Keep failed runs for days", default=365, validators=[MinValueValidator(1)]
    )
    delivery_days = models.PositiveIntegerField(
        "Keep messages for days", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    audit_days = models.PositiveIntegerField(
        "Keep the audit for days", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    slot_days = models.PositiveIntegerField(
        "Keep slots for days", null=True, blank=True, validators=[MinValueValidator(2)]
    )
    updated_at = models.DateTimeField(auto_now=True)
    began_at = models.DateTimeField(null=True, blank=True, help_text="Last deleted from.")
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Last deleted until.")
    result = models.JSONField(default=dict, blank=True, help_text="{kind: how many went}")

    class Meta:
        verbose_name_plural = "retention"

    def __str__(self) -> str:
        return "Retention"
