"""Versions of an orchestration: the list, a comparison, one whole, the way back, and a copy."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from orchestrations.enums import VersionPart
from orchestrations.exceptions import InvalidOrchestration
from orchestrations.forms.versions import CopyForm, RestoreForm
from orchestrations.models import Orchestration, OrchestrationVersion
from orchestrations.queries import version_pages as queries
from orchestrations.queries.versions import compare as differences_of
from orchestrations.services.restoring import COPIED, find_version
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import EDIT, VIEW, person, requires
from orchestrator_site.lib.live import number as number_in

PER_PAGE = 50
RESTORE_PAGE = "orchestrations/orchestration_restore.html"
RESTORE = "orchestrations/_orchestration_restore.html"
COPY_PAGE, COPY = (
    "orchestrations/orchestration_copy.html",
    "orchestrations/_orchestration_copy.html",
)
LIST_PAGE = "orchestrations/orchestration_versions.html"
LIST = "orchestrations/_orchestration_versions.html"


@require_safe
@requires(VIEW)
def index(request: HttpRequest, pk: int) -> HttpResponse:
    orchestration = find_orchestration(pk)
    text, by = request.GET.get("q", "")[:200], request.GET.get("by", "")[:200]
    found = queries.filtered_versions(orchestration, text=text, by=by)
    context = {
        "orchestration": orchestration,
        "page_obj": Paginator(found, PER_PAGE).get_page(request.GET.get("page")),
        "text": text,
        "by": by,
        "authors": queries.authors(orchestration),
    }
    return htmx.render_page_or_fragment(request, LIST_PAGE, LIST, context)


@require_safe
@requires(VIEW)
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what differs between two versions: by default the latest and the one before it."""
    orchestration = find_orchestration(pk)
    to = number_in(request.GET.get("to")) or orchestration.version
    before = _find(orchestration, number_in(request.GET.get("from")) or max(to - 1, 1))
    after = _find(orchestration, to)
    context = {
        "orchestration": orchestration,
        "before": before,
        "after": after,
        "parts": differences_of(before.definition, after.definition),
        "choices": queries.version_choices(orchestration, [before.number, after.number]),
    }
    return render(request, "orchestrations/orchestration_compare.html", context)


@require_safe
@requires(VIEW)
def detail(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    orchestration = find_orchestration(pk)
    version = _find(orchestration, number)
    context = {
        "orchestration": orchestration,
        "version": version,
        "whole": queries.whole_version(version.definition),
    }
    return render(request, "orchestrations/orchestration_version.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(EDIT)
def restore(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Ask what of a version is to be restored, showing what that changes; and restore it."""
    orchestration = find_orchestration(pk)
    version = _find(orchestration, number)
    posted = request.POST if request.method == "POST" else None
    form = RestoreForm(posted, version=version, latest=orchestration.version)
    if posted is not None and form.is_valid():
        made = form.save(orchestration, user=person(request))
        if made is not None:
            messages.success(request, f"{made.change} It is version {made.number} now.")
            return htmx.redirect(request, orchestration.get_absolute_url())
    context = _restore_context(orchestration, version, form)
    status = 422 if form.errors else 200
    return htmx.render_page_or_fragment(request, RESTORE_PAGE, RESTORE, context, status=status)


def _restore_context(
    orchestration: Orchestration, version: OrchestrationVersion, form: RestoreForm
) -> dict[str, Any]:
    latest = _find(orchestration, orchestration.version)
    choices = queries.restorable(latest.definition, version.definition)
    usual = [choice.part.value for choice in choices if not choice.problem]
    return {
        "orchestration": orchestration,
        "version": version,
        "form": form,
        "choices": choices,
        "chosen": form.data.getlist("part") if form.is_bound else usual,  # type: ignore[attr-defined]  # a QueryDict
        "trashed": queries.trashed_targets(version.definition)
        if VersionPart.TASKS in [choice.part for choice in choices]
        else [],
    }


@require_http_methods(["GET", "HEAD", "POST"])
@requires(EDIT)
def copy(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the name of a copy and what comes along; and make it."""
    orchestration = find_orchestration(pk)
    asked = request.POST if request.method == "POST" else request.GET
    version = _find(orchestration, number_in(asked.get("version")) or orchestration.version)
    form = CopyForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        made = form.save(orchestration, number=version.number, user=person(request))
        if made is not None:
            messages.success(request, _copied(form.cleaned_data["part"]))
            return htmx.redirect(request, made.get_absolute_url())
    context = {
        "orchestration": orchestration,
        "version": version,
        "form": form,
        "choices": [(part, len(version.definition[part.value])) for part in COPIED],
        "chosen": request.POST.getlist("part"),
    }
    status = 422 if form.errors else 200
    return htmx.render_page_or_fragment(request, COPY_PAGE, COPY, context, status=status)


def _copied(parts: list[str]) -> str:
    if {"schedules", "triggers"} & set(parts):
        return "This is the copy. What starts it is switched off; switch it on when it is ready."
    return "This is the copy; nothing starts it by itself yet."


def _find(orchestration: Orchestration, number: int) -> OrchestrationVersion:
    try:
        return find_version(orchestration, number)
    except InvalidOrchestration:
        raise Http404 from None
