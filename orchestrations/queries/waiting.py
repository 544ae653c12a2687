"""What queued runs wait for, and their places in the line; constant queries, however many runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from django.urls import reverse

from components.queries.waiting import Place
from orchestrations.enums import ACTIVE_RUN, QUEUED_RUN, UNFINISHED_RUN
from orchestrations.models import Run
from orchestrations.queries.durations import usual_durations


class _Waiter(NamedTuple):
    pk: int
    orchestration: int
    status: str
    started_at: datetime | None


def run_places(runs: Iterable[Run]) -> dict[int, Place]:
    """Return the place of each of these runs that is queued behind another, by id; three queries.

    In line are the runs of one orchestration, the one that runs first; one that has nothing before
    it begins at once, and has no place.
    """
    queued = [run for run in runs if run.status in QUEUED_RUN]
    if not queued:
        return {}
    lines = _lines({run.orchestration_id for run in queued})
    usual = usual_durations(pk for pk, line in lines.items() if line[0].status in ACTIVE_RUN)
    places = {}
    for run in queued:
        line = lines.get(run.orchestration_id, [])
        number = next((i for i, waiter in enumerate(line) if waiter.pk == run.pk), 0)
        if number:
            places[run.pk] = _behind(line[0], number, usual)
    return places


def _lines(orchestrations: set[int]) -> dict[int, list[_Waiter]]:
    """Return the unfinished runs by orchestration: the one that has begun first."""
    rows = Run.objects.filter(
        orchestration__in=orchestrations, status__in=UNFINISHED_RUN
    ).values_list("pk", "orchestration", "status", "started_at")
    lines: dict[int, list[_Waiter]] = {}
    for row in rows:
        waiter = _Waiter(*row)
        lines.setdefault(waiter.orchestration, []).append(waiter)
    for line in lines.values():
        line.sort(key=lambda waiter: (waiter.status in QUEUED_RUN, waiter.pk))
    return lines


def _behind(first: _Waiter, number: int, usual: dict[int, timedelta]) -> Place:
    expected = usual.get(first.orchestration)
    return Place(
        position=number,
        behind=f"run {first.pk}",
        url=reverse("run", args=[first.pk]),
        has_begun=first.status in ACTIVE_RUN,
        ends_at=first.started_at + expected if first.started_at and expected else None,
    )
