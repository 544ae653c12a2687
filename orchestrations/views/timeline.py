"""All orchestrations on one axis of time: what was, what is, and what is expected."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from orchestrations.enums import RunStatus
from orchestrations.insights.forecast import Expected, Fate
from orchestrations.insights.timeline import WIDTH, Axis, Bar, Mark, bars
from orchestrations.models import Orchestration, Run, Schedule
from orchestrations.services.timeline import Ahead, Forecast, forecast, runs_between
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.durations import humanize
from orchestrator_site.lib.htmx import render_page_or_fragment
from orchestrator_site.lib.live import number

PAGES = ("orchestrations/timeline_page.html", "orchestrations/_timeline.html")
# What is shown: a word, how far back, how far ahead.
RANGES = {
    "day": ("A day", timedelta(hours=8), timedelta(hours=16)),
    "three": ("3 days", timedelta(days=1), timedelta(days=2)),
    "week": ("A week", timedelta(days=1), timedelta(days=7)),
}
TONES = {
    Fate.RUNS: "fired",
    Fate.WAITS: "paused",
    Fate.SKIPPED: "skipped",
    Fate.ENDED: "skipped",
}
LINES = 40
LISTED = 30
ROW = 34


@dataclass(frozen=True)
class Line:
    """One orchestration on the timeline."""

    orchestration: Orchestration
    bars: list[Bar]
    y: int


@dataclass(frozen=True)
class Coming:
    """One expected start in the table: what and when, and what will become of it in words."""

    at: datetime
    orchestration: Orchestration
    schedule: Schedule | None
    words: str
    tone: str  # the outcome of a slot that has this colour


@require_safe
@requires(VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Draw the lines that the search leaves; asks for itself every minute."""
    now = timezone.now()
    asked = request.GET.get("range", "")
    name = asked if asked in RANGES else "week"
    _, back, ahead = RANGES[name]
    text = request.GET.get("q", "").strip()[:200]
    found = Orchestration.objects.filter(deleted_at=None, name__icontains=text)
    first = min(number(request.GET.get("page")) or 1, 10_000)
    rows = list(found.order_by("name", "pk")[(first - 1) * LINES : first * LINES + 1])
    shown = rows[:LINES]
    coming = forecast(now, now + ahead)
    axis = Axis(now - back, now + ahead)
    runs = runs_between(axis.begin, now, shown)
    lines = _lines(axis, shown, runs, coming, now)
    zone = timezone.get_current_timezone()
    context: dict[str, Any] = {
        "lines": lines,
        "ticks": axis.ticks(ZoneInfo(str(zone))),
        "now_x": axis.x(now),
        "width": WIDTH,
        "height": len(lines) * ROW,
        "table": _table(coming, {o.pk: o for o in shown}),
        "ran": runs[-LISTED:][::-1],
        "names": {o.pk: o for o in shown},
        "listed": LISTED,
        "cut": coming.until if coming.until < now + ahead else None,
        "unreadable": Schedule.objects.filter(pk__in=coming.unreadable),
        "ranges": [(key, words) for key, (words, *_) in RANGES.items()],
        "range": name,
        "text": text,
        "page": first,
        "has_next": len(rows) > LINES,
        "zone": str(zone),
        "nav": "timeline",
    }
    return render_page_or_fragment(request, *PAGES, context)


def _lines(
    axis: Axis,
    orchestrations: list[Orchestration],
    runs: list[Run],
    coming: Forecast,
    now: datetime,
) -> list[Line]:
    marks: defaultdict[int, list[Mark]] = defaultdict(list)
    for run in runs:
        marks[run.orchestration_id].append(_run_mark(run, now))
    shown = {orchestration.pk for orchestration in orchestrations}
    for ahead in coming.unfinished:
        if ahead.orchestration in shown and ahead.begins_at < axis.end:
            marks[ahead.orchestration].append(_ahead_mark(ahead, now))
    for each in coming.expected:
        if each.start.orchestration in shown and each.start.at < axis.end:
            marks[each.start.orchestration].append(_expected_mark(each))
    return [
        Line(orchestration, bars(axis, marks[orchestration.pk]), place * ROW)
        for place, orchestration in enumerate(orchestrations)
    ]


def _run_mark(run: Run, now: datetime) -> Mark:
    began = run.started_at or run.created_at
    ended = run.ended_at or now
    label = RunStatus(run.status).label
    text = f"Run {run.pk}, {label}: {_time(began)}, {humanize((ended - began).total_seconds())}"
    return Mark(began, ended, str(run.status), text, reverse("run", args=[run.pk]))


def _ahead_mark(ahead: Ahead, now: datetime) -> Mark:
    fate = Fate.WAITS if ahead.begins_at > now else Fate.RUNS
    text = f"Run {ahead.run}: expected {_time(ahead.begins_at)} to {_time(ahead.ends_at)}"
    url = reverse("run", args=[ahead.run])
    return Mark(ahead.begins_at, ahead.ends_at, f"expected-{fate}", text, url)


def _expected_mark(each: Expected) -> Mark:
    begins = each.begins_at or each.start.at
    ends = each.ends_at or begins
    text = f"{_time(each.start.at)}: {words(each)}"
    return Mark(begins, ends, f"expected-{each.fate}", text, late_at=each.late_at)


def words(each: Expected) -> str:
    """Say what will probably become of a start."""
    if each.fate == Fate.SKIPPED or not (each.begins_at and each.ends_at and each.late_at):
        return "skipped, since an earlier run has not ended"
    length = humanize((each.ends_at - each.begins_at).total_seconds())
    if each.fate == Fate.ENDED:
        return f"terminated after {length} by the next start"
    late = humanize((each.late_at - each.begins_at).total_seconds())
    takes = f"takes {length}" if late == length else f"takes {length}, at most {late} in 9 of 10"
    if each.fate == Fate.WAITS:
        waits = humanize((each.begins_at - each.start.at).total_seconds())
        return f"waits {waits} for other runs, {takes}"
    return takes


def _table(coming: Forecast, shown: dict[int, Orchestration]) -> list[Coming]:
    mine = (each for each in coming.expected if each.start.orchestration in shown)
    first = list(islice(mine, LISTED))
    schedules = Schedule.objects.in_bulk([each.start.schedule for each in first])
    return [
        Coming(
            each.start.at,
            shown[each.start.orchestration],
            schedules.get(each.start.schedule),
            words(each),
            TONES[each.fate],
        )
        for each in first
    ]


def _time(at: datetime) -> str:
    return f"{timezone.localtime(at):%a %H:%M}"
