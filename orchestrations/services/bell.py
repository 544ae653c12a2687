"""The bell in the top bar: what failed, and what one's own runs came to, since one last looked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.contrib.auth.models import User
from django.utils import timezone

from orchestrations.enums import DeliveryStatus, OutageKind, RunStatus, StartedBy
from orchestrations.models import BellLook, Delivery, Outage, Run

KEPT = timedelta(days=7)
SHOWN = 15
MOST = 99  # counted
GOOD_ENDS = (RunStatus.SUCCESS, RunStatus.WARNING)
BY_HAND = (StartedBy.MANUAL, StartedBy.RETRY)


@dataclass(frozen=True)
class Note:
    """One thing to know: a run that ended, a message that did not arrive, or an outage."""

    at: datetime
    is_new: bool
    run: Run | None = None
    delivery: Delivery | None = None
    outage: Outage | None = None


@dataclass(frozen=True)
class Bell:
    """What the bell tells, newest first; `unread` is cut off at 99."""

    notes: list[Note]
    unread: int


def bell_of(user: User, *, now: datetime | None = None) -> Bell:
    """Return what the bell tells a person; five queries, however much happened.

    Failed runs of all orchestrations, messages that were given up, the ends of one's own runs by
    hand, and times in which nothing fired, of the last seven days. Runs inside others and tests
    are left out: those who want to know see them where they belong.
    """
    now = now or timezone.now()
    since = now - KEPT
    look = BellLook.objects.filter(user=user).values_list("at", flat=True).first()
    seen = max(look, since) if look else since
    found = [
        *(Note(run.ended_at, run.ended_at > seen, run=run) for run in _runs(user) if run.ended_at),
        *(Note(m.ended_at, m.ended_at > seen, delivery=m) for m in _given_up() if m.ended_at),
        *(Note(o.began_at, o.noticed_at > seen, outage=o) for o in _outages()),
    ]
    notes = sorted((n for n in found if n.at > since), key=lambda note: note.at, reverse=True)
    unread = sum(note.is_new for note in notes)
    return Bell(list(islice(notes, SHOWN)), min(unread, MOST))


def mark_seen(user: User, *, now: datetime | None = None) -> None:
    """Note that a person has seen all that the bell tells now; safe to call twice."""
    BellLook.objects.update_or_create(user=user, defaults={"at": now or timezone.now()})


def _runs(user: User) -> list[Run]:
    """Return the latest of the runs to tell of: by their number, which an index has in order."""
    runs = Run.objects.select_related("orchestration").order_by("-pk")
    runs = runs.filter(orchestration__deleted_at=None)
    failed = runs.filter(status=RunStatus.ERROR).exclude(started_by=StartedBy.NESTED)
    own = runs.filter(created_by=user, started_by__in=BY_HAND, status__in=GOOD_ENDS)
    return [*failed[: MOST + 1], *own[: MOST + 1]]


def _given_up() -> list[Delivery]:
    given_up = Delivery.objects.filter(
        status=DeliveryStatus.GIVEN_UP, run__isnull=False, orchestration__deleted_at=None
    )
    return list(given_up.select_related("orchestration").order_by("-pk")[: MOST + 1])


def _outages() -> list[Outage]:
    return list(Outage.objects.filter(kind=OutageKind.SILENCE)[: MOST + 1])
