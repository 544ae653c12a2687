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
from orchestrations.queries.health import AHEAD, silence
from orchestrations.scheduling.outages import note_silence
from orchestrations.services.messages import payload_of_outage
from orchestrations.services.notices import is_mail_set_up
from orchestrations.services.recipients import Address, InvalidAddress, read_address
from orchestrations.services.sending import Parcel, send

TRY_AGAIN = timedelta(seconds=60)
# After one was told the next is told no sooner: a scheduler that comes and goes floods nobody.
QUIET = timedelta(minutes=10)

logger = logging.getLogger(__name__)


def look(now: datetime) -> Outage | None:
    """Return the outage that lasts now, noted and told if it is new; None while all is well."""
    found = silence(now)
    if found is None:
        return None
    since, reason = found
    note_silence(since, reason)
    outage = Outage.objects.filter(kind=OutageKind.SILENCE, ended_at=None).first()
    if outage is not None and outage.told_at is None:
        tell_administrators(outage, now)
    return outage


def tell_administrators(outage: Outage, now: datetime) -> bool:
    """Send one message to each administrator; False where that is another's work, or for later.

    Whom it did not reach is tried again after a minute. An outage soon after one that was told is
    told if it still lasts when ten minutes are over.
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
        logger.error("%s Nothing fires since %s UTC.", outage.reason, f"{outage.began_at:%H:%M:%S}")
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
