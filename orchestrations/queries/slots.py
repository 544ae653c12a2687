"""Reading what became of due moments, for the list of an orchestration's schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from orchestrations.models import Orchestration, Schedule, Slot
from orchestrations.queries.schedules import next_run_of, words
from orchestrator_site.lib import cron as crons

RECENT = 5
# A scheduler decides within a second or two.
OVERDUE = timedelta(seconds=10)


@dataclass(frozen=True)
class ScheduleLine:
    """A schedule in the list of its orchestration; `slots` holds the last five, newest first.

    `next_run_at` is None while nothing is due. `words` says when it fires, with the zone.
    `is_paused` tells whether it is now; `is_overdue` that a moment is past and nothing decided it.
    """

    schedule: Schedule
    words: str
    next_run_at: datetime | None
    slots: list[Slot] = field(default_factory=list)
    is_paused: bool = False
    is_overdue: bool = False


def schedule_lines(orchestration: Orchestration) -> list[ScheduleLine]:
    """Return an orchestration's schedules, oldest first; three queries, however many there are."""
    rows = orchestration.schedules.filter(deleted_at=None)
    schedules = list(rows.select_related("calendar", "paused_by", "off_by").order_by("pk"))
    recent, now = recent_slots(schedules), timezone.now()
    return [
        ScheduleLine(
            schedule,
            words(schedule),
            _next_run(schedule),
            recent.get(schedule.pk, []),
            is_paused=schedule.paused_until is not None and schedule.paused_until > now,
            is_overdue=schedule.next_fire_at is not None and schedule.next_fire_at < now - OVERDUE,
        )
        for schedule in schedules
    ]


def _next_run(schedule: Schedule) -> datetime | None:
    try:
        return next_run_of(schedule)
    except crons.CronError:  # what cannot be read does not run; its line says so in other words
        return None


def recent_slots(schedules: Sequence[Schedule], n: int = RECENT) -> dict[int, list[Slot]]:
    """Return the last `n` slots of each schedule by its id, newest first, with their runs."""
    # The n-th newest is found by index for each schedule; a window over all slots would read them.
    oldest = Slot.objects.filter(schedule=OuterRef("pk")).order_by("-due_at").values("due_at")
    since = Schedule.objects.filter(pk__in=[s.pk for s in schedules]).values_list(
        "pk", Subquery(oldest[n - 1 : n])
    )
    wanted = Q(pk__in=[])
    for pk, due_at in since:
        wanted |= Q(schedule=pk, due_at__gte=due_at) if due_at else Q(schedule=pk)
    found: dict[int, list[Slot]] = {}
    for slot in Slot.objects.filter(wanted).select_related("run").order_by("-due_at"):
        found.setdefault(slot.schedule_id, []).append(slot)
    return found
