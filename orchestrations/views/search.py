"""Search over configurations, orchestrations, tables, runs and jobs; and the command palette."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from orchestrations.queries.palette import palette
from orchestrations.queries.search import search
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import VIEW, person, requires

LONGEST = 200
REMEMBERED = 20


@require_GET
@requires(VIEW)
def index(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "")[:LONGEST].strip()
    context = {"text": text, "found": search(text)}
    return render(request, "orchestrations/search.html", context)


@require_GET
def commands(request: HttpRequest) -> HttpResponse:
    """Answer what the palette offers for what is typed; to others than htmx, the search page."""
    text = request.GET.get("q", "")[:LONGEST].strip()
    if not htmx.wants_fragment(request):
        return htmx.redirect(request, f"{reverse('search')}?{urlencode({'q': text})}")
    recent = request.GET.get("recent", "").split(" ")[:REMEMBERED]
    found = palette(text, user=person(request), recent=recent)
    return render(request, "shared/_palette_results.html", {"found": found})
