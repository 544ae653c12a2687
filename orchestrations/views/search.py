"""Search over configurations, orchestrations, tables, runs and jobs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from orchestrations.queries.search import search
from orchestrator_site.lib.access import VIEW, requires

LONGEST = 200


@require_GET
@requires(VIEW)
def index(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "")[:LONGEST].strip()
    context = {"text": text, "found": search(text)}
    return render(request, "orchestrations/search.html", context)
