"""Component, and the configurations that people save for it."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse

from components.enums import ComponentType


class InputMapping(TypedDict):
    """One table that a configuration reads; `destination` is the alias it is read under."""

    source: str
    destination: NotRequired[str]
    columns: NotRequired[list[str]]
    where_column: NotRequired[str]
    where_operator: NotRequired[str]  # eq or ne
    where_values: NotRequired[list[str]]
    changed_since: NotRequired[str]  # "-2 days", ISO time, or "adaptive": since the last success
    limit: NotRequired[int]


class OutputMapping(TypedDict):
    """One table that a configuration writes; `source` is the component's name for it."""

    source: str
    destination: str
    incremental: NotRequired[bool]
    primary_key: NotRequired[list[str]]


class Component(models.Model):
    """A kind of work; built-in ones are kept in step with the code at every migrate."""

    key = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=100)
    type = models.CharField(max_length=20, choices=ComponentType.choices, db_index=True)
    summary = models.CharField(max_length=300, blank=True)
    documentation = models.TextField(blank=True, help_text="Markdown.")
    icon = models.CharField(max_length=50, default="puzzle", help_text="Name in the icon sprite.")
    schema = models.JSONField(default=dict, help_text="JSON schema of the parameters.")
    has_input = models.BooleanField(default=False, help_text="Reads Storage tables.")
    has_output = models.BooleanField(default=False, help_text="Writes Storage tables.")
    can_test = models.BooleanField(default=False, help_text="Offers Test connection.")
    is_active = models.BooleanField(default=True, help_text="Offered for new configurations.")
    time_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds; empty means the installation's limit."
    )
    memory_limit_mb = models.PositiveIntegerField(
        null=True, blank=True, help_text="MB; empty means the installation's limit."
    )
    max_parallel = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Jobs at once; empty means no limit of its own.",
    )

    class Meta:
        ordering = ["name"]
        permissions = [
            ("view_project", "See everything in the project"),
            ("operate_project", "Run, terminate, enable and disable"),
            ("edit_project", "Create, change and delete"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("component", args=[self.key])


class Configuration(models.Model):
    """Saved parameters and mappings for one component; secrets in it are cipher text.

    `key` is what files call it: given by the first export or by a file, it stays over renames.
    """

    component = models.ForeignKey(
        Component, on_delete=models.PROTECT, related_name="configurations"
    )
    key = models.CharField(
        max_length=100, null=True, blank=True, unique=True, editable=False, help_text="In files."
    )
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    input = models.JSONField(default=list, blank=True, help_text="List of InputMapping.")
    output = models.JSONField(default=list, blank=True, help_text="List of OutputMapping.")
    state = models.JSONField(
        default=dict, blank=True, help_text="What the component remembers between jobs."
    )
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
        return reverse("configuration", args=[self.pk])


class ConfigurationVersion(models.Model):
    """What a configuration was after one save; never changed."""

    configuration = models.ForeignKey(
        Configuration, on_delete=models.CASCADE, related_name="versions"
    )
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    parameters = models.JSONField(default=dict)
    input = models.JSONField(default=list)
    output = models.JSONField(default=list)
    change = models.CharField(max_length=500, help_text="What changed, as a sentence.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["configuration", "number"], name="one_configuration_version_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.change}"
