"""How long runs of orchestrations usually take: the mean of the last 20 that finished."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from functools import reduce
from operator import or_

from django.db.models import OuterRef, Q, QuerySet, Subquery

from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Orchestration, Run

USUAL_OF = 20
READY_OF = 50
# A run that somebody stopped says nothing of how long one takes.
FINISHED = (RunStatus.SUCCESS, RunStatus.WARNING, RunStatus.ERROR)
AT_ONCE = 200  # SQLite refuses expressions that are too deep


def usual_durations(orchestration_ids: Iterable[int]) -> dict[int, timedelta]:
    """Return the mean duration of each orchestration's last 20 finished runs.

    One without a finished run is left out. Two queries for up to 200 orchestrations.
    """
    return {pk: mean(found) for pk, found in durations_of(orchestration_ids).items()}


def durations_of(orchestration_ids: Iterable[int]) -> dict[int, list[timedelta]]:
    """Return what the last 20 finished runs of each orchestration took; as `usual_durations`."""
    ids = sorted(set(orchestration_ids))
    lasted: defaultdict[int, list[timedelta]] = defaultdict(list)
    for start in range(0, len(ids), AT_ONCE):
        for run in _last_runs(ids[start : start + AT_ONCE]):
            if run.started_at and run.ended_at:
                lasted[run.orchestration_id].append(run.ended_at - run.started_at)
    return dict(lasted)


def times_to_ready(orchestration_id: int) -> list[timedelta]:
    """Return what the last 50 runs that did their work took, newest first.

    Those of a schedule count from when they were made: what they waited for is a part of it.
    """
    runs = Run.objects.filter(
        orchestration=orchestration_id,
        status__in=(RunStatus.SUCCESS, RunStatus.WARNING),
        selected__isnull=True,
        started_at__isnull=False,
        ended_at__isnull=False,
    ).order_by("-pk")
    rows = runs.values_list("started_by", "created_at", "started_at", "ended_at")[:READY_OF]
    return [
        ended - (made if started_by == StartedBy.SCHEDULE else began)
        for started_by, made, began, ended in rows
        if began is not None and ended is not None
    ]


def mean(durations: list[timedelta]) -> timedelta:
    """Return the mean of durations, of which there is one at least."""
    return sum(durations, timedelta()) / len(durations)


def _last_runs(ids: list[int]) -> QuerySet[Run]:
    """Return the last finished runs of each orchestration, found by the oldest of them.

    Two walks along an index, however long the history is.
    """
    finished = Run.objects.filter(
        status__in=FINISHED, started_at__isnull=False, ended_at__isnull=False
    )
    newest = finished.filter(orchestration=OuterRef("pk")).order_by("-pk")
    oldest = Orchestration.objects.filter(pk__in=ids).annotate(
        oldest=Subquery(newest.values("pk")[USUAL_OF - 1 : USUAL_OF])
    )
    wanted = [Q(orchestration=o.pk, pk__gte=o.oldest or 0) for o in oldest]
    chosen = finished.filter(reduce(or_, wanted)) if wanted else finished.none()
    return chosen.only("orchestration_id", "started_at", "ended_at")
