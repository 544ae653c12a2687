"""Versions of an orchestration: the list, a comparison, and the way back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from orchestrations.exceptions import OrchestrationsError
from orchestrations.models import Orchestration
from orchestrations.queries.orchestrations import versions_of
from orchestrations.queries.versions import compare, definitions
from orchestrations.services.orchestrations import restore_version
from orchestrations.views.finding import find_orchestration, person
from orchestrator_site.lib.access import EDIT, VIEW, requires
from orchestrator_site.lib.live import number

PER_PAGE = 50


@require_GET
@requires(VIEW)
def index(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the versions and what is different between two of them, the latest two by default."""
    orchestration = find_orchestration(pk)
    page = Paginator(versions_of(orchestration), PER_PAGE).get_page(request.GET.get("page"))
    context = {"orchestration": orchestration, "page_obj": page}
    return render(
        request,
        "orchestrations/orchestration_versions.html",
        context | _comparison(request, orchestration),
    )


def _comparison(request: HttpRequest, orchestration: Orchestration) -> dict[str, Any]:
    newer = number(request.GET.get("to")) or orchestration.version
    older = number(request.GET.get("from")) or max(newer - 1, 1)
    found = definitions(orchestration, [older, newer])
    if older not in found or newer not in found:
        return {"older": older, "newer": newer, "parts": None}
    parts = compare(found[older], found[newer])
    return {"older": older, "newer": newer, "parts": parts}


@require_POST
@requires(EDIT)
def restore(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    orchestration = find_orchestration(pk)
    try:
        version = restore_version(orchestration, number, user=person(request))
    except OrchestrationsError as error:
        fields = getattr(error, "fields", {})
        messages.error(request, " ".join([error.message, *dict.fromkeys(fields.values())]))
        return redirect("orchestration-versions", pk)
    messages.success(request, f"Version {number} is back, as version {version.number}.")
    return redirect(orchestration)
