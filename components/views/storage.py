"""Storage: its buckets and tables, what a table holds and held."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from components.exceptions import NotAllowed, StorageError
from components.models import Bucket, Table, TableVersion
from components.queries import storage as queries
from components.services.previews import EXPORTS, PREVIEW_ROWS, export, preview
from components.services.storage import delete_bucket, restore_version
from orchestrator_site.lib.access import EDIT, VIEW, person, requires
from orchestrator_site.lib.htmx import redirect, render_page_or_fragment
from orchestrator_site.lib.live import number

PAGE = 50
RECENT = 5
TABS = (
    ("preview", "Preview"),
    ("columns", "Columns"),
    ("versions", "Versions"),
    ("uses", "Used by"),
)


@requires(VIEW)
@require_GET
def storage(request: HttpRequest) -> HttpResponse:
    """List buckets, or all tables, by search."""
    words = request.GET.get("q", "").strip()
    buckets: Paginator[Any] = Paginator(queries.buckets(words), PAGE)
    tables: Paginator[Any] = Paginator(queries.tables(words), PAGE)
    tab = "tables" if request.GET.get("tab") == "tables" else "buckets"
    pages = tables if tab == "tables" else buckets
    context = {
        "tab": tab,
        "tabs": (("buckets", "Buckets", buckets.count), ("tables", "Tables", tables.count)),
        "page_obj": pages.get_page(request.GET.get("page")),
        "words": words,
        "totals": queries.totals(),
    }
    return render_page_or_fragment(
        request, "components/storage_page.html", "components/_storage_list.html", context
    )


@requires(VIEW)
@require_GET
def bucket(request: HttpRequest, key: str) -> HttpResponse:
    found = get_object_or_404(queries.buckets(), key=key)
    words = request.GET.get("q", "").strip()
    pages = Paginator(queries.tables(words, bucket=found), PAGE)
    context = {
        "bucket": found,
        "page_obj": pages.get_page(request.GET.get("page")),
        "words": words,
        "nav": "storage",
    }
    return render_page_or_fragment(
        request, "components/bucket_page.html", "components/_table_list.html", context
    )


@requires(EDIT)
@require_POST
def bucket_delete(request: HttpRequest, key: str) -> HttpResponse:
    found = get_object_or_404(Bucket, key=key)
    try:
        delete_bucket(found)
    except NotAllowed as error:
        messages.error(request, error.message)
        return redirect(request, found.get_absolute_url())
    messages.success(request, f"The bucket {key} was deleted.")
    return redirect(request, reverse("storage"))


def find_table(key: str) -> Table:
    """Return a table with bucket, current version and last job; 404 otherwise."""
    found = queries.table_detail(key)
    if found is None:
        raise Http404
    return found


@requires(VIEW)
@require_GET
def table(request: HttpRequest, key: str) -> HttpResponse:
    """Show a table: what it holds, its columns, its versions, who uses it."""
    found = find_table(key)
    asked = request.GET.get("tab", "")
    tab = asked if asked in dict(TABS) else "preview"
    context: dict[str, Any] = {"table": found, "tab": tab, "tabs": TABS, "nav": "storage"}
    if tab == "preview":
        context |= _preview(request, found)
    elif tab == "versions":
        pages = Paginator(queries.versions(found), PAGE)
        context["page_obj"] = pages.get_page(request.GET.get("page"))
    elif tab == "uses":
        context["uses"] = queries.table_uses(found.key)
    context["recent"] = queries.versions(found)[:RECENT]
    return render_page_or_fragment(
        request, "components/table_page.html", "components/_table_tab.html", context
    )


def _preview(request: HttpRequest, found: Table) -> dict[str, Any]:
    """Return the first rows by filter, of an earlier version where one is asked for."""
    shown, words = _version(request, found), request.GET.get("q", "").strip()
    context = {"words": words, "version": shown, "rows_shown": PREVIEW_ROWS}
    try:
        return {**context, "preview": preview(found, version=shown, text=words)}
    except StorageError as error:
        return {**context, "problem": error.message}


def _version(request: HttpRequest, found: Table) -> TableVersion | None:
    """Return the version that the address names, None for the current one; 404 for no version."""
    if not request.GET.get("version"):
        return None
    asked = number(request.GET["version"])
    version = get_object_or_404(queries.versions(found), number=asked)
    return None if version.pk == found.current_id else version


@requires(VIEW)
@require_GET
def table_export(request: HttpRequest, key: str) -> HttpResponseBase:
    """Hand out a whole version as CSV or Parquet."""
    found = find_table(key)
    version, format_ = _version(request, found), request.GET.get("format", "csv")
    if format_ not in EXPORTS:
        raise Http404
    try:
        file = export(found, format=format_, version=version)
    except StorageError as error:
        messages.error(request, error.message)
        return redirect(request, found.get_absolute_url())
    name = f"{found.name}-version-{version.number}" if version else found.name
    return FileResponse(file, as_attachment=True, filename=f"{name}.{format_}")


@requires(EDIT)
@require_POST
def table_restore(request: HttpRequest, key: str, version: int) -> HttpResponse:
    """Make an earlier version's content current again."""
    found = find_table(key)
    earlier = get_object_or_404(found.versions, number=version)
    try:
        restored = restore_version(earlier, user=person(request))
        messages.success(request, f"Version {version} is back, as version {restored.number}.")
    except NotAllowed as error:
        messages.error(request, error.message)
    return redirect(request, found.get_absolute_url())
