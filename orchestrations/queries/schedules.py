"""Reading schedules: what a page, the status page and the nightly check want to know."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.db.models import F, Q, QuerySet

from orchestrations.models import Schedule
from orchestrator_site.lib import cron as crons

# How many moments of one schedule are looked up at first, and then at a time.
AHEAD, MOST_AHEAD = 5, 320
MOST_PAUSED = 50
MOST_CHECKED = 100_000
# A moment may be decided so late before it counts as missing.
GRACE = timedelta(minutes=2)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Coming:
    """One coming start of one schedule, in UTC."""

    at: datetime
    schedule: Schedule


@dataclass(frozen=True)
class SlotCount:
    """How many moments were due, and those that have no slot: none, by invariant I2."""

    due: int
    missing: list[datetime]


def active_schedules() -> QuerySet[Schedule]:
    """Return the schedules that were not removed, of orchestrations that are not in the trash."""
    return Schedule.objects.filter(deleted_at=None, orchestration__deleted_at=None)


def words(schedule: Schedule) -> str:
    """Say in words when a schedule fires; what cannot be read is shown as it is stored."""
    try:
        return crons.describe(schedule.cron, schedule.timezone)
    except crons.CronError:
        return str(schedule)


def coming(n: int = 10) -> list[Coming]:
    """Return the next `n` moments of all schedules that are on, soonest first; two queries.

    Moments that fall in a pause, those after a schedule's end, and schedules that cannot be read
    are left out.
    """
    ready = active_schedules().filter(next_fire_at__isnull=False)
    ready = ready.select_related("orchestration", "calendar")
    is_paused = Q(paused_until__gt=F("next_fire_at"))
    soonest = ready.exclude(is_paused).order_by("next_fire_at", "pk")[:n]
    paused = ready.filter(is_paused).order_by("paused_until", "pk")[:MOST_PAUSED]
    merged = heapq.merge(*(_readable(schedule) for schedule in (*soonest, *paused)))
    return [Coming(at, schedule) for at, _, schedule in islice(merged, n)]


def _readable(schedule: Schedule) -> Iterator[tuple[datetime, int, Schedule]]:
    with suppress(crons.CronError, crons.ZoneError):
        yield from _ahead(schedule)


def next_run_of(schedule: Schedule) -> datetime | None:
    """Return when a schedule will start its next run: its next due moment outside of a pause."""
    return next((at for at, _, _ in _ahead(schedule)), None)


def moments_ahead(schedule: Schedule) -> Iterator[datetime]:
    """Yield when a schedule starts from its next due moment on, without pauses and what is held.

    Raises CronError and ZoneError.
    """
    return (at for at, _, _ in _ahead(schedule))


def overdue(now: datetime) -> timedelta:
    """Return how long the earliest undecided moment has been due: the lag of the scheduler."""
    due = Schedule.objects.filter(next_fire_at__lte=now).order_by("next_fire_at")
    earliest = due.values_list("next_fire_at", flat=True).first()
    return timedelta() if earliest is None else now - earliest


def slot_count(schedule: Schedule, now: datetime, *, back: timedelta) -> SlotCount:
    """Count the due moments of the last `back` of a schedule that is on, and those without a slot.

    Looks back to the last change at most, since the schedule may have said something else before,
    and leaves out what is younger than two minutes. Raises CronError and ZoneError.
    """
    if schedule.next_fire_at is None:
        return SlotCount(0, [])
    after = max(schedule.updated_at + schedule.ahead, now - back)
    if schedule.valid_from is not None:
        after = max(after, schedule.valid_from - INSTANT)
    # What is due and not decided yet is the scheduler's lag, and no missing slot.
    undecided = schedule.next_fire_at + schedule.ahead - INSTANT
    until = min(now - GRACE, schedule.valid_to or now, undecided)
    due = crons.occurrences_between(
        schedule.cron, schedule.timezone, after, until, MOST_CHECKED, schedule.rules
    )
    written = set(
        schedule.slots.filter(due_at__gt=after, due_at__lte=until).values_list("due_at", flat=True)
    )
    return SlotCount(len(due), [moment.at for moment in due if moment.at not in written])


def _ahead(schedule: Schedule) -> Iterator[tuple[datetime, int, Schedule]]:
    """Yield the coming moments of one schedule with a key that never ties between two schedules."""
    start = schedule.next_fire_at
    if start is None:
        return
    after = max(start, schedule.paused_until or start) + schedule.ahead - INSTANT
    n = AHEAD
    while True:
        found = crons.occurrences(schedule.cron, schedule.timezone, after, n, schedule.rules)
        for occurrence in found:
            if schedule.valid_to is not None and occurrence.at > schedule.valid_to:
                return
            if not occurrence.held:
                yield occurrence.at - schedule.ahead, schedule.pk, schedule
        if len(found) < n:
            return
        after, n = found[-1].at, min(2 * n, MOST_AHEAD)
