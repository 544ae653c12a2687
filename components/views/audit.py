"""The record of changes: all of it for administrators, and that of one object on its own page."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_GET

from components.enums import AuditAction, AuditChannel
from components.queries.audit import AuditFilter, csv_rows, entry_types, list_entries
from components.services.audit import models_with_pages
from orchestrator_site.lib.access import AUDIT, VIEW, requires
from orchestrator_site.lib.csv_stream import stream_csv
from orchestrator_site.lib.htmx import render_page_or_fragment
from orchestrator_site.lib.live import number
from orchestrator_site.lib.moments import midnight

PAGE = ("components/audit_page.html", "components/_audit_list.html")
OBJECT = ("components/audit_object.html", "components/_audit_list.html")
LONGEST = 200  # characters of a filter


@requires(AUDIT)
@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """List who changed what, by the filters in the address."""
    where = _filter(request)
    context = {
        **_page(request, where),
        "where": where,
        "asked": request.GET,
        "types": entry_types(),
        "channels": AuditChannel.choices,
        "actions": AuditAction.choices,
        "is_filtered": where != AuditFilter(),
        "is_admin": True,
    }
    return render_page_or_fragment(request, *PAGE, context)


@requires(AUDIT)
@require_GET
def audit_export(request: HttpRequest) -> StreamingHttpResponse:
    """Hand out what the filters leave as CSV, row by row."""
    return stream_csv(csv_rows(_filter(request)), f"changes-{timezone.localdate():%Y-%m-%d}")


@requires(VIEW)
@require_GET
def audit_object(request: HttpRequest, word: str, pk: int) -> HttpResponse:
    """List the changes of one object and of what belongs to it; where from, administrators see."""
    model = models_with_pages().get(word)
    if model is None:
        raise Http404
    found = get_object_or_404(model, pk=pk)
    context = {
        **_page(request, AuditFilter(about=f"{word}:{pk}")),
        "object": found,
        "word": word,
        "is_admin": request.user.has_perm(AUDIT),
        "of_one": True,
    }
    return render_page_or_fragment(request, *OBJECT, context)


def _page(request: HttpRequest, where: AuditFilter) -> dict[str, Any]:
    after = number(request.GET.get("after"))
    page = list_entries(where, models=models_with_pages(), after=after)
    return {"rows": page.rows, "after": after, "next_after": page.after}


def _filter(request: HttpRequest) -> AuditFilter:
    """Read the filters from the address; what makes no sense there is left out."""
    asked = {name: request.GET.get(name, "").strip()[:LONGEST] for name in request.GET}
    channel, action = asked.get("channel", ""), asked.get("action", "")
    return AuditFilter(
        type=asked.get("type", ""),
        id=asked.get("id", ""),
        about=asked.get("about", ""),
        person=asked.get("person", ""),
        channel=channel if channel in AuditChannel.values else "",
        action=action if action in AuditAction.values else "",
        since=midnight(asked.get("from", "")),
        until=midnight(asked.get("to", ""), days=1),
        text=asked.get("q", ""),
    )
