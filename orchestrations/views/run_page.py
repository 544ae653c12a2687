"""The page of one run: its tasks, its Gantt chart and its log; and attempts side by side."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from components.models import Job
from components.queries.job_details import log_tail
from orchestrations.enums import TaskStatus
from orchestrations.insights.attempts import Gap, Line, Pair, side_by_side
from orchestrations.models import TaskRun
from orchestrations.queries import run_page as queries
from orchestrations.queries.run_page import RunDetail, TaskRow
from orchestrations.queries.runs import list_runs
from orchestrations.queries.waiting import run_places
from orchestrations.services.forecasts import forecast_of
from orchestrations.services.ready_by import expected_delay, ready_by
from orchestrations.views.run_drawing import Asked, draw_gantt, shown_phases
from orchestrations.views.run_log import log_context
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.live import mark, number, unchanged
from orchestrator_site.lib.timezone import viewer_zone

PAGE = ("orchestrations/run_page.html", "orchestrations/_run_live.html")
ATTEMPTS = ("orchestrations/task_attempts.html", "orchestrations/_task_attempts.html")
HISTORY = 10
TAIL = 300  # lines of each log that are compared
MANY_TASKS = 100
GANTT_STEP = 5  # seconds in which bars that grow are drawn again


@require_GET
@requires(VIEW)
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one run; while it is unfinished the page asks again and again."""
    found = queries.run_detail(pk)
    if found is None:
        raise Http404
    asked, now = Asked.of(request), timezone.now()
    views = shown_phases(found.phases, asked)
    expected = forecast_of(found, now)
    drawn = [row for view in views for row in view.rows] if asked.tab == "tasks" else []
    places = {} if found.run.is_finished else queries.places_in_line(drawn)
    place = run_places([found.run]).get(pk)
    grows = asked.tab == "gantt" and not found.run.is_finished
    seen = mark(
        *(_state(found), places, place, expected and expected.left_in_words),
        *(asked, now.timestamp() // GANTT_STEP if grows else 0),
    )
    if same := unchanged(request, seen):
        return same
    context: dict[str, Any] = {
        "detail": found,
        "run": found.run,
        "asked": asked,
        "tab": asked.tab,
        "views": views,
        "places": places,
        "place": place,
        "forecast": expected,
        "ready_by": ready_by(found.run),
        "late": expected and expected_delay(found.run, expected.ready_at),
        "failed": [row for phase in found.phases for row in phase.tasks if _failed(row)],
        "history": list_runs(found.run.orchestration, limit=HISTORY).runs,
        "mark": seen,
        "pause": 2 if found.task_count <= MANY_TASKS else 5,
        "nav": "orchestrations",
    }
    if asked.tab == "gantt":
        context["gantt"] = draw_gantt(found, views, asked, now=now, zone=viewer_zone(request))
    if asked.tab == "log" and not htmx.wants_fragment(request):
        context |= log_context(request, found.run)
    return htmx.render_page_or_fragment(request, *PAGE, context)


@require_GET
@requires(VIEW)
def attempts(request: HttpRequest, pk: int, task: int) -> HttpResponse:
    """Show the attempts at a task side by side, and where the logs of two of them differ."""
    related = TaskRun.objects.select_related("run__orchestration")
    found = get_object_or_404(related, pk=task, run__pk=pk)
    rows = queries.attempts_of(found)
    numbers = [row.number for row in rows]
    asked = [n for n in (number(request.GET.get(name)) for name in ("left", "right")) if n]
    pair = asked if len(asked) > 1 and set(asked) <= set(numbers) else numbers[-2:]
    jobs = {row.number: row.job for row in rows}
    context = {
        "task": found,
        "run": found.run,
        "attempts": rows,
        "pair": pair,
        "pairs": _compared(jobs[pair[0]], jobs[pair[1]]) if len(pair) > 1 else [],
        "nav": "orchestrations",
    }
    return htmx.render_page_or_fragment(request, *ATTEMPTS, context)


def _compared(left: Job, right: Job) -> list[Pair | Gap]:
    tails = (log_tail(job, limit=TAIL).lines for job in (left, right))
    return side_by_side(*([Line(line.level, line.message) for line in tail] for tail in tails))


def _failed(row: TaskRow) -> bool:
    return row.task.status == TaskStatus.ERROR


def _state(found: RunDetail) -> str:
    return mark(
        (found.run.status, found.run.reason, found.run.terminate_at),
        [(r.task.status, r.task.reason, len(r.attempts)) for p in found.phases for r in p.tasks],
        [retry.pk for retry in found.retries],
    )
