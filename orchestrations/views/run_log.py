"""The log of a run: its end by filter, earlier and later entries, the whole of it as a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import urlencode
from django.views.decorators.http import require_GET
from django_htmx.http import push_url

from components.queries.job_details import AT_LEAST, LEVELS
from orchestrations.models import Run
from orchestrations.queries.run_log import Cursor, LogPage, Wanted, log_after, log_tail, log_text
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.live import number


def wanted_of(request: HttpRequest) -> Wanted:
    """Read the address; what makes no sense there is left out."""
    level = request.GET.get("level", "")
    return Wanted(
        level=level if level in AT_LEAST else "",
        words=request.GET.get("q", "").strip(),
        task=number(request.GET.get("task")),
    )


def log_context(request: HttpRequest, run: Run) -> dict[str, Any]:
    """Return the end of a log, or the part before a place, with the choices of its filter."""
    wanted = wanted_of(request)
    page = log_tail(run, wanted, before=Cursor.of(request.GET.get("before")))
    tasks = run.task_runs.order_by("phase", "position").values_list("pk", "name", "phase_name")
    return _shown(run, wanted, page) | {"levels": LEVELS, "tasks": tasks}


def _shown(run: Run, wanted: Wanted, page: LogPage) -> dict[str, Any]:
    query = {"q": wanted.words, "level": wanted.level, "task": wanted.task or ""}
    return {
        "run": run,
        "entries": page.entries,
        "before": page.before,
        "after": page.after or "",
        "more": page.more,
        "wanted": wanted,
        "query": urlencode(query),
        "is_filtered": bool(wanted.words or wanted.level or wanted.task),
        "is_long": (run.ended_at or run.created_at).date() != run.created_at.date(),
    }


@require_GET
@requires(VIEW)
def log(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the end of the log by filter, or with `before` or `after` only more of it."""
    run = get_object_or_404(Run, pk=pk)  # before the entries: one that ended has all of them
    wanted = wanted_of(request)
    before, after = request.GET.get("before"), request.GET.get("after")
    if not htmx.wants_fragment(request):
        return htmx.redirect(request, f"{run.get_absolute_url()}?{_page_query(request)}")
    if before is not None:
        page = log_tail(run, wanted, before=Cursor.of(before))
        context = {**_shown(run, wanted, page), "is_part": True}
        return render(request, "orchestrations/_run_log_lines.html", context)
    if after is not None:
        page = log_after(run, wanted, after=Cursor.of(after))
        return render(request, "orchestrations/_run_log_lines.html", _shown(run, wanted, page))
    context = _shown(run, wanted, log_tail(run, wanted))
    response = render(request, "orchestrations/_run_log.html", context)
    return push_url(response, f"{run.get_absolute_url()}?{_page_query(request)}")


def _page_query(request: HttpRequest) -> str:
    asked = {name: request.GET.get(name, "") for name in ("q", "level", "task", "before")}
    return urlencode({"tab": "log", **{name: text for name, text in asked.items() if text}})


@require_GET
@requires(VIEW)
def download(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Hand out the whole log as a text file, line by line."""
    run = get_object_or_404(Run, pk=pk)
    return StreamingHttpResponse(
        log_text(run),
        content_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="run-{run.pk}.log"'},
    )
