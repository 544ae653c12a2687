"""What is done with a configuration: run it, copy it, remove it, look at its history."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from components.exceptions import ComponentsError, InvalidConfiguration, NotAllowed
from components.queries.configurations import last_jobs, versions_of
from components.services.configurations import (
    copy_configuration,
    move_to_trash,
    restore_from_trash,
    restore_version,
)
from components.services.differences import differences
from components.services.jobs import create_job
from components.views.configurations import RECENT
from components.views.finding import find
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW, person, requires
from orchestrator_site.lib.htmx import done, redirect, render_page_or_fragment
from orchestrator_site.lib.live import number as number_in

PAGE = 50


@requires(OPERATE)
@require_POST
def configuration_run(request: HttpRequest, pk: int) -> HttpResponse:
    found = find(pk)
    back = found.get_absolute_url()
    try:
        job = create_job(found, user=person(request))
    except NotAllowed as error:
        return done(request, error.message, back=back, level="error")
    link = (reverse("job", args=[job.pk]), f"Job {job.pk}")
    response = done(request, f"{found.name} was started.", back=back, link=link)
    return trigger_client_event(response, "jobs-changed")


@requires(VIEW)
@require_GET
def configuration_jobs(request: HttpRequest, pk: int) -> HttpResponse:
    """Answer the last runs; asks again by itself while one is unfinished."""
    found = find(pk)
    context = {"configuration": found, "jobs": last_jobs(found)}
    return render(request, "components/_configuration_jobs.html", context)


@requires(EDIT)
@require_POST
def configuration_copy(request: HttpRequest, pk: int) -> HttpResponse:
    found = find(pk)
    version = number_in(request.POST.get("version"))
    if version is not None:
        get_object_or_404(found.versions, number=version)
    name = request.POST.get("name", "")
    try:
        copy = copy_configuration(found, name=name, user=person(request), number=version)
    except InvalidConfiguration as error:
        messages.error(request, " ".join(error.fields.values()))
        return redirect(request, found.get_absolute_url())
    of = found.name if version is None else f"version {version} of {found.name}"
    messages.success(request, f"This is the copy of {of}.")
    return redirect(request, copy.get_absolute_url())


@requires(EDIT)
@require_POST
def configuration_trash(request: HttpRequest, pk: int) -> HttpResponse:
    found = find(pk)
    try:
        move_to_trash(found, user=person(request))
    except NotAllowed as error:
        messages.error(request, error.message)
        return redirect(request, found.get_absolute_url())
    messages.success(request, f"{found.name} was moved to the trash.")
    return redirect(request, found.component.get_absolute_url())


@requires(EDIT)
@require_POST
def configuration_restore(request: HttpRequest, pk: int) -> HttpResponse:
    found = find(pk)
    restore_from_trash(found)
    messages.success(request, f"{found.name} is back.")
    return redirect(request, found.get_absolute_url())


@requires(VIEW)
@require_GET
def configuration_versions(request: HttpRequest, pk: int) -> HttpResponse:
    """List the versions: a page of its own, or the newest ones for the sidebar."""
    found = find(pk)
    pages = Paginator(versions_of(found), PAGE)
    context = {
        "configuration": found,
        "component": found.component,
        "page_obj": pages.get_page(request.GET.get("page")),
        "versions": versions_of(found)[:RECENT],
        "nav": "components",
    }
    return render_page_or_fragment(
        request,
        "components/configuration_versions.html",
        "components/_configuration_versions.html",
        context,
    )


@requires(VIEW)
@require_GET
def configuration_compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what differs between two versions: `from` and `to`, by default the last two."""
    found = find(pk)
    newer = _version_number(request, "to", found.version)
    older = _version_number(request, "from", max(1, newer - 1))
    before = get_object_or_404(found.versions, number=older)
    after = get_object_or_404(found.versions, number=newer)
    context = {
        "configuration": found,
        "component": found.component,
        "before": before,
        "after": after,
        "changes": differences(before, after),
        "numbers": list(found.versions.values_list("number", flat=True)[:500]),
        "nav": "components",
    }
    return render(request, "components/configuration_compare.html", context)


def _version_number(request: HttpRequest, name: str, default: int) -> int:
    text = request.GET.get(name, "")
    if not text:
        return default
    number = number_in(text)
    if number is None:
        raise Http404
    return number


@requires(EDIT)
@require_POST
def configuration_version_restore(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    found = find(pk)
    get_object_or_404(found.versions, number=number)
    try:
        saved = restore_version(found, number=number, user=person(request))
        messages.success(request, f"Version {number} is back, as version {saved.version}.")
    except ComponentsError as error:
        messages.error(request, error.message)
    return redirect(request, found.get_absolute_url())
