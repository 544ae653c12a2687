"""The list of the runs of all orchestrations, and what its search box offers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from orchestrations.models import Run
from orchestrations.queries.run_search import run_fields, run_values, runs_found
from orchestrations.queries.runs import progress_of
from orchestrations.queries.waiting import run_places
from orchestrator_site.lib import htmx, search_box
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.live import mark, unchanged
from orchestrator_site.lib.paging import KeysetPage
from orchestrator_site.lib.search_fields import Search

PER_PAGE = 50
PAGES = ("orchestrations/run_list.html", "orchestrations/_run_list.html")
QUICK = (
    ("Long running", "status:processing duration:>30m"),
    ("My runs", "user:me"),
    ("My failed", "user:me status:error"),
    ("Failed in last 7 days", "status:error created:>-7d"),
    ("By schedule", "startedBy:schedule"),
)


@require_GET
@requires(VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Show the runs that a search finds; the newest page asks for itself."""
    fields = run_fields()
    search = search_box.understood(request, fields)
    page = KeysetPage[Run]([]) if search.problems else _page(request, search)
    moving = [run for run in page.rows if not run.is_finished]
    progress = {item.run.pk: item for item in progress_of(moving)}
    places = run_places(moving)
    steps = [(pk, item.done, item.total) for pk, item in progress.items()]
    state = mark([(run.pk, run.status) for run in page.rows], steps, places, page.newer, page.older)
    context: dict[str, Any] = {
        **search_box.box(search, fields),
        "quick_searches": search_box.quick_searches(QUICK, search),
        "page": page,
        "now": timezone.now(),
        "progress": progress,
        "places": places,
        "is_first": page.newer is None,
        "is_moving": bool(moving),
        "mark": state,
        "nav": "orchestrations",
    }
    if search.problems:
        return htmx.invalid(request, *PAGES, context)
    same = unchanged(request, state)
    return same or htmx.render_page_or_fragment(request, *PAGES, context)


@require_GET
@requires(VIEW)
def suggestions(request: HttpRequest) -> HttpResponse:
    """Answer what can come next in the search box."""
    return search_box.options(request, run_fields, run_values)


def _page(request: HttpRequest, search: Search) -> KeysetPage[Run]:
    found = runs_found(search, user=search_box.person_of(request), now=timezone.now())
    return search_box.page_of(request, search, found, limit=PER_PAGE)
