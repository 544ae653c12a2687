"""Start and stop runs by hand, each after a question."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from orchestrations.enums import StartedBy
from orchestrations.exceptions import NotAllowed, OrchestrationsError
from orchestrations.models import Orchestration, Run, Task
from orchestrations.queries.orchestrations import tasks_of
from orchestrations.services import runs as services
from orchestrations.views.finding import find_orchestration, person
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import OPERATE, requires

START = ("orchestrations/run_start.html", "orchestrations/_run_start.html")
TERMINATE = ("orchestrations/run_terminate.html", "orchestrations/_run_terminate.html")


@requires(OPERATE)
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask which tasks are to run, and run them."""
    orchestration = find_orchestration(pk)
    tasks = tasks_of(orchestration)
    chosen = {task.key for task in tasks if task.is_active}
    context: dict[str, Any] = {"orchestration": orchestration, "tasks": tasks, "chosen": chosen}
    if request.method != "POST":
        return htmx.render_page_or_fragment(request, *START, context)
    context["chosen"] = posted = set(request.POST.getlist("task"))
    try:
        run = _start(request, orchestration, tasks, posted)
    except OrchestrationsError as error:
        return htmx.invalid(request, *START, {**context, "error": error.message})
    messages.success(request, f"{orchestration} is running.")
    return htmx.redirect(request, run.get_absolute_url())


def _start(
    request: HttpRequest, orchestration: Orchestration, tasks: list[Task], posted: set[str]
) -> Run:
    if not posted:
        raise NotAllowed("Choose at least one task to run.")
    usual = posted == {task.key for task in tasks if task.is_active}
    return services.start_run(
        orchestration,
        started_by=StartedBy.MANUAL,
        user=person(request),
        selected=None if usual else sorted(posted),
    )


@requires(OPERATE)
def terminate(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether a run is to be stopped, and stop it."""
    run = get_object_or_404(Run.objects.select_related("orchestration"), pk=pk)
    context = {"run": run, "nav": "orchestrations"}
    if request.method != "POST":
        return htmx.render_page_or_fragment(request, *TERMINATE, context)
    try:
        services.terminate_run(run, user=person(request))
    except NotAllowed as error:
        messages.info(request, error.message)
    else:
        messages.success(request, f"Run {run.pk} is being terminated.")
    return htmx.redirect(request, run.get_absolute_url())
