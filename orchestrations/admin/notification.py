"""Notifications, and the messages they made, in the admin panel; addresses are never shown whole.

Who is told is changed on the page of the orchestration, which makes a version of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from orchestrations.exceptions import NotAllowed
from orchestrations.models import BellLook, Delivery, Notification, SigningSecret
from orchestrations.services.deliveries import try_again
from orchestrator_site.lib.panel import Operated, ReadOnly, as_json

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    NotificationBase = admin.ModelAdmin[Notification]
    DeliveryBase = admin.ModelAdmin[Delivery]
    SecretBase = admin.ModelAdmin[SigningSecret]
    LookBase = admin.ModelAdmin[BellLook]
else:
    NotificationBase = DeliveryBase = SecretBase = LookBase = admin.ModelAdmin


@admin.register(Notification)
class NotificationAdmin(ReadOnly, NotificationBase):
    """Who is told of what."""

    fields = (
        "orchestration",
        "event",
        "channel",
        "recipient",
        "threshold",
        "key",
        "created_by",
        "created_at",
    )
    list_display = ("orchestration", "event", "channel", "recipient", "threshold", "created_by")
    list_filter = ("event", "channel", "created_at")
    list_select_related = ("orchestration", "created_by")
    search_fields = ("orchestration__name", "recipient")


@admin.register(Delivery)
class DeliveryAdmin(Operated, ReadOnly, DeliveryBase):
    """What was sent to whom, and what the receivers answered."""

    fields = (
        "orchestration",
        "run",
        "event",
        "channel",
        "recipient",
        "subject",
        "status",
        "tries",
        "answer_status",
        "answer",
        "next_try_at",
        "give_up_at",
        "created_at",
        "ended_at",
        "content",
    )
    list_display = (
        "created_at",
        "orchestration",
        "run",
        "event",
        "recipient",
        "status",
        "tries",
        "answer_status",
    )
    list_filter = ("status", "event", "channel", "created_at")
    list_select_related = ("orchestration", "run")
    search_fields = ("orchestration__name", "recipient", "subject", "answer", "=run__id")
    show_full_result_count = False
    actions = ("try_again",)

    @admin.display(description="Content")
    def content(self, delivery: Delivery) -> SafeString:
        return as_json(delivery.payload)

    @admin.action(description="Try again now", permissions=["operate"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        tried = 0
        for delivery in queryset:
            try:
                try_again(delivery)
            except NotAllowed as error:
                self.message_user(request, f"{delivery}: {error.message}", messages.WARNING)
            else:
                tried += 1
        if tried:
            self.message_user(request, f"Messages tried again: {tried}.", messages.SUCCESS)


@admin.register(SigningSecret)
class SigningSecretAdmin(ReadOnly, SecretBase):
    """Which orchestrations sign their webhooks, and since when; never with what."""

    fields = ("orchestration", "renewed_at")
    list_display = fields
    list_select_related = ("orchestration",)
    search_fields = ("orchestration__name",)


@admin.register(BellLook)
class BellLookAdmin(ReadOnly, LookBase):
    """Who last looked at the bell when."""

    list_display = ("user", "at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
