"""Who may call the API, and which calls were already answered."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from components.enums import AuditAction, AuditChannel, TokenScope


class ApiToken(models.Model):
    """A user's token; only its SHA-256 is stored, so that it is shown once."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scope = models.CharField(max_length=10, choices=TokenScope.choices, default=TokenScope.READ)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True, help_text="Address.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(models.Model):
    """The answer given to a POST with an Idempotency-Key, to be given again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_answer_per_key")]

    def __str__(self) -> str:
        return self.key


class RateCount(models.Model):
    """How many calls of one kind somebody made in one window, over all processes.

    `window` counts windows since 1970; rows of windows that are over are deleted on the way.
    """

    key = models.CharField(max_length=64, help_text="SHA-256 of the kind and who it is.")
    window = models.BigIntegerField(db_index=True)
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "window"], name="one_count_per_window")
        ]

    def __str__(self) -> str:
        return f"{self.count} in {self.window}"


class AuditEntry(models.Model):
    """One change of one object: who, when, from where, and each field before and after.

    The object is named, not referred to, so that an entry outlives it; `about` is what it belongs
    to, as a schedule does to its orchestration (`orchestration:7`), or the object itself. `changes`
    is `{field: [before, after]}` with secrets named, not shown; long values are cut.
    """

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.CharField(max_length=200, help_text="Name at that time, or what did it.")
    channel = models.CharField(max_length=20, choices=AuditChannel.choices)
    address = models.GenericIPAddressField(null=True, blank=True)
    token_name = models.CharField(max_length=100, blank=True)
    action = models.CharField(max_length=20, choices=AuditAction.choices)
    object_type = models.CharField(max_length=50, help_text="Such as configuration.")
    object_id = models.CharField(max_length=40)
    object_name = models.CharField(max_length=300)
    about = models.CharField(max_length=100)
    changes = models.JSONField(default=dict)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_object"),
            models.Index(fields=["about", "-id"], name="audit_about"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.object_type} {self.object_name}"
