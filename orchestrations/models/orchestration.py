"""The design: orchestrations with phases and tasks, and what each save made of them."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from components.models import Configuration


class TaskDesign(TypedDict):
    """A task in a version's definition; exactly one of configuration and orchestration is set."""

    key: str
    configuration: NotRequired[int | None]
    orchestration: NotRequired[int | None]
    is_active: bool
    continue_on_failure: bool
    parameters: dict[str, Any]
    retries: int
    retry_delay: int  # seconds
    retry_backoff: float
    retry_match: str
    delay: int  # seconds
    timeout: int | None  # seconds


class PhaseDesign(TypedDict):
    """A phase in a version's definition; `depends_on` None means: on the phase before it."""

    key: str
    name: str
    depends_on: list[str] | None
    tasks: list[TaskDesign]


class ScheduleDesign(TypedDict):
    """A schedule in a version's definition; times are ISO 8601 in UTC, None means no such limit."""

    id: int
    name: str
    cron: str
    timezone: str
    is_enabled: bool
    overlap: str
    misfire: str
    misfire_limit: int
    misfire_window: int | None  # minutes
    gap: str
    repeat: str
    calendar: str | None  # its name
    on_held: str
    confidence: int | None  # per cent
    valid_from: str | None
    valid_to: str | None
    paused_until: str | None
    variables: dict[str, Any]


class TriggerDesign(TypedDict):
    """A trigger in a version's definition; `tables` holds ids of tables.

    `source` is an orchestration's id, `source_name` what it was called then. The secret of a
    webhook is not kept.
    """

    id: int
    name: str
    is_enabled: bool
    kind: str
    cooldown: int  # minutes
    tables: list[str]
    needs: str
    quorum: int
    fresh_for: int | None  # minutes
    fallback_after: int | None  # minutes
    source: int | None
    source_name: str
    outcomes: list[str]
    place: str
    pattern: str
    variables: dict[str, Any]


class NotificationDesign(TypedDict):
    """A recipient in a version's definition; `address` is cipher text where it is a URL."""

    key: str
    event: str
    channel: str
    address: str
    threshold: int | None


class Surroundings(TypedDict):
    """What makes and follows runs of an orchestration; each has a page and services of its own."""

    schedules: list[ScheduleDesign]
    triggers: list[TriggerDesign]
    notifications: list[NotificationDesign]


class Definition(Surroundings):
    """What an OrchestrationVersion keeps; one entry per phase, in order.

    `variables` holds the usual values of `{{ name }}` in the parameters of the tasks' jobs.
    """

    name: str
    description: str
    variables: dict[str, str]
    phases: list[PhaseDesign]


def empty_definition(name: str = "") -> Definition:
    """Return what has nothing in it, to begin with or to compare with."""
    return {
        "name": name,
        "description": "",
        "variables": {},
        "phases": [],
        "schedules": [],
        "triggers": [],
        "notifications": [],
    }


class Orchestration(models.Model):
    """A pipeline as designed; runs read its versions, never these rows.

    `key` is what files call it: given by the first export or by a file, it stays over renames.
    """

    key = models.CharField(
        max_length=100, null=True, blank=True, unique=True, editable=False, help_text="In files."
    )
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    is_enabled = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True, db_index=True)
    deleted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("orchestration", args=[self.pk])


class OrchestrationVersion(models.Model):
    """What an orchestration was after one save; never changed."""

    orchestration = models.ForeignKey(
        Orchestration, on_delete=models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField()
    definition = models.JSONField(help_text="Definition: what was edited, as it was.")
    change = models.CharField(max_length=500, help_text="What changed, as a sentence.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["orchestration", "number"], name="one_orchestration_version_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.change}"


class Phase(models.Model):
    """A group of tasks that run side by side.

    `depends_on` None means: after the phase before it; a list names the keys of those it needs.
    """

    orchestration = models.ForeignKey(
        Orchestration, on_delete=models.CASCADE, related_name="phases"
    )
    key = models.CharField(max_length=40, help_text="Stays the same over saves.")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    depends_on = models.JSONField(null=True, blank=True, help_text="Keys of phases, or empty.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["orchestration", "key"], name="one_phase_per_key"),
            models.UniqueConstraint(
                fields=["orchestration", "position"], name="one_phase_per_position"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """One configuration, or another orchestration, to be run in a phase."""

    phase = models.ForeignKey(Phase, on_delete=models.CASCADE, related_name="tasks")
    key = models.CharField(max_length=40, help_text="Stays the same over saves.")
    position = models.PositiveIntegerField()
    configuration = models.ForeignKey(
        Configuration, null=True, blank=True, on_delete=models.PROTECT, related_name="tasks"
    )
    orchestration = models.ForeignKey(
        Orchestration, null=True, blank=True, on_delete=models.PROTECT, related_name="used_by"
    )
    is_active = models.BooleanField(default=True)
    continue_on_failure = models.BooleanField(default=False)
    parameters = models.JSONField(default=dict, blank=True)
    retries = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(20)])
    retry_delay = models.PositiveIntegerField(default=60, help_text="Seconds.")
    retry_backoff = models.FloatField(
        default=2.0, validators=[MinValueValidator(1), MaxValueValidator(10)]
    )
    retry_match = models.CharField(
        max_length=200, blank=True, help_text="Retry only where the error contains this."
    )
    delay = models.PositiveIntegerField(default=0, help_text="Seconds before it starts.")
    timeout = models.PositiveIntegerField(null=True, blank=True, help_text="Seconds.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.CheckConstraint(
                condition=Q(configuration__isnull=False, orchestration__isnull=True)
                | Q(configuration__isnull=True, orchestration__isnull=False),
                name="task_has_one_target",
            ),
            models.UniqueConstraint(fields=["phase", "key"], name="one_task_per_key"),
        ]

    def __str__(self) -> str:
        return str(self.configuration or self.orchestration)
