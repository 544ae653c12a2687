"""What the timeline shows: runs that were, that are, and those that will probably be."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db.models import Q, QuerySet

from orchestrations.enums import ACTIVE_RUN, QUEUED_RUN, Overlap
from orchestrations.insights.forecast import Expected, Running, Start, Usual, percentile, replay
from orchestrations.models import Orchestration, Run, Schedule
from orchestrations.queries.durations import durations_of
from orchestrations.queries.schedules import active_schedules, moments_ahead
from orchestrator_site.lib.cron import CronError, ZoneError

MOST_STARTS = 20_000
MOST_RUNS = 5_000
AHEAD = timedelta(days=7)


@dataclass(frozen=True)
class Ahead:
    """When a run that has not ended will probably process from now on."""

    run: int
    orchestration: int
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Forecast:
    """What is expected from now on; `until` comes earlier than asked for where there is too much.

    `unreadable` are schedules whose expression or zone cannot be read.
    """

    expected: list[Expected]
    usual: dict[int, Usual]
    until: datetime
    unreadable: list[int]
    unfinished: list[Ahead] = field(default_factory=list)


def forecast(
    now: datetime, until: datetime, *, without: int | None = None, most: int = MOST_STARTS
) -> Forecast:
    """Replay the coming starts of all schedules that are on, until a moment.

    Those of the schedule `without` are left out. A constant number of queries, and `most` starts.
    """
    schedules = list(
        active_schedules()
        .filter(next_fire_at__isnull=False, next_fire_at__lte=until)
        .select_related("calendar")
    )
    schedules = [schedule for schedule in schedules if schedule.pk != without]
    unreadable: list[int] = []
    streams = [_starts(schedule, until, unreadable) for schedule in schedules]
    merged = list(islice(heapq.merge(*streams, key=lambda each: each[:2]), most + 1))
    if len(merged) > most:
        until = merged[-1][0]
    starts = [start for _, _, start in merged[:most]]
    active = list(Run.objects.filter(status__in=ACTIVE_RUN, started_at__isnull=False))
    queued = Run.objects.filter(status__in=QUEUED_RUN).order_by("pk")
    line = list(queued.values_list("pk", "orchestration_id")[:most])
    waiting = [orchestration for _, orchestration in line]
    ids = {start.orchestration for start in starts} | {run.orchestration_id for run in active}
    usual = usual_of(ids.union(waiting))
    running = [
        Running(run.orchestration_id, _end_of(run, usual.get(run.orchestration_id), now))
        for run in active
    ]
    expected = replay(starts, usual, running, waiting, now=now, limit=settings.JOB_LIMIT)
    unfinished = _unfinished(active, line, usual, now)
    return Forecast(expected, usual, until, unreadable, unfinished)


def _unfinished(
    active: Sequence[Run], line: Sequence[tuple[int, int]], usual: dict[int, Usual], now: datetime
) -> list[Ahead]:
    """Return what is left of the runs that process, and then those in line, one after another."""
    found = [
        Ahead(run.pk, run.orchestration_id, now, _end_of(run, usual.get(run.orchestration_id), now))
        for run in active
    ]
    free = {ahead.orchestration: ahead.ends_at for ahead in found}
    for run, orchestration in line:
        begins = free.get(orchestration, now)
        free[orchestration] = begins + usual.get(orchestration, Usual()).p50
        found.append(Ahead(run, orchestration, begins, free[orchestration]))
    return found


def usual_of(orchestration_ids: set[int]) -> dict[int, Usual]:
    """Return how long runs of each take, by the last 20 that finished; others are left out."""
    return {
        pk: Usual(percentile(found, 50), percentile(found, 90))
        for pk, found in durations_of(orchestration_ids).items()
    }


def runs_between(
    begin: datetime, end: datetime, orchestrations: Sequence[Orchestration]
) -> list[Run]:
    """Return the runs of some orchestrations that processed at some time between, oldest first."""
    rows: QuerySet[Run] = Run.objects.filter(
        Q(ended_at__gte=begin) | Q(ended_at=None),
        orchestration__in=[o.pk for o in orchestrations],
        started_at__isnull=False,
        started_at__lt=end,
    )
    return list(rows.order_by("-pk")[:MOST_RUNS])[::-1]


def _starts(
    schedule: Schedule, until: datetime, unreadable: list[int]
) -> Iterator[tuple[datetime, int, Start]]:
    overlap = Overlap(schedule.overlap)
    try:
        for at in moments_ahead(schedule):
            if at > until:
                return
            yield at, schedule.pk, Start(at, schedule.orchestration_id, schedule.pk, overlap)
    except (CronError, ZoneError):
        unreadable.append(schedule.pk)


def _end_of(run: Run, usual: Usual | None, now: datetime) -> datetime:
    """Return when a run will probably end: as usual, later where it takes longer already."""
    usual = usual or Usual()
    began = run.started_at or now
    for length in (usual.p50, usual.p90):
        if began + length > now:
            return began + length
    return now + timedelta(minutes=1)
