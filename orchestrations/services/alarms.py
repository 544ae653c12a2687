"""Nothing fires: note it, and tell each administrator once, whichever process sees it first.

Workers and web servers look every few seconds: so it is told while the scheduler is down, and also
while the workers are.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q

from orchestrations.enums import Channel, OutageKind
from orchestrations.models import Outage
from orchestrations.queries.health import AHEAD, STOPPED, silence
from orchestrations.scheduling.outages import note_silence
from orchestrations.services.messages import payload_of_outage
from orchestrations.services.notices import is_mail_set_up
from orchestrations.services.recipients import Address, InvalidAddress, read_address
from orchestrations.services.sending import Parcel, send

TRY_AGAIN = timedelta(seconds=60)
# After one was told the next is told no sooner: a scheduler that comes and goes floods nobody.
QUIET = timedelta(minutes=10)
# One that is over is told of for so long, if nobody could tell of it before.
AFTERWARDS = timedelta(minutes=10)

logger = logging.getLogger(__name__)


def look(now: datetime) -> Outage | None:
    """Return the outage that lasts now, noted and told if it is new; None while all is well.

    Also tells of one that just ended while nobody could tell: the database was away, or all of the
    machine. A scheduler that was told to stop, and began again, is no news afterwards.
    """
    found = silence(now)
    if found is not None:
        note_silence(*found)
    silences = Outage.objects.filter(kind=OutageKind.SILENCE)
    just_ended = Q(ended_at__gt=now - AFTERWARDS) & ~Q(reason=STOPPED)
    for outage in silences.filter(Q(ended_at=None) | just_ended, told_at=None):
        tell_administrators(outage, now)
    return None if found is None else silences.filter(ended_at=None).first()


def tell_administrators(outage: Outage, now: datetime) -> bool:
    """Send one message to each administrator; False where that is another's work, or for later.

    Whom it did not reach is tried again after a minute. An outage soon after one that was told
    waits until ten minutes are over.
    """
    told = Outage.objects.filter(told_at__gt=now - QUIET, told_at__lte=now + AHEAD)
    if told.exclude(pk=outage.pk).exists():
        return False
    free = Q(tried_at=None) | Q(tried_at__lt=now - TRY_AGAIN) | Q(tried_at__gt=now + AHEAD)
    if not Outage.objects.filter(free, pk=outage.pk, told_at=None).update(tried_at=now):
        return False
    outage.refresh_from_db()
    receivers = administrators()
    if not receivers:
        logger.error("Nobody is to be told: %s", payload_of_outage(outage)["text"])
    for receiver in receivers:
        if receiver.digest not in outage.told and _send(outage, receiver):
            outage.told.append(receiver.digest)
    if all(receiver.digest in outage.told for receiver in receivers):
        outage.told_at = now
    outage.save(update_fields=["told", "told_at"])
    return outage.told_at is not None


def administrators() -> list[Address]:
    """Return who is told: ALARM_RECIPIENTS, or the e-mail addresses of active administrators."""
    texts = settings.ALARM_RECIPIENTS
    if not texts and is_mail_set_up():
        people = User.objects.filter(is_active=True, is_superuser=True).exclude(email="")
        texts = list(people.order_by("pk").values_list("email", flat=True))
    found = []
    for text in dict.fromkeys(texts):
        try:
            found.append(read_address(text))
        except InvalidAddress as error:
            logger.warning("A recipient of alarms cannot be used: %s", error)
    return found


def _send(outage: Outage, receiver: Address) -> bool:
    parcel = Parcel(
        id=outage.pk,
        channel=Channel(receiver.channel),
        address=receiver.stored,
        payload=payload_of_outage(outage),
        secret="",
        created=int(outage.noticed_at.timestamp()),
        at=int(time.time()),
    )
    outcome = send(parcel)
    if not outcome.is_sent:
        logger.warning("The alarm did not reach %s: %s", receiver.shown, outcome.answer)
    return outcome.is_sent
