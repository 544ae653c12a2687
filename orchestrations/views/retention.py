"""How long history is kept: a page for administrators, which counts before it is saved."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from orchestrations.forms.retention import RetentionForm
from orchestrations.queries.retention import Limits, preview
from orchestrations.services.retention import current_retention, save_retention
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import VIEW, person, requires

PAGES = ("orchestrations/retention_page.html", "orchestrations/_retention.html")


@require_http_methods(["GET", "POST"])
@requires(VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Show what is set; count what would go (`action=preview`), or save it."""
    if not person(request).is_staff:
        raise PermissionDenied
    retention = current_retention()
    last = {"began_at": retention.began_at, "ended_at": retention.ended_at, **retention.result}
    form = RetentionForm(request.POST or None, instance=retention)
    context: dict[str, Any] = {"form": form, "last": last if retention.ended_at else None}
    if request.method == "GET":
        return htmx.render_page_or_fragment(request, *PAGES, context)
    if not form.is_valid():
        return htmx.invalid(request, *PAGES, context)
    if request.POST.get("action") == "preview":
        context["preview"] = preview(Limits.of(form.instance), timezone.now())
        return htmx.render_page_or_fragment(request, *PAGES, context)
    save_retention(form.instance)
    is_on = form.instance.is_enabled
    text = "It is applied every night." if is_on else "Nothing is deleted while it is off."
    messages.success(request, f"Saved. {text}")
    return htmx.redirect(request, request.path)
