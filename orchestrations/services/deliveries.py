"""Sending messages: claimed by one worker, tried for 24 hours, the receiver's answer kept.

This is the only writer of a delivery's status. A message is claimed by a conditional UPDATE, so
that two workers never send it at the same time. A worker that dies between sending and noting it
leaves its claim behind; two minutes later the message is sent again: at least once, never lost. A
receiver can tell by the delivery's id, which stays the same over all tries.
"""

from __future__ import annotations

import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from orchestrations.enums import Channel, DeliveryStatus
from orchestrations.exceptions import NotAllowed
from orchestrations.models import Delivery, Notification
from orchestrations.services.messages import payload_of_test, subject_of
from orchestrations.services.notifications import signing_cipher
from orchestrations.services.sending import Outcome, Parcel, send
from orchestrations.tasks import deliver_messages
from orchestrator_site.lib.bell import ring

S = DeliveryStatus
LEASE = timedelta(minutes=2)  # longer than any sending takes
KEEP_TRYING = timedelta(hours=24)
FIRST_PAUSE = 30.0  # seconds; each further one is twice as long
LONGEST_PAUSE = 3600.0
JITTER = 0.2  # of a pause, up and down: a receiver that comes back is not met by all at once
BATCH = 32
AT_ONCE = 8

logger = logging.getLogger(__name__)
_busy = Lock()


def deliver_due() -> int:
    """Send all that is due, a few at once; return how many were tried.

    Of the threads of one worker process one sends and the others return at once, so that slow
    receivers hold up nothing else. Safe to call twice, at any time and from many workers.
    """
    tried = 0
    while _due(timezone.now()).exists():  # asked again after the lock is free: none is forgotten
        if not _busy.acquire(blocking=False):
            return tried
        try:
            while claimed := _claim_batch(timezone.now()):
                _send_all(claimed)
                tried += len(claimed)
        finally:
            _busy.release()
    return tried


def claim(delivery_id: int, now: datetime) -> Delivery | None:
    """Take a message that is due; None where another worker has it, or it is not due."""
    found = _due(now).filter(pk=delivery_id)
    if not found.update(claimed_at=now, tries=F("tries") + 1):
        return None
    return Delivery.objects.select_related("orchestration").get(pk=delivery_id)


def send_test(notification: Notification, *, user: User | None) -> Delivery:
    """Send a test to one recipient at once, in this thread, and return what became of it."""
    orchestration = notification.orchestration
    payload = payload_of_test(orchestration, by=user.get_username() if user else "")
    now = timezone.now()
    delivery = Delivery.objects.create(
        orchestration=orchestration,
        event=notification.event,
        channel=notification.channel,
        address=notification.address,
        address_digest=notification.address_digest,
        recipient=notification.recipient,
        subject=subject_of(payload),
        payload=payload,
        next_try_at=now,
        give_up_at=now,  # a test is tried once
        claimed_at=now,
        tries=1,
    )
    record(delivery, send(_parcel(delivery)), timezone.now())
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def try_again(delivery: Delivery) -> Delivery:
    """Have a message tried at once; one that was given up is tried for another 24 hours.

    Safe to call twice. Raises NotAllowed where it was sent, or is being sent now.
    """
    now = timezone.now()
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - LEASE)
    until = now if delivery.run_id is None else now + KEEP_TRYING
    again: dict[str, Any] = {
        "status": S.PENDING,
        "claimed_at": None,
        "next_try_at": now,
        "give_up_at": until,
        "ended_at": None,
    }
    waiting = Delivery.objects.filter(free, pk=delivery.pk, status__in=(S.PENDING, S.GIVEN_UP))
    if not waiting.update(**again):
        delivery.refresh_from_db()
        sent = delivery.status == S.SENT
        raise NotAllowed(
            "This message was sent already." if sent else "This message is being sent right now."
        )
    ring(deliver_messages)
    delivery.refresh_from_db()
    return delivery


def record(delivery: Delivery, outcome: Outcome, now: datetime) -> bool:
    """Note how a claimed message's try ended; False where the claim was lost meanwhile."""
    values: dict[str, Any] = {
        "claimed_at": None,
        "answer_status": outcome.status,
        "answer": outcome.answer,
    }
    again = now + timedelta(seconds=pause_after(delivery.tries, outcome.retry_after))
    if outcome.is_sent or not outcome.may_pass or again >= delivery.give_up_at:
        ended = S.SENT if outcome.is_sent else S.GIVEN_UP
        values |= {"status": ended, "next_try_at": None, "ended_at": now}
    else:
        values["next_try_at"] = again
    mine = Delivery.objects.filter(pk=delivery.pk, status=S.PENDING, tries=delivery.tries)
    if not outcome.is_sent:
        logger.info("Message %s was not delivered: %s", delivery.pk, outcome.answer[:200])
    return bool(mine.update(**values))


def pause_after(tries: int, asked: float | None = None, *, chance: float | None = None) -> float:
    """Return the seconds until the next try: growing, spread, and never less than was asked for.

    `chance` from 0 to 1 takes the place of the dice.
    """
    pause: float = min(FIRST_PAUSE * 2 ** min(tries - 1, 20), LONGEST_PAUSE)
    dice = random.random() if chance is None else chance  # noqa: S311  # no secret
    return max(pause * (1 - JITTER + 2 * JITTER * dice), asked or 0.0)


def _due(now: datetime) -> QuerySet[Delivery]:
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - LEASE)
    return Delivery.objects.filter(free, status=S.PENDING, next_try_at__lte=now)


def _claim_batch(now: datetime) -> list[Delivery]:
    ids = list(_due(now).order_by("next_try_at", "pk").values_list("pk", flat=True)[:BATCH])
    return [found for pk in ids if (found := claim(pk, now))]


def _send_all(deliveries: list[Delivery]) -> None:
    """Send claimed messages side by side; this thread alone talks to the database."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="deliver") as pool:
        jobs = {pool.submit(send, _parcel(delivery)): delivery for delivery in deliveries}
        for job in as_completed(jobs):
            record(jobs[job], job.result(), timezone.now())


def _parcel(delivery: Delivery) -> Parcel:
    """Return all that sending needs, so that it asks the database for nothing."""
    signed = delivery.channel == Channel.WEBHOOK
    return Parcel(
        id=delivery.pk,
        channel=Channel(delivery.channel),
        address=delivery.address,
        payload=delivery.payload,
        secret=signing_cipher(delivery.orchestration) if signed else "",
        created=int(delivery.created_at.timestamp()),
        at=int(time.time()),
    )
