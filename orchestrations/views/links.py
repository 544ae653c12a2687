"""What pages of components show of orchestrations; they ask for it by address."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from components.models import Configuration, Job
from orchestrations.queries.orchestrations import orchestration_rows, orchestrations_using
from orchestrations.queries.run_page import task_of_job
from orchestrator_site.lib.access import VIEW, requires

MOST_SHOWN = 100


@require_GET
@requires(VIEW)
def usage(request: HttpRequest, pk: int) -> HttpResponse:
    """Show which orchestrations have a configuration as a task."""
    configuration = get_object_or_404(Configuration, pk=pk)
    rows = orchestration_rows(list(orchestrations_using(configuration)[:MOST_SHOWN]))
    context = {"configuration": configuration, "rows": rows}
    return render(request, "orchestrations/_configuration_usage.html", context)


@require_GET
@requires(VIEW)
def run_of_job(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the run and the task that a job belongs to; nothing for a job of its own."""
    job = get_object_or_404(Job, pk=pk)
    return render(request, "orchestrations/_job_run.html", {"task": task_of_job(job.pk)})
