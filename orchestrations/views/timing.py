"""What the Automate and the schedule dialogs share: answers while somebody still chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from orchestrations.forms.timing_form import TimingForm
from orchestrator_site.lib.htmx import render_page_or_fragment, wants_fragment
from orchestrator_site.lib.timezone import viewer_zone

ACTION = "action"  # empty submits; any other value only shows
PARTS = {
    "schedule-fields": "orchestrations/_schedule_fields.html",
    "schedule-preview": "orchestrations/_schedule_preview.html",
}


def only_shows(request: HttpRequest) -> bool:
    """Tell whether the form was posted to see more of it, not to be saved."""
    return request.method == "POST" and bool(request.POST.get(ACTION))


def options(request: HttpRequest) -> dict[str, Any]:
    """Return what a TimingForm has to know of a request."""
    submitted = request.method == "POST" and not only_shows(request)
    return {"viewer_zone": viewer_zone(request).key, "submitted": submitted}


def show(
    request: HttpRequest, page: str, fragment: str, context: Mapping[str, Any]
) -> HttpResponse:
    """Render the dialog, or only the part of it that htmx asks for, with what was chosen."""
    form: TimingForm = context["form"]
    form.is_valid()  # makes the preview, and errors at the fields
    asked = only_shows(request) and wants_fragment(request)
    part = PARTS.get(request.htmx.target or "") if asked else None  # type: ignore[attr-defined]  # set by its middleware
    response = render_page_or_fragment(request, page, part or fragment, context)
    patch_vary_headers(response, ["HX-Target"])
    return response
