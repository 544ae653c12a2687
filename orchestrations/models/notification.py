"""Who is told what of an orchestration's runs, and what became of each message."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from orchestrations.enums import Channel, DeliveryStatus, NotificationEvent
from orchestrations.models.orchestration import Orchestration
from orchestrations.models.run import Run


class Notification(models.Model):
    """One recipient of one kind of event.

    `address` is an e-mail address, or the cipher text of a URL: whoever has a Slack or Teams URL
    can write there. `address_digest` tells two of them apart without reading them.
    """

    orchestration = models.ForeignKey(
        Orchestration, on_delete=models.CASCADE, related_name="notifications"
    )
    key = models.CharField(max_length=40, help_text="Stays the same over saves and restores.")
    event = models.CharField(max_length=20, choices=NotificationEvent.choices)
    channel = models.CharField(max_length=20, choices=Channel.choices, default=Channel.EMAIL)
    address = models.TextField()
    address_digest = models.CharField(max_length=64, editable=False)
    recipient = models.CharField(
        max_length=300, editable=False, help_text="The address as people may see it."
    )
    threshold = models.PositiveIntegerField(
        null=True, blank=True, help_text="Processing: % longer than usual; Waiting: minutes."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["orchestration", "key"], name="one_notification_per_key"
            ),
            models.UniqueConstraint(
                fields=["orchestration", "event", "channel", "address_digest"],
                name="one_notification_per_recipient",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_event_display()}: {self.recipient}"


class SigningSecret(models.Model):
    """What an orchestration's webhooks are signed with; made when it is first needed."""

    orchestration = models.OneToOneField(
        Orchestration, on_delete=models.CASCADE, related_name="signing_secret"
    )
    cipher = models.TextField(editable=False, help_text="Encrypted.")
    renewed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Signing secret of {self.orchestration}"


class Delivery(models.Model):
    """One message to one recipient, tried again with growing pauses until `give_up_at`.

    `run` is None for a test message. `payload` is what a webhook is sent, `recipient` the address
    as people may see it.
    """

    orchestration = models.ForeignKey(
        Orchestration, on_delete=models.CASCADE, related_name="deliveries"
    )
    run = models.ForeignKey(
        Run, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    event = models.CharField(max_length=20, choices=NotificationEvent.choices)
    channel = models.CharField(max_length=20, choices=Channel.choices)
    address = models.TextField(help_text="As in Notification.")
    address_digest = models.CharField(max_length=64, editable=False)
    recipient = models.CharField(max_length=300)
    subject = models.CharField(max_length=300)
    payload = models.JSONField(default=dict)
    status = models.CharField(
        max_length=20, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING
    )
    tries = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="A worker is sending it since."
    )
    next_try_at = models.DateTimeField(null=True, blank=True)
    give_up_at = models.DateTimeField()
    answer_status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="HTTP.")
    answer = models.TextField(blank=True, help_text="The beginning of the answer, or the error.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["run", "event", "channel", "address_digest"],
                name="one_delivery_per_run_and_recipient",
            )
        ]
        indexes = [
            models.Index(fields=["orchestration", "-id"], name="delivery_orchestration"),
            models.Index(
                fields=["-id"],
                condition=Q(status=DeliveryStatus.GIVEN_UP),
                name="delivery_given_up",
            ),
            models.Index(
                fields=["next_try_at"],
                condition=Q(status=DeliveryStatus.PENDING),
                name="delivery_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"

    @property
    def what(self) -> str:
        """What it tells of, in a word; the events' own names are plural."""
        words = {NotificationEvent.ERROR: "Error", NotificationEvent.WARNING: "Warning"}
        event = NotificationEvent(self.event)
        return words.get(event, event.label) if self.run_id else "Test"


class BellLook(models.Model):
    """When somebody last looked at the bell: what is younger is counted there."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="bell_look"
    )
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user}, {self.at:%Y-%m-%d %H:%M}"
