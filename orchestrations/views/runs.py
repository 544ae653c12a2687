"""Runs: lists of them, and the page of one."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from orchestrations.enums import TaskStatus
from orchestrations.models import Orchestration, Run
from orchestrations.queries import runs as queries
from orchestrations.queries.runs import Outcome, RunDetail
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.live import mark, number, unchanged

PER_PAGE = 25
HISTORY = 10
EVENTS = 500
MANY_TASKS = 100
TABS = (
    (Outcome.ALL, "All runs"),
    (Outcome.SUCCESSFUL, "Successful"),
    (Outcome.FAILED, "Failed"),
)


@require_GET
@requires(VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Show the runs of all orchestrations."""
    context = {**run_table(request, None), "nav": "orchestrations"}
    same = unchanged(request, context["mark"])
    return same or htmx.render_page_or_fragment(
        request, "orchestrations/run_list.html", "orchestrations/_run_list.html", context
    )


@require_GET
@requires(VIEW)
def of_orchestration(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the runs of one: a fragment of its page, which asks again and again."""
    orchestration = find_orchestration(pk)
    context = run_table(request, orchestration)
    same = unchanged(request, context["mark"])
    if same:
        return same
    context |= {"orchestration": orchestration, "last_runs": queries.last_runs(orchestration)}
    return render(request, "orchestrations/_orchestration_runs.html", context)


def run_table(request: HttpRequest, orchestration: Orchestration | None) -> dict[str, Any]:
    """Return what a list of runs shows: a tab, a page, and the mark of both."""
    asked = request.GET.get("tab", "")
    tab = Outcome(asked) if asked in set(Outcome) else Outcome.ALL
    after = number(request.GET.get("after"))
    page = queries.list_runs(orchestration, outcome=tab, after=after, limit=PER_PAGE)
    return {
        "tabs": TABS,
        "tab": tab,
        "after": after,
        "runs": page.runs,
        "next_after": page.after,
        "is_moving": any(not run.is_finished for run in page.runs),
        "mark": mark([(run.pk, run.status, run.reason) for run in page.runs], page.after),
    }


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
        "history": queries.list_runs(found.run.orchestration, limit=HISTORY).runs,
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


def _failed(row: queries.TaskRow) -> bool:
    return row.task.status == TaskStatus.ERROR


def _state(found: RunDetail) -> str:
    return mark(
        (found.run.status, found.run.reason, found.run.terminate_at),
        [(r.task.status, r.reason, len(r.attempts)) for p in found.phases for r in p.tasks],
        [retry.pk for retry in found.retries],
    )
