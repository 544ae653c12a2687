"""What queued jobs wait for, and their places in the line; constant queries, however many jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from components.enums import ACTIVE_JOB, QUEUED_JOB, UNFINISHED_JOB, JobStatus
from components.models import Component, Configuration, Job

USUAL_OF = 20  # finished jobs that make up what is usual
TEENS = range(11, 14)
ENDINGS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True)
class Place:
    """Where a queued run or job stands.

    `position` counts from 1, the next to begin; None where it waits for a moment (`starts_at`) and
    not in a line. Either `behind` names what begins or runs before it ("run 41"), or `what` says
    what the line is for ("for a free place: 10 jobs are running, which is the limit").
    """

    position: int | None = None
    what: str = ""
    behind: str = ""
    url: str = ""  # of what it is behind
    has_begun: bool = False  # what it is behind
    ends_at: datetime | None = None  # when that usually ends; None without a history
    starts_at: datetime | None = None

    @property
    def line(self) -> str:
        """Return the place in words, before what it is for or behind: “2nd in line”."""
        return f"{ordinal(self.position)} in line" if self.position else ""

    @property
    def is_late(self) -> bool:
        """Tell whether what it is behind takes longer than usual."""
        return self.ends_at is not None and self.ends_at < timezone.now()

    @property
    def text(self) -> str:
        """Return all of it as one sentence, with times in UTC."""
        if self.position is None:
            return f"Starts at {_clock(self.starts_at)}." if self.starts_at else ""
        if not self.behind:
            return f"{self.line} {self.what}."
        return f"{self.line} behind {self.behind}{self._when()}."

    def _when(self) -> str:
        if not self.has_begun:
            return ", which has not begun"
        if self.ends_at is None:
            return ""
        late = ", which takes longer than usual"
        return late if self.is_late else f", which usually ends at about {_clock(self.ends_at)}"


@dataclass(frozen=True)
class _Waiter:
    pk: int
    configuration: int
    status: str
    started_at: datetime | None


@dataclass(frozen=True)
class _Busy:
    """What runs now, of everything and by component."""

    running: int
    by_component: Counter[int]


def ordinal(number: int) -> str:
    """Return a number as a place: 1st, 2nd, 3rd, 4th, 11th."""
    ending = "th" if number % 100 in TEENS else ENDINGS.get(number % 10, "th")
    return f"{number}{ending}"


def job_places(jobs: Iterable[Job]) -> dict[int, Place]:
    """Return the place of each of these jobs that is queued, by id; six queries at most.

    In line are: the jobs of one configuration; then the first of each, for a free place, for their
    component's limit, or for a worker.
    """
    now = timezone.now()
    queued = [job for job in jobs if job.status in QUEUED_JOB]
    places = {
        job.pk: Place(starts_at=job.not_before)
        for job in queued
        if job.not_before and job.not_before > now
    }
    waiting = [job for job in queued if job.pk not in places and job.configuration_id]
    if not waiting:
        return places
    lines = _lines({job.configuration_id or 0 for job in waiting}, now)
    usual = _usual_of_running(lines.values())
    heads = []
    for job in waiting:
        line = lines.get(job.configuration_id or 0, [])
        number = next((i for i, waiter in enumerate(line) if waiter.pk == job.pk), 0)
        if number:
            places[job.pk] = _behind(line[0], number, usual)
        else:
            heads.append(job)
    return places | _places_of_heads(heads, now)


def usual_run_times(configuration_ids: Iterable[int]) -> dict[int, timedelta]:
    """Return the mean duration of the last successful jobs, up to 20, of each configuration."""
    spans: dict[int, list[timedelta]] = {}
    rows = Job.objects.filter(_latest(configuration_ids), status=JobStatus.SUCCESS).values_list(
        "configuration", "started_at", "ended_at"
    )
    for configuration, started_at, ended_at in rows:
        if configuration and started_at and ended_at:
            spans.setdefault(configuration, []).append(ended_at - started_at)
    return {pk: sum(found, timedelta()) / len(found) for pk, found in spans.items()}


def _latest(configuration_ids: Iterable[int]) -> Q:
    """Return what the last jobs of each configuration have; seeks where each one's list begins."""
    newest = Job.objects.filter(configuration=OuterRef("pk")).order_by("-pk").values("pk")
    begins = Configuration.objects.filter(pk__in=configuration_ids).annotate(
        begin=Coalesce(Subquery(newest[USUAL_OF - 1 : USUAL_OF]), 0)
    )
    wanted = Q(pk__in=[])
    for pk, begin in begins.values_list("pk", "begin"):
        wanted |= Q(configuration=pk, pk__gte=begin)
    return wanted


def _lines(configurations: set[int], now: datetime) -> dict[int, list[_Waiter]]:
    """Return the unfinished jobs whose time has come, by configuration: the running one first."""
    rows = Job.objects.filter(
        _due(now), configuration__in=configurations, status__in=UNFINISHED_JOB
    ).values_list("pk", "configuration", "status", "started_at")
    lines: dict[int, list[_Waiter]] = {}
    for pk, configuration, status, started_at in rows:
        if configuration:
            waiter = _Waiter(pk, configuration, status, started_at)
            lines.setdefault(configuration, []).append(waiter)
    for line in lines.values():
        line.sort(key=lambda waiter: (waiter.status in QUEUED_JOB, waiter.pk))
    return lines


def _due(now: datetime) -> Q:
    return Q(not_before=None) | Q(not_before__lte=now)


def _usual_of_running(lines: Iterable[Sequence[_Waiter]]) -> dict[int, timedelta]:
    running = {line[0].configuration for line in lines if line[0].status in ACTIVE_JOB}
    return usual_run_times(running) if running else {}


def _behind(first: _Waiter, number: int, usual: dict[int, timedelta]) -> Place:
    expected = usual.get(first.configuration)
    return Place(
        position=number,
        behind=f"job {first.pk}",
        url=reverse("job", args=[first.pk]),
        has_begun=first.status in ACTIVE_JOB,
        ends_at=first.started_at + expected if first.started_at and expected else None,
    )


def _places_of_heads(jobs: Sequence[Job], now: datetime) -> dict[int, Place]:
    """Return the places of jobs that are the first of their configurations."""
    if not jobs:
        return {}
    active = list(
        Job.objects.filter(status__in=ACTIVE_JOB).values_list("component", "configuration")
    )
    busy = _Busy(len(active), Counter(component for component, _ in active))
    heads = list(
        Job.objects.filter(_due(now), status__in=QUEUED_JOB)
        .exclude(configuration__in=[pk for _, pk in active if pk])
        .order_by()
        .values("configuration", "component")
        .annotate(head=Min("pk"))
        .values_list("head", "component")
    )
    limits = dict(
        Component.objects.filter(pk__in={job.component_id for job in jobs}).values_list(
            "pk", "max_parallel"
        )
    )
    return {job.pk: _place_of_head(job, heads, busy, limits[job.component_id]) for job in jobs}


def _place_of_head(
    job: Job, heads: Sequence[tuple[int, int]], busy: _Busy, limit: int | None
) -> Place:
    mine = busy.by_component[job.component_id]
    if busy.running >= settings.JOB_LIMIT:
        what = f"for a free place: {_are(busy.running)} running, which is the limit"
    elif limit is not None and mine >= limit:
        what = f"for its component: {_are(mine)} running, which is its limit"
        heads = [head for head in heads if head[1] == job.component_id]
    else:
        what = "for a worker"
    return Place(position=1 + sum(pk < job.pk for pk, _ in heads), what=what)


def _are(count: int) -> str:
    return "1 job is" if count == 1 else f"{count} jobs are"


def _clock(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else ""
