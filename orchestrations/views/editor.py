"""The tasks editor: a new orchestration, or the phases and tasks of one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from orchestrations.forms.tasks import TasksForm
from orchestrations.forms.tasks.choices import find_choices
from orchestrations.models import Orchestration
from orchestrations.queries.triggers import own_watched_tables
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import EDIT, person, requires
from orchestrator_site.lib.live import number
from orchestrator_site.lib.sentences import joined

PAGE = ("orchestrations/orchestration_tasks.html", "orchestrations/_orchestration_tasks.html")
ROW = "orchestrations/_task_row.html"
# What htmx asks for alone, by the first word of the action.
ROW_PARTS = {"open": ROW, "close": ROW, "check": "orchestrations/_task_feedback.html"}


@requires(EDIT)
def new(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(EDIT)
def tasks(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, find_orchestration(pk))


@require_GET
@requires(EDIT)
def choices(request: HttpRequest) -> HttpResponse:
    """Show what can be added to a phase: the dialog, or only its list while one searches."""
    given = request.GET
    pk = number(given.get("of"))
    orchestration = find_orchestration(pk) if pk else None
    found = find_choices(
        orchestration,
        words=given.get("q", ""),
        chosen=given.get("chosen", ""),
        limit=number(given.get("limit")) or 0,
    )
    context = {
        "choices": found,
        "orchestration": orchestration,
        "phase": given.get("phase", ""),
        "phase_name": given.get("phase_name", ""),
        "editor": _address(orchestration),
    }
    is_list = request.headers.get("HX-Target") == "task-choice-list"
    name = "_add_task_list" if is_list else "_add_task"
    return render(request, f"orchestrations/{name}.html", context)


def _edit(request: HttpRequest, orchestration: Orchestration | None) -> HttpResponse:
    """Show the rows, change them as a button asks, or save them."""
    posted = request.POST if request.method == "POST" else None
    form = TasksForm(posted, orchestration=orchestration)
    context = {"form": form, "orchestration": orchestration, "editor": request.path}
    if posted is None:
        return htmx.render_page_or_fragment(request, *PAGE, context)
    if action := posted.get("action", ""):
        part = _part(request, form, action) if htmx.wants_fragment(request) else None
        if part is not None:
            return part
        form.apply(action, posted)
        return htmx.render_page_or_fragment(request, *PAGE, context)
    saved = form.save(user=person(request), overwrite=number(posted.get("overwrite")))
    if saved is None:
        return htmx.invalid(request, *PAGE, context)
    if own := own_watched_tables(saved):
        text = f"Saved. Its own runs update {joined(own)}, which start it: each run the next."
        messages.warning(request, text)
    else:
        messages.success(request, "Saved.")
    return htmx.redirect(request, saved.get_absolute_url())


def _part(request: HttpRequest, form: TasksForm, action: str) -> HttpResponse | None:
    """Return the part that htmx asks for; None where all rows are wanted."""
    verb, _, key = action.partition(":")
    context = {"form": form, "editor": request.path}
    if verb == "draw":
        return render(request, "orchestrations/_phase_order.html", context)
    if verb == "row":
        row = form.new_row(key)
        return render(request, ROW, {**context, "task": row}) if row else None
    if verb not in ROW_PARTS or request.headers.get("HX-Target") == "orchestration-tasks":
        return None
    form.apply(action, request.POST)
    row = form.find(key)
    return render(request, ROW_PARTS[verb], {**context, "task": row, "live": True}) if row else None


def _address(orchestration: Orchestration | None) -> str:
    if orchestration is None:
        return reverse("orchestration-new")
    return reverse("orchestration-tasks", args=[orchestration.pk])
