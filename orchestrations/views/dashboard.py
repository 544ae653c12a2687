"""The first page: what happened, what runs, what comes, whether all is well."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from components.models import Configuration
from components.queries import storage
from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration
from orchestrations.queries import health, runs, schedules
from orchestrations.queries.waiting import run_places
from orchestrations.services.sample import load_sample_project
from orchestrator_site.lib.access import EDIT, VIEW, person, requires
from orchestrator_site.lib.database_clock import database_now
from orchestrator_site.lib.htmx import render_page_or_fragment

# The tiles: a word, and the statuses it counts.
TILES = (
    ("Success", (RunStatus.SUCCESS,)),
    ("Warning", (RunStatus.WARNING,)),
    ("Error", (RunStatus.ERROR,)),
    ("Stopped", (RunStatus.TERMINATED, RunStatus.CANCELLED)),
)


@require_GET
@requires(VIEW)
def dashboard(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    found = runs.dashboard(now)
    context = {
        "now": now,
        "tiles": [
            (word, of[0], sum(found.counts[s] for s in of), f"status:{','.join(of)} created:>-24h")
            for word, of in TILES
        ],
        "total": sum(found.counts.values()),
        "running": found.running,
        "places": run_places(item.run for item in found.running),
        "failures": found.failures,
        "coming": schedules.coming(10),
        "health": health.health(database_now()),
        "storage": storage.totals(),
        "is_new": is_new(),
    }
    page, fragment = "orchestrations/dashboard.html", "orchestrations/_dashboard_live.html"
    return render_page_or_fragment(request, page, fragment, context)


def is_new() -> bool:
    """Tell whether nobody has made anything yet."""
    return not Configuration.objects.exists() and not Orchestration.objects.exists()


@require_POST
@requires(EDIT)
def load_sample(request: HttpRequest) -> HttpResponse:
    orchestration = load_sample_project(user=person(request))
    messages.success(request, "The sample project is ready. Run it, and look at its tables.")
    return redirect(orchestration)
