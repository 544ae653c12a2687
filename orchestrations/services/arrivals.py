"""Files that arrive where triggers look: each counts once, when it has stayed the same for a while.

What was there when the trigger was set up does not count. A file that is written anew counts again;
one that was away and comes back as it was does not, so that a disk that was not there for a while
is no arrival of all that is on it. Two workers may look at once: the one that wrote what it saw
first is right, and the other one's look is forgotten.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from orchestrations.enums import TriggerKind
from orchestrations.models import Trigger, TriggerFile
from orchestrations.queries.triggers import active_triggers
from orchestrations.scheduling.triggers import Came, note_events
from orchestrations.services.places import Found, MissingPlace, PlaceError, look
from orchestrator_site.lib.durations import format_bytes
from orchestrator_site.lib.errors import new_reference
from orchestrator_site.lib.patience import NoAnswer, ask

# It is complete when it was not written to for so long.
STILL = timedelta(seconds=5)
# One that is gone is remembered for so long.
REMEMBERED = timedelta(days=7)
PATIENCE = 30.0  # seconds
LONGEST_PROBLEM = 500
OURS = "Something went wrong on our side."

logger = logging.getLogger(__name__)
_looking = threading.Lock()


def watch_files(now: datetime | None = None) -> int:
    """Look at the places of all triggers that wait for files; return how many arrived.

    One that cannot be looked at says why. One look at a time in a process.
    """
    if not _looking.acquire(blocking=False):
        return 0
    try:
        waiting = active_triggers().filter(kind=TriggerKind.FILES).order_by("pk")
        return sum(look_at(trigger, now) for trigger in list(waiting))
    finally:
        _looking.release()


def look_at(trigger: Trigger, now: datetime | None = None) -> int:
    """Look at one trigger's place; return how many files have arrived there."""
    begun = now or timezone.now()
    strange: list[str] = []
    try:
        found = ask(
            f"place {trigger.place} {trigger.pattern}",
            lambda: look(trigger.place, trigger.pattern, strange),
            seconds=PATIENCE,
        )
        return _note(trigger, found, begun, now or timezone.now(), problem=_strange(strange))
    except MissingPlace as error:  # as if it were empty: what is there later is new
        return _note(trigger, [], begun, now or timezone.now(), problem=str(error))
    except PlaceError as error:
        problem = str(error)
    except NoAnswer:
        problem = f"This place does not answer within {PATIENCE:.0f} seconds."
    except (InterfaceError, OperationalError):  # of all of them
        raise
    except Exception:
        problem = trigger.problem
        if not problem.startswith(OURS):  # the log has it once, not every ten seconds
            reference = new_reference()
            logger.exception("Trigger %d, error %s.", trigger.pk, reference)
            problem = f"{OURS} Reference: {reference}."
    Trigger.objects.filter(pk=trigger.pk).update(problem=problem[:LONGEST_PROBLEM])
    return 0


def _strange(names: Sequence[str]) -> str:
    """Say which files are left out; empty where none is."""
    if not names:
        return ""
    shown = ascii(names[0])[1:-1]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"Left out: “{shown[:100]}”{more}; no run can be given such a name."


@transaction.atomic
def _note(
    trigger: Trigger, found: Iterable[Found], begun: datetime, ended: datetime, problem: str = ""
) -> int:
    """Write what a look saw that took from one moment to another; return how many arrived."""
    rows = Trigger.objects.select_for_update(no_key=True).filter(
        pk=trigger.pk, place=trigger.place, pattern=trigger.pattern, deleted_at=None
    )
    locked = rows.first()
    # It was changed, removed or looked at by another worker while its place was read.
    if locked is None or locked.looked_at != trigger.looked_at:
        return 0
    files = {each.name: each for each in found}
    # Of those that are gone only what is back: there may be very many.
    rows_here = Q(gone_at=None) | Q(name__in=list(files))
    known = {row.name: row for row in locked.files.filter(rows_here)}
    is_first = locked.looked_at is None
    written, back, waiting, complete = [], [], [], []
    for name, each in files.items():
        row = known.get(name)
        if row is None or row.stamp != each.stamp or (row.gone_at and not row.is_noted):
            # What came since the trigger was set up, or changed, waited for this look.
            is_noted = is_first and each.came_at <= locked.updated_at
            written.append(_file(locked, each, ended, is_noted=is_noted))
        elif row.gone_at:
            back.append(row.pk)
        elif row.seen_at > ended:  # by a clock that was set back since
            waiting.append(row.pk)
        elif not row.is_noted and begun - row.seen_at >= STILL:
            complete.append(row)
    TriggerFile.objects.bulk_create(
        written,
        update_conflicts=True,
        unique_fields=["trigger", "name"],
        update_fields=["stamp", "seen_at", "gone_at", "is_noted"],
    )
    locked.files.filter(pk__in=back).update(gone_at=None)
    locked.files.filter(pk__in=waiting).update(seen_at=ended)
    locked.files.filter(pk__in=[row.pk for row in complete]).update(is_noted=True)
    gone = [row.pk for name, row in known.items() if name not in files]
    locked.files.filter(pk__in=gone, gone_at=None).update(gone_at=ended)
    locked.files.filter(gone_at__lt=ended - REMEMBERED).delete()
    rows.update(looked_at=ended, problem=problem)
    return note_events(trigger.pk, [_came(row, files[row.name], ended) for row in complete])


def _file(trigger: Trigger, file: Found, at: datetime, *, is_noted: bool) -> TriggerFile:
    return TriggerFile(
        trigger=trigger, name=file.name, stamp=file.stamp, seen_at=at, is_noted=is_noted
    )


def _came(row: TriggerFile, file: Found, at: datetime) -> Came:
    details = {
        "kind": "file",
        "file": file.where,
        "words": f"{file.name} arrived, {format_bytes(file.bytes)}",
    }
    name = hashlib.sha256(file.name.encode(errors="surrogateescape")).hexdigest()[:32]
    # By when it was first seen as it is: what it was like before may come back, and counts again.
    return Came(f"file:{row.seen_at.isoformat()}:{name}", at, details)
