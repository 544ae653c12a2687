"""Load files into tables, and delete tables: each a page, or a dialog."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from components.forms.storage import BUCKET_KEY, NewTableForm, UploadForm
from components.queries.storage import table_uses
from components.services.storage import delete_table
from components.views.storage import find_table
from orchestrator_site.lib.access import EDIT, person, requires
from orchestrator_site.lib.durations import format_count
from orchestrator_site.lib.htmx import invalid, redirect, render_page_or_fragment

UPLOAD = ("components/table_upload.html", "components/_table_upload.html")
DELETE = ("components/table_delete.html", "components/_table_delete.html")


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def table_new(request: HttpRequest) -> HttpResponse:
    """Make a table of a file."""
    bucket = request.GET.get("bucket", "")
    bucket = bucket if BUCKET_KEY.fullmatch(bucket) else ""
    form = NewTableForm(
        request.POST or None, request.FILES or None, initial={"bucket": bucket or "in.c-"}
    )
    return _upload(request, form, reverse("bucket", args=[bucket]) if bucket else None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def table_upload(request: HttpRequest, key: str) -> HttpResponse:
    """Load a file into a table that exists."""
    found = find_table(key)
    form = UploadForm(request.POST or None, request.FILES or None, table=found)
    return _upload(request, form, found.get_absolute_url())


def _upload(request: HttpRequest, form: UploadForm, back: str | None) -> HttpResponse:
    context = {
        "form": form,
        "table": form.table,
        "back": back or reverse("storage"),
        "nav": "storage",
    }
    if request.method == "GET":
        return render_page_or_fragment(request, *UPLOAD, context)
    version = form.load(user=person(request)) if form.is_valid() else None
    if version is None:
        return invalid(request, *UPLOAD, context)
    rows = f"{format_count(version.rows)} row{'' if version.rows == 1 else 's'}"
    messages.success(request, f"{version.table.key} now holds {rows}.")
    return redirect(request, version.table.get_absolute_url())


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def table_delete(request: HttpRequest, key: str) -> HttpResponse:
    """Ask whether a table is to be deleted, naming who uses it, and delete it."""
    found = find_table(key)
    if request.method == "GET":
        context = {"table": found, "uses": table_uses(found.key), "nav": "storage"}
        return render_page_or_fragment(request, *DELETE, context)
    delete_table(found)
    messages.success(request, f"The table {found.key} was deleted.")
    return redirect(request, found.bucket.get_absolute_url())
