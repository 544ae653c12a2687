"""The trash: what was thrown away, and its two ways out."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestrations.queries import trash as queries
from orchestrations.queries.trash import KINDS, TrashKey
from orchestrations.services import trash as services
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import EDIT, VIEW, requires
from orchestrator_site.lib.live import number

PER_PAGE = 50
SENTENCES = 5
PAGES = ("orchestrations/trash.html", "orchestrations/_trash_list.html")
PURGE = ("orchestrations/trash_purge.html", "orchestrations/_trash_purge.html")


@require_safe
@requires(VIEW)
def index(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "")[:200]
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    page = Paginator(queries.in_trash(text, kind), PER_PAGE).get_page(request.GET.get("page"))
    counts = queries.trash_counts(text)
    context = {
        "page_obj": page,
        "rows": queries.trash_rows((row["kind"], row["pk"]) for row in page.object_list),
        "text": text,
        "kind": kind,
        "tabs": [
            ("", "All", sum(counts.values())),
            ("orchestration", "Orchestrations", counts["orchestration"]),
            ("configuration", "Configurations", counts["configuration"]),
        ],
    }
    return htmx.render_page_or_fragment(request, *PAGES, context)


@require_POST
@requires(EDIT)
def restore(request: HttpRequest) -> HttpResponse:
    restored = services.restore(_keys(request.POST.getlist("item")))
    if restored.rows:
        messages.success(request, restored.sentence)
    else:
        messages.info(request, "Choose what is to come back.")
    for sentence in restored.warnings[:SENTENCES]:
        messages.warning(request, sentence)
    return htmx.redirect(request, reverse("trash"))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(EDIT)
def purge(request: HttpRequest) -> HttpResponse:
    """Ask whether things, or everything, are to be deleted for good; and delete them."""
    asked = request.POST if request.method == "POST" else request.GET
    keys = _everything() if "all" in asked else _keys(asked.getlist("item"))
    if request.method == "POST" and "confirmed" in asked:
        _say(request, services.purge(keys))
        return htmx.redirect(request, reverse("trash"))
    rows = queries.trash_rows(keys, together=True)
    if not rows:
        messages.info(request, "Choose what is to be deleted.")
        return htmx.redirect(request, reverse("trash"))
    context = {
        "rows": [row for row in rows if not row.kept_by],
        "kept": [row for row in rows if row.kept_by],
        "is_all": "all" in asked,
    }
    return htmx.render_page_or_fragment(request, *PURGE, context)


def _say(request: HttpRequest, purged: services.Purged) -> None:
    for sentence in purged.kept[:SENTENCES]:
        messages.error(request, sentence)
    if len(purged.kept) > SENTENCES:
        messages.error(request, f"{len(purged.kept) - SENTENCES} more stay.")
    if len(purged.rows) == 1:
        messages.success(request, f"“{purged.rows[0].name}” is deleted for good.")
    elif purged.rows:
        messages.success(request, f"{len(purged.rows)} are deleted for good.")


def _everything() -> list[TrashKey]:
    return [(row["kind"], row["pk"]) for row in queries.in_trash()]


def _keys(texts: Iterable[str]) -> list[TrashKey]:
    """Return what forms name, such as `orchestration:7`; nonsense is left out."""
    keys: list[TrashKey] = []
    for text in texts:
        kind, _, pk = text.partition(":")
        found = number(pk)
        if kind in KINDS and found is not None:
            keys.append((kind, found))
    return keys
