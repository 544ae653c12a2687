"""Starting an orchestration when tables were updated."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models

from orchestrations.enums import TriggerKind, TriggerNeeds
from orchestrations.models.orchestration import Orchestration


class Trigger(models.Model):
    """Starts a run once what it waits for came since the last run that it started.

    What came is read from its tables and events: see `queries/triggers.py`. A removed trigger keeps
    its rows, so that its runs stay explained.
    """

    orchestration = models.ForeignKey(
        Orchestration, on_delete=models.CASCADE, related_name="triggers"
    )
    name = models.CharField(max_length=200, blank=True)
    is_enabled = models.BooleanField(default=True)
    kind = models.CharField(max_length=20, choices=TriggerKind.choices, default=TriggerKind.TABLES)
    needs = models.CharField(max_length=20, choices=TriggerNeeds.choices, default=TriggerNeeds.ALL)
    quorum = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1)], help_text="For: a number of its tables."
    )
    fresh_for = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Minutes: an older update does not count.",
    )
    fallback_after = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Minutes after the first update: then it runs with what is there.",
    )
    source = models.ForeignKey(
        Orchestration,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="followed_by",
        help_text="Of kind orchestration: the one whose end starts a run.",
    )
    outcomes = models.JSONField(
        default=list, blank=True, help_text="Of kind orchestration: statuses; empty means any."
    )
    hook_key = models.CharField(
        max_length=40, null=True, blank=True, unique=True, help_text="Of kind webhook: its address."
    )
    hook_secret = models.TextField(blank=True, help_text="Of kind webhook: cipher text.")
    place = models.CharField(
        max_length=1000, blank=True, help_text="Of kind files: a directory, or s3://bucket/prefix."
    )
    pattern = models.CharField(
        max_length=200, blank=True, help_text="Of kind files: names that count, such as *.csv."
    )
    looked_at = models.DateTimeField(
        null=True, blank=True, help_text="Of kind files: what was there at first does not count."
    )
    problem = models.CharField(max_length=500, blank=True, help_text="Why it cannot be looked at.")
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

    `version` and `updated_at` are those of the latest update that no run has used yet; it waits
    since the first of these.
    """

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="tables")
    table_key = models.CharField(max_length=220, db_index=True)
    updated_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(null=True, blank=True)
    waits_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["table_key"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "table_key"], name="a_trigger_table_once")
        ]

    def __str__(self) -> str:
        return self.table_key


class TriggerFile(models.Model):
    """One file at the place that a trigger watches, as it was when it was last looked at.

    `stamp` changes with the file's content. A file is noted once it stays the same for a while, and
    is remembered for some days after it is gone.
    """

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=1024)
    stamp = models.CharField(max_length=100)
    seen_at = models.DateTimeField(help_text="It has been like this since.")
    gone_at = models.DateTimeField(null=True, blank=True)
    is_noted = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "name"], name="a_trigger_file_once")
        ]

    def __str__(self) -> str:
        return self.name


class TriggerEvent(models.Model):
    """One thing that a trigger waited for and that came: a run's end, a call.

    `key` tells it from all others of the trigger, so that what is told twice counts once. `run` is
    the one that it started; None while no run has used it.
    """

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="arrivals")
    key = models.CharField(max_length=300)
    at = models.DateTimeField()
    details = models.JSONField(default=dict, blank=True)
    run = models.ForeignKey(
        "orchestrations.Run",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="arrivals",
    )
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["trigger", "key"], name="a_trigger_event_once")
        ]
        indexes = [
            models.Index(
                fields=["trigger", "at"],
                condition=models.Q(used_at__isnull=True),
                name="trigger_event_unused",
            )
        ]

    def __str__(self) -> str:
        return self.key
