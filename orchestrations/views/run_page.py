"""The page of one run: its tasks, and what happened."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from orchestrations.enums import TaskStatus
from orchestrations.models import Run
from orchestrations.queries import run_page as queries
from orchestrations.queries.run_page import RunDetail, TaskRow
from orchestrations.queries.runs import list_runs
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.live import mark, number, unchanged

HISTORY = 10
EVENTS = 500
MANY_TASKS = 100


@require_GET
@requires(VIEW)
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one run; while it is unfinished the page asks again and again."""
    found = queries.run_detail(pk)
    if found is None:
        raise Http404
    now = _state(found)
    if same := unchanged(request, now):
        return same
    tab = "log" if request.GET.get("tab") == "log" else "tasks"
    seen = queries.run_events(found.run, limit=EVENTS) if tab == "log" else []
    context = {
        "detail": found,
        "run": found.run,
        "failed": [row for phase in found.phases for row in phase.tasks if _failed(row)],
        "history": list_runs(found.run.orchestration, limit=HISTORY).runs,
        "tab": tab,
        "events": seen,
        "last": seen[-1].pk if seen else 0,
        "more": len(seen) == EVENTS,
        "mark": now,
        "pause": 2 if found.task_count <= MANY_TASKS else 5,
        "nav": "orchestrations",
    }
    return htmx.render_page_or_fragment(
        request, "orchestrations/run_page.html", "orchestrations/_run_live.html", context
    )


@require_GET
@requires(VIEW)
def events(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the events after the last one seen, and ask again while the run is unfinished."""
    run = get_object_or_404(Run, pk=pk)
    after = number(request.GET.get("after")) or 0
    found = queries.run_events(run, after=after, limit=EVENTS)
    last = found[-1].pk if found else after
    context = {"run": run, "events": found, "last": last, "more": len(found) == EVENTS}
    return render(request, "orchestrations/_run_events.html", context)


def _failed(row: TaskRow) -> bool:
    return row.task.status == TaskStatus.ERROR


def _state(found: RunDetail) -> str:
    return mark(
        (found.run.status, found.run.reason, found.run.terminate_at),
        [(r.task.status, r.reason, len(r.attempts)) for p in found.phases for r in p.tasks],
        [retry.pk for retry in found.retries],
    )
