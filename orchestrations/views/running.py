"""Start, retry and stop runs by hand, each after a question."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_http_methods

from orchestrations.enums import StartedBy
from orchestrations.exceptions import InvalidOrchestration, NotAllowed, OrchestrationsError
from orchestrations.forms.running import ADD, RunForm
from orchestrations.models import Orchestration, Run, TaskRun
from orchestrations.models.orchestration import Definition
from orchestrations.queries import starting
from orchestrations.services import runs as services
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import OPERATE, person, requires
from orchestrator_site.lib.live import number

START = ("orchestrations/run_start.html", "orchestrations/_run_start.html")
RETRY = ("orchestrations/run_retry.html", "orchestrations/_run_retry.html")
TERMINATE = ("orchestrations/run_terminate.html", "orchestrations/_run_terminate.html")
TERMINATE_TASK = ("orchestrations/task_terminate.html", "orchestrations/_task_terminate.html")


@requires(OPERATE)
@require_http_methods(["GET", "POST"])
def start(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask which tasks are to run, with which variables, and run them."""
    orchestration = find_orchestration(pk)
    definition: Definition = starting.latest_version(orchestration).definition
    if request.method == "POST":
        form = RunForm.posted(definition["variables"], request.POST)
    else:
        form = _first(request, orchestration, definition)
    context: dict[str, Any] = {
        "orchestration": orchestration,
        "phases": starting.choices(definition),
        "form": form,
        "queue": starting.queue_before(orchestration),
        "nav": "orchestrations",
    }
    if request.method != "POST" or ADD in request.POST:
        return htmx.render_page_or_fragment(request, *START, context)
    run = _begin(form, orchestration, request, usual=starting.active_keys(definition))
    if run is None:
        return htmx.invalid(request, *START, context)
    return _started(request, run, context["queue"])


def _first(request: HttpRequest, orchestration: Orchestration, definition: Definition) -> RunForm:
    """Return the form as it is opened: all active tasks, or those of the run that `like` names."""
    like = number(request.GET.get("like"))
    run = Run.objects.filter(pk=like, orchestration=orchestration).first() if like else None
    usual = starting.active_keys(definition)
    if run is None:
        return RunForm.fresh(definition["variables"], usual)
    chosen = usual if run.selected is None else run.selected
    return RunForm.fresh(definition["variables"], chosen, run.variables)


@requires(OPERATE)
@require_http_methods(["GET", "POST"])
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask which tasks of a finished run are to run again, and run them as a new run."""
    related = ("orchestration", "version")
    run = get_object_or_404(Run.objects.select_related(*related), pk=pk)
    definition: Definition = run.version.definition
    if request.method == "POST":
        form = RunForm.posted(definition["variables"], request.POST)
    else:
        chosen = starting.tasks_to_retry(run)
        form = RunForm.fresh(definition["variables"], chosen, run.variables)
    context: dict[str, Any] = {
        "run": run,
        "phases": starting.choices(definition, starting.states_before(run)),
        "form": form,
        "queue": starting.queue_before(run.orchestration),
        "nav": "orchestrations",
    }
    if request.method != "POST" or ADD in request.POST:
        return htmx.render_page_or_fragment(request, *RETRY, context)
    again = _begin(form, run.orchestration, request, retry_of=run)
    if again is None:
        return htmx.invalid(request, *RETRY, context)
    messages.success(request, f"Run {again.pk} retries run {run.pk}.")
    return htmx.redirect(request, again.get_absolute_url())


def _begin(
    form: RunForm,
    orchestration: Orchestration,
    request: HttpRequest,
    *,
    usual: list[str] | None = None,
    retry_of: Run | None = None,
) -> Run | None:
    """Start what a form asks for; None where that is not possible, and the form says why."""
    if not form.is_valid():
        return None
    try:
        return services.start_run(
            orchestration,
            started_by=StartedBy.RETRY if retry_of else StartedBy.MANUAL,
            user=person(request),
            variables=form.variables(),
            selected=None if form.chosen == set(usual or ()) else sorted(form.chosen),
            retry_of=retry_of,
        )
    except OrchestrationsError as error:
        fields = error.fields if isinstance(error, InvalidOrchestration) else {}
        form.errors["tasks"] = fields.get("tasks", error.message)
        return None


def _started(request: HttpRequest, run: Run, queue: starting.Queue | None) -> HttpResponse:
    """Say so on the page as it is, with the way to the run; a browser without htmx goes there."""
    text = f"{run.orchestration} is running."
    if queue:
        text = f"{run.orchestration} will run when run {queue.first.pk} has ended."
    if not htmx.wants_fragment(request):
        messages.success(request, text)
        return htmx.redirect(request, run.get_absolute_url())
    link = (run.get_absolute_url(), f"Run {run.pk}")
    answer = htmx.done(request, text, back=run.get_absolute_url(), link=link)
    return htmx.refresh(answer)


@requires(OPERATE)
@require_http_methods(["GET", "POST"])
def terminate(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether a run is to be stopped, and stop it."""
    run = get_object_or_404(Run.objects.select_related("orchestration"), pk=pk)
    context: dict[str, Any] = {"run": run, "nav": "orchestrations"}
    if request.method != "POST":
        return htmx.render_page_or_fragment(request, *TERMINATE, context)
    try:
        services.terminate_run(run, user=person(request))
    except NotAllowed as error:
        messages.info(request, error.message)
    else:
        messages.success(request, f"Run {run.pk} is being terminated.")
    return htmx.redirect(request, run.get_absolute_url())


@requires(OPERATE)
@require_http_methods(["GET", "POST"])
def terminate_task(request: HttpRequest, pk: int, task: int) -> HttpResponse:
    """Ask whether one task of a run is to be stopped, and stop it."""
    related = TaskRun.objects.select_related("run__orchestration")
    found = get_object_or_404(related, pk=task, run__pk=pk)
    if request.method == "GET":
        context = {"task": found, "run": found.run, "nav": "orchestrations"}
        return htmx.render_page_or_fragment(request, *TERMINATE_TASK, context)
    try:
        services.terminate_task(found, user=person(request))
    except NotAllowed as error:
        messages.info(request, error.message)
    else:
        messages.success(request, f"“{found.name}” is being terminated.")
    return htmx.redirect(request, found.run.get_absolute_url())
