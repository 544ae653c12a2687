"""Times in which nothing fired, and jumps of the clock: written down by whoever notices first.

A scheduler that comes back writes down since when nobody was seen; workers and web servers do so
while it lasts. However many notice it, one row lasts at a time (a partial unique index).
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from orchestrations.enums import OutageKind
from orchestrations.models import Outage
from orchestrations.queries.health import AHEAD, silence
from orchestrations.scheduling.decision import Downtime
from orchestrator_site.lib.database_clock import database_now
from orchestrator_site.lib.durations import humanize

REASON_LENGTH = 500


class ClockWatch:
    """Compares the database's clock with the one here that only ever goes on, from look to look.

    Sleep of the whole machine counts as a jump: on Linux the monotonic clock stands still in it.
    """

    def __init__(self) -> None:
        self._last: tuple[datetime, float] | None = None

    def look(self) -> tuple[datetime, datetime | None]:
        """Return the present moment, and what it should be where the clock jumped, else None."""
        before = time.monotonic()
        now = database_now()
        return now, self.jumped_from(now, before, time.monotonic())

    def jumped_from(self, now: datetime, before: float, after: float) -> datetime | None:
        """Return what `now` should be where it jumped since the last look, else None.

        It was read between the steady moments `before` and `after`, in seconds: where the answer
        took long, nobody knows when it was given.
        """
        last, self._last = self._last, (now, after)
        if last is None:
            return None
        expected = last[0] + timedelta(seconds=after - last[1])
        doubt = AHEAD + timedelta(seconds=after - before)
        return expected if abs(now - expected) > doubt else None


def note_silence(since: datetime, reason: str) -> Outage | None:
    """Write down that nothing fires; None where that is known already."""
    return _write(Outage(kind=OutageKind.SILENCE, began_at=since, reason=reason[:REASON_LENGTH]))


def note_jump(expected: datetime, now: datetime, host: str) -> Outage | None:
    """Write down that the clock of a host says `now` where it should say `expected`."""
    by = humanize(round(abs((now - expected).total_seconds())))
    forward = f"The clock of {host} jumped forward by {by}: it was set, or the machine slept."
    back = f"The clock of {host} was set back by {by}."
    return _write(
        Outage(
            kind=OutageKind.CLOCK,
            began_at=min(expected, now),
            ended_at=max(expected, now),
            reason=(forward if now > expected else back)[:REASON_LENGTH],
        )
    )


def end_silence(now: datetime) -> None:
    """Note that schedules are on time again; safe to call at any time."""
    lasting = Outage.objects.filter(kind=OutageKind.SILENCE, ended_at=None)
    if lasting.exists() and silence(now) is None:
        lasting.update(ended_at=now)


def downtimes(since: datetime, now: datetime) -> list[Downtime]:
    """Return the times from `since` to `now` in which due moments may have been missed."""
    rows = Outage.objects.filter(Q(ended_at=None) | Q(ended_at__gte=since), began_at__lte=now)
    words = {OutageKind.SILENCE: "Nothing fired", OutageKind.CLOCK: "The clock jumped"}
    return [
        Downtime(row.began_at, row.ended_at or now, words[OutageKind(row.kind)])
        for row in rows.order_by("began_at")
    ]


def _write(outage: Outage) -> Outage | None:
    try:
        with transaction.atomic():
            outage.save(force_insert=True)
    except IntegrityError:
        return None
    return outage
