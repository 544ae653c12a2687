"""When a schedule is due next, and what becomes of the time in which it was off.

The orchestration and the schedule are locked by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User

from orchestrations.enums import Misfire, Overlap
from orchestrations.models import Orchestration, Schedule
from orchestrations.scheduling.decision import Downtime
from orchestrations.scheduling.slots import UNREADABLE, SwitchedOn, fire_due, latest, upcoming
from orchestrations.services.projection import project
from orchestrations.services.ready_by import lead_for
from orchestrator_site.lib import cron as crons
from orchestrator_site.lib.database_clock import database_now

INSTANT = timedelta(microseconds=1)
# So many moments of the time off get a slot each; of more, only those that run.
MOST_WRITTEN = 1000
# The question counts so many moments of all schedules together, and some of each, at most.
MOST_COUNTED, LEAST_COUNTED = 20_000, 10
# It looks for them this many times further where a calendar holds the first ones.
FARTHER = 20


@dataclass(frozen=True)
class CatchUp:
    """What to do about the moments missed while a schedule was off, in place of its own policy."""

    misfire: Misfire
    limit: int = 10


@dataclass(frozen=True)
class Missed:
    """What a schedule that is off has missed: `count` moments, or more where `is_more`."""

    schedule: Schedule
    count: int
    is_more: bool
    since: datetime
    last: datetime


def is_on(schedule: Schedule) -> bool:
    """Tell whether a schedule and its orchestration are switched on and not removed."""
    orchestration = schedule.orchestration
    return (
        schedule.is_enabled
        and schedule.deleted_at is None
        and orchestration.is_enabled
        and orchestration.deleted_at is None
    )


def arm(schedule: Schedule, now: datetime, *, was_on: bool = False) -> None:
    """Set the next due moment after `now`; nothing before it is made up for.

    Of one that `was_on` all is decided that it would have started by now with the lead that it had.
    One that cannot be read is due at once: it gets the slot that says so.
    """
    before = schedule.ahead
    schedule.lead = lead_for(schedule)
    if not is_on(schedule):
        schedule.next_fire_at = None
        schedule.off_since = schedule.off_since and now
        return
    # A lead that grew leaves moments between that were not due yet: they start at once.
    ahead = min(before, schedule.ahead) if was_on else schedule.ahead
    try:
        due_at = upcoming(schedule, now + ahead)
    except UNREADABLE:
        due_at = now + schedule.ahead
    schedule.next_fire_at = due_at and due_at - schedule.ahead
    schedule.off_since = schedule.off_by = None


def settle(schedule_id: int, now: datetime, switched: SwitchedOn | None = None) -> None:
    """Decide all that was due of a schedule up to `now`, as it stands in the database."""
    while fire_due(now, only=schedule_id, switched=switched).more:
        pass


def switch(
    schedule: Schedule, *, user: User | None = None, catch_up: CatchUp | None = None
) -> None:
    """Save a schedule whose switch, or whose orchestration's, was turned, and do as it says.

    Switched on, the moments since it was off are decided at once: by `catch_up`, else by its own
    misfire policy. What somebody chose to run is run, also where runs would skip each other.
    """
    now = database_now()
    if is_on(schedule):
        if schedule.next_fire_at is None:
            _wake(schedule, now, user, catch_up)
        schedule.save()
    else:
        # One that was never on has missed nothing.
        was_on = schedule.next_fire_at is not None
        if schedule.off_since is None and was_on:
            schedule.off_by = user
        schedule.save()
        # Moments that are due already get their slot, which says that it was switched off.
        settle(schedule.pk, now)
        schedule.next_fire_at = None
        schedule.off_since = schedule.off_since or (now if was_on else None)
        schedule.save()
    project(schedule, enabled=is_on(schedule))


def rouse(schedule: Schedule, now: datetime) -> None:
    """Let a schedule that sleeps since one of its moments was rejected go on after that moment.

    What it slept through is decided by its own policies. Raises CronError and ZoneError where it
    still cannot be read.
    """
    last = schedule.slots.order_by("-due_at").first()
    if last is None or not is_on(schedule) or schedule.next_fire_at is not None:
        return
    schedule.lead = lead_for(schedule)
    due_at = upcoming(schedule, last.due_at)
    schedule.next_fire_at = due_at and due_at - schedule.ahead
    schedule.off_since = schedule.off_by = None
    schedule.save()
    switched = SwitchedOn(
        Misfire(schedule.misfire),
        schedule.misfire_limit,
        Downtime(last.due_at, now, "It slept after an error"),
        overlap=Overlap(schedule.overlap),
        window=schedule.misfire_window,
    )
    settle(schedule.pk, now, switched)


def missed_of(schedule: Schedule, now: datetime, *, most: int = MOST_WRITTEN) -> Missed | None:
    """Return what a schedule has missed while it was off; None where that is nothing.

    Moments that a calendar holds or that fall into a pause are not missed. Counts up to `most`.
    """
    try:
        return None if schedule.off_since is None else _missed(schedule, now, most)
    except UNREADABLE:
        return None


def _missed(schedule: Schedule, now: datetime, most: int) -> Missed | None:
    assert schedule.off_since is not None  # noqa: S101  # the caller looks
    after, until = _span_of_runs(schedule, _off(schedule, now))
    # Started early, while its lead was longer.
    slots = schedule.slots.filter(due_at__gt=after, due_at__lte=until)
    decided = set(slots.values_list("due_at", flat=True))
    last = [m.at for m in latest(schedule, after, until, len(decided) + 1) if m.at not in decided]
    if not last:
        return None
    count, is_more = _count(schedule, after, until, most, decided)
    return Missed(schedule, max(count, 1), is_more, schedule.off_since, last[-1])


def missed_of_all(orchestrations: Sequence[Orchestration], now: datetime) -> list[Missed]:
    """Return what would be made up for if these orchestrations were switched on."""
    rows = Schedule.objects.filter(
        orchestration__in=orchestrations,
        orchestration__is_enabled=False,
        is_enabled=True,
        deleted_at=None,
        off_since__isnull=False,
    )
    found = list(
        rows.select_related("orchestration", "calendar", "off_by").order_by("orchestration", "pk")
    )
    share = MOST_COUNTED // max(len(found), 1)
    most = min(max(share, LEAST_COUNTED), MOST_WRITTEN)
    every = [missed_of(row, now, most=most) for row in found]
    return [missed for missed in every if missed is not None]


@dataclass(frozen=True)
class _Off:
    """When a schedule was off, and how long before their moments it started before and after."""

    since: datetime
    until: datetime
    ahead_before: timedelta
    ahead: timedelta


def _off(schedule: Schedule, now: datetime) -> _Off:
    """Return the time off of a schedule that is still off: its lead is as it was then."""
    assert schedule.off_since is not None  # noqa: S101  # the callers look
    ahead = timedelta(seconds=lead_for(schedule))
    return _Off(schedule.off_since, now, schedule.ahead, ahead)


def _wake(schedule: Schedule, now: datetime, user: User | None, catch_up: CatchUp | None) -> None:
    words = _off_words(schedule)
    off = None if schedule.off_since is None else _off(schedule, now)
    arm(schedule, now)
    chosen = catch_up or CatchUp(Misfire(schedule.misfire), schedule.misfire_limit)
    first = None
    with suppress(*UNREADABLE):
        first = None if off is None else _first(schedule, off, chosen)
    if off is None or first is None:
        return
    following = schedule.next_fire_at
    schedule.next_fire_at = first - schedule.ahead
    schedule.save()
    switched = SwitchedOn(
        chosen.misfire,
        chosen.limit,
        Downtime(off.since, now, words),
        overlap=Overlap(schedule.overlap) if catch_up is None else Overlap.QUEUE_ALL,
        window=schedule.misfire_window if catch_up is None else None,
        chosen_by=user.get_username() if user and catch_up else "",
    )
    settle(schedule.pk, now, switched)
    schedule.next_fire_at = following


def _off_words(schedule: Schedule) -> str:
    by = f" by {schedule.off_by.get_username()}" if schedule.off_by else ""
    return f"It was switched off{by}"


def _first(schedule: Schedule, off: _Off, catch_up: CatchUp) -> datetime | None:
    """Return the first moment of the time off that gets a slot."""
    after, until = _span(schedule, off)
    moments = _moments(schedule, after, until, MOST_WRITTEN)
    if len(moments) <= MOST_WRITTEN:
        return moments[0].at if moments else None
    wanted = {Misfire.SKIP: 0, Misfire.LAST: 1, Misfire.ALL: catch_up.limit}[catch_up.misfire]
    found = latest(schedule, *_span_of_runs(schedule, off), wanted)
    return found[0].at if found else None


def _count(
    schedule: Schedule, after: datetime, until: datetime, most: int, decided: AbstractSet[datetime]
) -> tuple[int, bool]:
    """Return how many moments in (after, until] could run, and whether there may be more."""
    count = 0
    for _ in range(FARTHER):
        moments = _moments(schedule, after, until, most)
        count += sum(not moment.held and moment.at not in decided for moment in moments)
        if count > most:
            return most, True
        if len(moments) <= most:
            return count, False
        after = moments[-1].at
    return count, True


def _moments(
    schedule: Schedule, after: datetime, until: datetime, most: int
) -> list[crons.Occurrence]:
    """Return the first moments in (after, until], held ones too; one more than `most` at most."""
    return crons.occurrences_between(
        schedule.cron, schedule.timezone, after, until, most + 1, schedule.rules
    )


def _span(schedule: Schedule, off: _Off) -> tuple[datetime, datetime]:
    """Return after and until when moments lie that could not start while the schedule was off.

    Within its valid from and to. What it would have started before it was off is decided, with the
    lead that it had then.
    """
    horizon = off.until + off.ahead
    after = off.since + off.ahead_before
    if schedule.valid_from is not None:
        after = max(after, schedule.valid_from - INSTANT)
    return after, min(horizon, schedule.valid_to or horizon)


def _span_of_runs(schedule: Schedule, off: _Off) -> tuple[datetime, datetime]:
    """Return that part of the span which is not in a pause."""
    after, until = _span(schedule, off)
    if schedule.paused_until is not None:
        after = max(after, schedule.paused_until + off.ahead - INSTANT)
    return after, until
