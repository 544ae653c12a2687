"""Notifications and messages as pages read them, each by a constant number of questions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Max

from orchestrations.enums import Channel, DeliveryStatus, NotificationEvent
from orchestrations.models import Delivery, Notification, Orchestration, Run

EVENTS = tuple(NotificationEvent)
OF_A_RUN = 20  # messages shown on its page


@dataclass(frozen=True)
class RecipientRow:
    """One recipient with all that they are told of; `last` is the latest message, or None.

    `key` is that of one of their notifications.
    """

    key: str
    recipient: str
    channel: Channel
    events: list[str] = field(default_factory=list)
    last: Delivery | None = None

    @property
    def is_url(self) -> bool:
        """Whether messages are posted to it."""
        return self.channel != Channel.EMAIL


@dataclass(frozen=True)
class EventRow:
    """Who is told of one kind of event; `threshold` is the number that it takes, if any."""

    event: NotificationEvent
    recipients: list[str]
    threshold: int | None

    @property
    def first(self) -> str:
        """The recipient that is named."""
        return self.recipients[0]

    @property
    def others(self) -> int:
        """How many more there are."""
        return len(self.recipients) - 1


@dataclass(frozen=True)
class MessagePage:
    """Some messages, newest first; `after` asks for the next page, None on the last."""

    messages: list[Delivery]
    after: int | None


def recipient_rows(orchestration: Orchestration) -> list[RecipientRow]:
    """Return each recipient once, in the order of the events, with their latest message."""
    rows = _in_order(orchestration.notifications.all())
    latest = (
        orchestration.deliveries.filter(address_digest__in={row.address_digest for row in rows})
        .order_by()
        .values("address_digest", "channel")
        .annotate(latest=Max("pk"))
        .values_list("latest", flat=True)
    )
    messages = {
        (m.address_digest, m.channel): m for m in Delivery.objects.filter(pk__in=list(latest))
    }
    found: dict[tuple[str, str], RecipientRow] = {}
    for row in rows:
        at = (row.address_digest, row.channel)
        line = found.setdefault(
            at, RecipientRow(row.key, row.recipient, Channel(row.channel), [], messages.get(at))
        )
        line.events.append(NotificationEvent(row.event).label)
    return list(found.values())


def event_rows(orchestration: Orchestration) -> list[EventRow]:
    """Return who is told, by kind of event; kinds that nobody is told of are left out."""
    found: dict[NotificationEvent, EventRow] = {}
    for row in _in_order(orchestration.notifications.all()):
        event = NotificationEvent(row.event)
        line = found.setdefault(event, EventRow(event, [], row.threshold))
        line.recipients.append(row.recipient)
    return list(found.values())


def list_messages(
    orchestration: Orchestration,
    *,
    status: str = "",
    event: str = "",
    after: int | None = None,
    limit: int = 50,
) -> MessagePage:
    """Return messages newest first; an empty filter means all, `after` is the last page's mark."""
    found = orchestration.deliveries.select_related("run").order_by("-pk")
    if status in DeliveryStatus.values:
        found = found.filter(status=status)
    if event in NotificationEvent.values:
        found = found.filter(event=event)
    if after is not None:
        found = found.filter(pk__lt=after)
    page = list(found[: limit + 1])
    return MessagePage(page[:limit], page[limit - 1].pk if len(page) > limit else None)


def messages_of_run(run: Run) -> list[Delivery]:
    """Return what was sent of a run, oldest first."""
    return list(run.deliveries.order_by("pk")[:OF_A_RUN])


def _in_order(rows: Iterable[Notification]) -> list[Notification]:
    return sorted(rows, key=lambda row: (EVENTS.index(NotificationEvent(row.event)), row.pk))
