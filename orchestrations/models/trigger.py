"""Starting an orchestration when tables were updated."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from orchestrations.models.orchestration import Orchestration


class Trigger(models.Model):
    """Starts a run once all its tables were updated since the last run that it started.

    What it waits for is not stored but read from its tables: see `queries/triggers.py`. A removed
    trigger keeps its rows, so that its runs stay explained.
    """

    orchestration = models.ForeignKey(
        Orchestration, on_delete=models.CASCADE, related_name="triggers"
    )
    name = models.CharField(max_length=200, blank=True)
    is_enabled = models.BooleanField(default=True)
    cooldown = models.PositiveIntegerField(
        default=5, validators=[MinValueValidator(1)], help_text="Minutes: at most one run in these."
    )
    variables = models.JSONField(default=dict, blank=True)
    last_run_at = models.DateTimeField(null=True, blank=True, help_text="Last started a run at.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name or f"Trigger {self.pk}"


class TriggerTable(models.Model):
    """One table that a trigger watches, by its id: it need not exist yet.

    `version` and `updated_at` are those of the latest update that no run has used yet.
    """

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="tables")
    table_key = models.CharField(max_length=220, db_index=True)
    updated_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["table_key"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "table_key"], name="a_trigger_table_once")
        ]

    def __str__(self) -> str:
        return self.table_key
