"""The list of all jobs, and what its search box offers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from components.models import Job
from components.queries.job_search import job_fields, job_values, jobs_found
from components.queries.waiting import job_places
from orchestrator_site.lib import htmx, search_box
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.live import mark, unchanged
from orchestrator_site.lib.paging import KeysetPage
from orchestrator_site.lib.search_fields import Search

PER_PAGE = 50
PAGES = ("components/job_list.html", "components/_job_list.html")
QUICK = (
    ("Long running", "status:processing duration:>10m"),
    ("My jobs", "user:me"),
    ("My failed", "user:me status:error"),
    ("Failed in last 7 days", "status:error created:>-7d"),
)


@require_GET
@requires(VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Show the jobs that a search finds; the newest page asks for itself."""
    fields = job_fields()
    search = search_box.understood(request, fields)
    page = KeysetPage[Job]([]) if search.problems else _page(request, search)
    places = job_places(page.rows)
    context: dict[str, Any] = {
        **search_box.box(search, fields),
        "quick_searches": search_box.quick_searches(QUICK, search),
        "page": page,
        "places": places,
        "is_first": page.newer is None,
        "is_moving": any(not job.is_finished for job in page.rows),
        "mark": mark([(job.pk, job.status) for job in page.rows], places, page.newer, page.older),
    }
    if search.problems:
        return htmx.invalid(request, *PAGES, context)
    same = unchanged(request, context["mark"])
    return same or htmx.render_page_or_fragment(request, *PAGES, context)


@require_GET
@requires(VIEW)
def suggestions(request: HttpRequest) -> HttpResponse:
    """Answer what can come next in the search box."""
    return search_box.options(request, job_fields, job_values)


def _page(request: HttpRequest, search: Search) -> KeysetPage[Job]:
    user = search_box.person_of(request)
    found = jobs_found(search, user=user, now=timezone.now())
    rows = found.select_related("component", "created_by")
    return search_box.page_of(request, search, rows, limit=PER_PAGE)
