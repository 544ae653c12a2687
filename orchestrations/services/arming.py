"""When a schedule is due next, and what becomes of the time in which it was off.

The orchestration and the schedule are locked by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone as clock

from orchestrations.enums import Misfire
from orchestrations.models import Orchestration, Schedule
from orchestrations.scheduling.decision import Downtime
from orchestrations.scheduling.slots import SwitchedOn, fire_due, latest, upcoming
from orchestrations.services.projection import project
from orchestrations.services.ready_by import lead_for
from orchestrator_site.lib import cron as crons

INSTANT = timedelta(microseconds=1)
# So many moments of the time off get a slot each; of more, only those that run.
MOST_WRITTEN = 1000


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


def arm(schedule: Schedule, now: datetime) -> None:
    """Set the next due moment after `now`; nothing before it is made up for."""
    if not is_on(schedule):
        schedule.next_fire_at = None
        schedule.off_since = schedule.off_since and now
        return
    schedule.lead = lead_for(schedule)
    due_at = upcoming(schedule, now + schedule.ahead)
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
    misfire policy.
    """
    now = clock.now()
    if is_on(schedule):
        if schedule.next_fire_at is None:
            _wake(schedule, now, catch_up)
        schedule.save()
    else:
        if schedule.off_since is None:
            schedule.off_by = user
        schedule.save()
        # Moments that are due already get their slot, which says that it was switched off.
        settle(schedule.pk, now)
        in_trash = schedule.orchestration.deleted_at is not None
        schedule.next_fire_at = None
        schedule.off_since = None if in_trash else schedule.off_since or now
        schedule.save()
    project(schedule, enabled=is_on(schedule))


def missed_of(schedule: Schedule, now: datetime) -> Missed | None:
    """Return what a schedule has missed while it was off; None where that is nothing."""
    if schedule.off_since is None:
        return None
    found = [m for m in _moments_off(schedule, schedule.off_since, now) if not m.held]
    if not found:
        return None
    counted = found[:MOST_WRITTEN]
    is_more = len(found) > MOST_WRITTEN
    return Missed(schedule, len(counted), is_more, schedule.off_since, counted[-1].at)


def missed_of_all(orchestrations: Sequence[Orchestration], now: datetime) -> list[Missed]:
    """Return what would be made up for if these orchestrations were switched on."""
    rows = Schedule.objects.filter(
        orchestration__in=orchestrations,
        orchestration__is_enabled=False,
        is_enabled=True,
        deleted_at=None,
        off_since__isnull=False,
    )
    rows = rows.select_related("orchestration", "calendar").order_by("orchestration", "pk")
    return [missed for row in rows if (missed := missed_of(row, now)) is not None]


def _wake(schedule: Schedule, now: datetime, catch_up: CatchUp | None) -> None:
    since, words = schedule.off_since, _off_words(schedule)
    catch_up = catch_up or CatchUp(Misfire(schedule.misfire), schedule.misfire_limit)
    arm(schedule, now)
    first = None if since is None else _first(schedule, since, now, catch_up)
    if since is None or first is None:
        return
    following = schedule.next_fire_at
    schedule.next_fire_at = first - schedule.ahead
    schedule.save()
    off = Downtime(since, now, words)
    settle(schedule.pk, now, SwitchedOn(catch_up.misfire, catch_up.limit, off))
    schedule.next_fire_at = following


def _off_words(schedule: Schedule) -> str:
    by = f" by {schedule.off_by.get_username()}" if schedule.off_by else ""
    return f"It was switched off{by}"


def _first(
    schedule: Schedule, since: datetime, now: datetime, catch_up: CatchUp
) -> datetime | None:
    """Return the first moment of the time off that gets a slot."""
    moments = _moments_off(schedule, since, now)
    if len(moments) <= MOST_WRITTEN:
        return moments[0].at if moments else None
    wanted = {Misfire.SKIP: 0, Misfire.LAST: 1, Misfire.ALL: catch_up.limit}[catch_up.misfire]
    after, until = _span(schedule, since, now)
    found = latest(schedule, after, until, wanted)
    return found[0].at if found else None


def _moments_off(schedule: Schedule, since: datetime, now: datetime) -> list[crons.Occurrence]:
    after, until = _span(schedule, since, now)
    return crons.occurrences_between(
        schedule.cron, schedule.timezone, after, until, MOST_WRITTEN + 1, schedule.rules
    )


def _span(schedule: Schedule, since: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Return after and until when moments were missed, within the schedule's valid from and to."""
    horizon = now + schedule.ahead
    after = since + schedule.ahead
    if schedule.valid_from is not None:
        after = max(after, schedule.valid_from - INSTANT)
    return after, min(horizon, schedule.valid_to or horizon)
