"""Runs as pages and programs read them; each function asks a constant number of questions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from orchestrations.enums import ACTIVE_RUN, FINISHED_TASK, QUEUED_RUN, RunStatus
from orchestrations.models import Orchestration, Run
from orchestrations.queries.durations import usual_durations

FAILURES_SHOWN = 10
RUNNING_SHOWN = 50
DAY = timedelta(hours=24)


class Outcome(StrEnum):
    """The tabs of a run list; a run that a person stopped is in neither of the narrower ones."""

    ALL = "all"
    SUCCESSFUL = "successful"
    FAILED = "failed"


OUTCOMES: dict[Outcome, Sequence[RunStatus]] = {
    Outcome.ALL: tuple(RunStatus),
    Outcome.SUCCESSFUL: (RunStatus.SUCCESS, RunStatus.WARNING),
    Outcome.FAILED: (RunStatus.ERROR,),
}


@dataclass(frozen=True)
class RunPage:
    """Some runs, newest first; `after` asks for the next page, None on the last."""

    runs: list[Run]
    after: int | None


@dataclass(frozen=True)
class Running:
    """An unfinished run with its progress; `expected_end` is None without a history."""

    run: Run
    done: int
    total: int
    expected_end: datetime | None


@dataclass(frozen=True)
class Dashboard:
    """What happened in the last 24 hours, what runs now, and what failed last."""

    counts: dict[RunStatus, int]
    running: list[Running]
    failures: list[Run]


def list_runs(
    orchestration: Orchestration | None = None,
    *,
    outcome: Outcome = Outcome.ALL,
    after: int | None = None,
    limit: int = 50,
) -> RunPage:
    """Return runs newest first, of one orchestration or of all; `after` is the last page's mark."""
    runs = listed()
    if orchestration is not None:
        runs = runs.filter(orchestration=orchestration)
    if outcome != Outcome.ALL:
        runs = runs.filter(status__in=OUTCOMES[outcome])
    if after is not None:
        runs = runs.filter(pk__lt=after)
    found = list(runs.order_by("-pk")[: limit + 1])
    more = len(found) > limit
    return RunPage(found[:limit], found[limit - 1].pk if more else None)


def last_runs(orchestration: Orchestration, limit: int = 50) -> list[Run]:
    """Return the latest runs that have ended and had begun, oldest first: the duration chart."""
    runs = Run.objects.filter(
        orchestration=orchestration, ended_at__isnull=False, started_at__isnull=False
    )
    return list(runs.order_by("-pk")[:limit])[::-1]


def dashboard(now: datetime | None = None) -> Dashboard:
    """Return what the dashboard shows of runs."""
    now = now or timezone.now()
    rows = Run.objects.filter(created_at__gte=now - DAY).order_by().values_list("status")
    counts = dict.fromkeys(RunStatus, 0)
    counts |= {RunStatus(status): count for status, count in rows.annotate(Count("pk"))}
    failures = listed().filter(status=RunStatus.ERROR).order_by("-pk")[:FAILURES_SHOWN]
    by_end = sorted(failures, key=lambda run: run.ended_at or now, reverse=True)
    return Dashboard(counts, running_now(), by_end)


def running_now() -> list[Running]:
    """Return unfinished runs, those that have begun first, with progress and expected end."""
    active = listed().filter(status__in=ACTIVE_RUN).order_by("pk")[:RUNNING_SHOWN]
    queued = listed().filter(status__in=QUEUED_RUN).order_by("pk")
    return progress_of([*active, *queued[: RUNNING_SHOWN - len(active)]])


def progress_of(runs: Sequence[Run]) -> list[Running]:
    """Return how far each of these runs is and when it will probably end; three queries."""
    if not runs:
        return []
    ended = Count("task_runs", filter=Q(task_runs__status__in=FINISHED_TASK))
    progress = {
        pk: (done, total)
        for pk, done, total in Run.objects.filter(pk__in=[run.pk for run in runs])
        .order_by()
        .annotate(done=ended, total=Count("task_runs"))
        .values_list("pk", "done", "total")
    }
    usual = usual_durations({run.orchestration_id for run in runs})
    return [
        Running(run, *progress.get(run.pk, (0, 0)), _expected(run, usual.get(run.orchestration_id)))
        for run in runs
    ]


def latest_runs(orchestration_ids: Iterable[int], limit: int = 20) -> list[Run]:
    """Return the last `limit` runs of each orchestration, oldest first, in two queries.

    The first seeks in the index where each one's list begins, so that a history of a million runs
    is not read.
    """
    newest = Run.objects.filter(orchestration=OuterRef("pk")).order_by("-pk").values("pk")
    begins = (
        Orchestration.objects.filter(pk__in=orchestration_ids)
        .annotate(begin=Coalesce(Subquery(newest[limit - 1 : limit]), 0))
        .values_list("pk", "begin")
    )
    wanted = Q(pk__in=[])
    for pk, begin in begins:
        wanted |= Q(orchestration=pk, pk__gte=begin)
    return list(Run.objects.filter(wanted).order_by("pk"))


def listed() -> QuerySet[Run]:
    """Return all runs with what their lists show of them."""
    return Run.objects.select_related(
        *("orchestration", "created_by", "schedule", "slot", "trigger__source"),
        *("retry_of", "terminated_by"),
    ).prefetch_related("trigger__tables")


def _expected(run: Run, usual: timedelta | None) -> datetime | None:
    return run.started_at + usual if run.started_at and usual else None
