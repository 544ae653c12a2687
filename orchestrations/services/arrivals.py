"""Files that arrive where triggers look: each counts once, when it has stayed the same for a while.

What was there at the first look does not count. A file that is written anew counts again; one that
was away and comes back as it was does not, so that a disk that was not there for a while is no
arrival of all that is on it. Two workers may look at once: a file is told by its name and its
stamp, and what is told twice counts once.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from orchestrations.enums import TriggerKind
from orchestrations.models import Trigger, TriggerFile
from orchestrations.queries.triggers import active_triggers
from orchestrations.scheduling.triggers import note_event
from orchestrations.services.places import Found, PlaceError, look
from orchestrator_site.lib.durations import format_bytes
from orchestrator_site.lib.errors import new_reference

# It is complete when it was not written to for so long.
STILL = timedelta(seconds=5)
# One that is gone is remembered for so long.
REMEMBERED = timedelta(days=7)
LONGEST_PROBLEM = 500

logger = logging.getLogger(__name__)
_looking = threading.Lock()


def watch_files(now: datetime | None = None) -> int:
    """Look at the places of all triggers that wait for files; return how many arrived.

    One that cannot be looked at says why. One look at a time in a process: a place that hangs takes
    one thread of a worker and no more.
    """
    if not _looking.acquire(blocking=False):
        return 0
    try:
        waiting = active_triggers().filter(kind=TriggerKind.FILES).order_by("pk")
        return sum(look_at(trigger, now or timezone.now()) for trigger in list(waiting))
    finally:
        _looking.release()


def look_at(trigger: Trigger, now: datetime) -> int:
    """Look at one trigger's place; return how many files have arrived there."""
    try:
        return _note(trigger, look(trigger.place, trigger.pattern), now)
    except PlaceError as error:
        problem = str(error)
    except (InterfaceError, OperationalError):  # of all of them
        raise
    except Exception:
        reference = new_reference()
        logger.exception("Trigger %d, error %s.", trigger.pk, reference)
        problem = f"Something went wrong on our side. Reference: {reference}."
    Trigger.objects.filter(pk=trigger.pk).update(problem=problem[:LONGEST_PROBLEM])
    return 0


@transaction.atomic
def _note(trigger: Trigger, found: Iterable[Found], now: datetime) -> int:
    rows = Trigger.objects.select_for_update(no_key=True).filter(
        pk=trigger.pk, place=trigger.place, pattern=trigger.pattern, deleted_at=None
    )
    locked = rows.first()
    if locked is None:  # it was changed or removed while its place was read
        return 0
    found = list(found)
    # Of those that are gone only what is back: there may be very many.
    rows_here = Q(gone_at=None) | Q(name__in=[each.name for each in found])
    known = {row.name: row for row in locked.files.filter(rows_here)}
    is_first = locked.looked_at is None
    fresh, arrived = [], 0
    for each in found:
        row = known.pop(each.name, None)
        if row is None:
            fresh.append(
                TriggerFile(
                    trigger=locked,
                    name=each.name,
                    stamp=each.stamp,
                    seen_at=now,
                    is_noted=is_first,
                )
            )
        elif row.stamp != each.stamp or (row.gone_at and not row.is_noted):
            row.stamp, row.seen_at, row.is_noted, row.gone_at = each.stamp, now, False, None
            row.save()
        elif row.gone_at:
            row.gone_at = None
            row.save()
        elif row.seen_at > now:  # by a clock that was set back since
            row.seen_at = now
            row.save()
        elif not row.is_noted and now - row.seen_at >= STILL:
            row.is_noted = True
            row.save()
            arrived += _tell(locked, each, now)
    TriggerFile.objects.bulk_create(fresh)
    gone = locked.files.filter(pk__in=[row.pk for row in known.values()], gone_at=None)
    gone.update(gone_at=now)
    locked.files.filter(gone_at__lt=now - REMEMBERED).delete()
    rows.update(looked_at=now, problem="")
    return arrived


def _tell(trigger: Trigger, file: Found, now: datetime) -> bool:
    details = {
        "kind": "file",
        "file": file.where,
        "words": f"{file.name} arrived, {format_bytes(file.bytes)}",
        "variables": {"file": file.where},
    }
    name = hashlib.sha256(file.name.encode(errors="surrogateescape")).hexdigest()[:32]
    key = f"file:{file.stamp}:{name}"
    return note_event(trigger.pk, key, at=now, details=details)
