"""Who is told of an orchestration's runs, and the messages that were sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field, JsonValue

from components.api.base import ERRORS, PageQuery, needs, newest_first, page_of, user_of
from orchestrations.api.orchestrations import existing
from orchestrations.enums import Channel, DeliveryStatus, NotificationEvent
from orchestrations.models import Delivery, Notification, Orchestration
from orchestrations.services import deliveries
from orchestrations.services import notifications as service
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW

router = Router(tags=["Notifications"])
EMAIL: dict[str, JsonValue] = {"event": "error", "address": "ann@example.com"}
SLACK: dict[str, JsonValue] = {
    "event": "processing",
    "address": "https://hooks.slack.com/services/T0/B0/secret",
    "threshold": 30,
}
RECIPIENT: dict[str, JsonValue] = {
    "key": "5f0c2a9b",
    "event": "error",
    "channel": "slack",
    "address": "https://hooks.slack.com/…a1B2",
    "threshold": None,
}
DELIVERY: dict[str, JsonValue] = {
    "id": 31,
    "orchestration": 7,
    "run": 90,
    "event": "error",
    "channel": "email",
    "recipient": "ann@example.com",
    "subject": "[Orchestrator] Nightly: Error",
    "status": "sent",
    "tries": 1,
    "next_try_at": None,
    "answer_status": None,
    "answer": "Accepted by the mail server.",
    "created_at": "2026-11-22T06:01:14Z",
    "ended_at": "2026-11-22T06:01:15Z",
}


class NotificationIn(Schema):
    """A recipient of one kind of event.

    `address` is an e-mail address, a URL, or one of this orchestration's as the answers show it.
    The channel is recognised from the address where it is left out. `threshold` is for Processing
    (% longer than usual, usually 20) and Waiting (minutes, usually 60) alone.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EMAIL})
    event: NotificationEvent
    address: str
    channel: Channel | None = None
    threshold: int | None = None
    key: Annotated[str, Field(max_length=40)] = ""


class NotificationsIn(Schema):
    """The whole list; what is not in it is removed.

    `fingerprint` is that of the list that was edited: sent along, a list that somebody else
    changed meanwhile is not overwritten.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"notifications": [EMAIL, SLACK]}}
    )
    notifications: list[NotificationIn]
    fingerprint: str | None = None


class NotificationOut(Schema):
    """A recipient; of a URL only the host and the last characters are shown."""

    model_config = ConfigDict(json_schema_extra={"example": RECIPIENT})
    key: str
    event: NotificationEvent
    channel: Channel
    address: str
    threshold: int | None

    @staticmethod
    def resolve_address(row: Notification) -> str:
        return row.recipient


class NotificationsOut(Schema):
    """The recipients of all events."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"notifications": [RECIPIENT], "fingerprint": "9f2c41d0"}}
    )
    notifications: list[NotificationOut]
    fingerprint: str


class TestIn(Schema):
    """Whom to send a test: the key of a notification."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"key": "5f0c2a9b"}})
    key: str


class DeliveryOut(Schema):
    """One message; `run` is None for a test, `answer` the beginning of what the receiver said."""

    model_config = ConfigDict(json_schema_extra={"example": DELIVERY})
    id: int
    orchestration: int
    run: int | None
    event: NotificationEvent
    channel: Channel
    recipient: str
    subject: str
    status: DeliveryStatus
    tries: int
    next_try_at: datetime | None
    answer_status: int | None
    answer: str
    created_at: datetime
    ended_at: datetime | None

    @staticmethod
    def resolve_orchestration(delivery: Delivery) -> int:
        return delivery.orchestration_id

    @staticmethod
    def resolve_run(delivery: Delivery) -> int | None:
        return delivery.run_id


class DeliveryPage(Schema):
    """Messages, newest first; send `next` as `after` for the ones before."""

    model_config = page_of(DELIVERY, 31)
    items: list[DeliveryOut]
    next: int | None


class DeliveryQuery(PageQuery):
    """Which messages are wanted."""

    status: DeliveryStatus | None = None
    event: NotificationEvent | None = None
    run: int | None = None


@router.get(
    "/orchestrations/{int:pk}/notifications",
    response={200: NotificationsOut, **ERRORS},
    auth=needs(VIEW),
)
def list_notifications(request: HttpRequest, pk: int) -> dict[str, Any]:
    """List who is told of what."""
    return _all(get_object_or_404(existing(), pk=pk))


@router.put(
    "/orchestrations/{int:pk}/notifications",
    response={200: NotificationsOut, **ERRORS},
    auth=needs(EDIT),
)
def save_notifications(request: HttpRequest, pk: int, body: NotificationsIn) -> dict[str, Any]:
    """Put this list in place of the present one."""
    orchestration = get_object_or_404(existing(), pk=pk)
    wanted: Any = [item.dict() for item in body.notifications]
    service.save_notifications(
        orchestration, wanted, user=user_of(request), expected=body.fingerprint
    )
    return _all(orchestration)


@router.post(
    "/orchestrations/{int:pk}/notifications/test",
    response={200: DeliveryOut, **ERRORS},
    auth=needs(EDIT),
)
def test_notification(request: HttpRequest, pk: int, body: TestIn) -> Delivery:
    """Send a test to one recipient, wait for it, and say what became of it."""
    orchestration = get_object_or_404(existing(), pk=pk)
    notification = get_object_or_404(orchestration.notifications.all(), key=body.key)
    return deliveries.send_test(notification, user=user_of(request))


@router.get(
    "/orchestrations/{int:pk}/deliveries", response={200: DeliveryPage, **ERRORS}, auth=needs(VIEW)
)
def list_deliveries(request: HttpRequest, pk: int, query: Query[DeliveryQuery]) -> dict[str, Any]:
    """List the messages of an orchestration, newest first."""
    rows = get_object_or_404(existing(), pk=pk).deliveries.all()
    wanted = {name: getattr(query, name) for name in ("status", "event", "run")}
    return newest_first(rows.filter(**{k: v for k, v in wanted.items() if v is not None}), query)


@router.post(
    "/deliveries/{int:pk}/retry", response={202: DeliveryOut, **ERRORS}, auth=needs(OPERATE)
)
def retry_delivery(request: HttpRequest, pk: int) -> Status[Delivery]:
    """Try a message that has not arrived again at once."""
    found = Delivery.objects.filter(orchestration__in=existing())
    return Status(202, deliveries.try_again(get_object_or_404(found, pk=pk)))


def _all(orchestration: Orchestration) -> dict[str, Any]:
    return {
        "notifications": service.notifications_of(orchestration),
        "fingerprint": service.fingerprint(orchestration),
    }
