"""The schedules of an orchestration: list, add, change, switch, remove, and what became of them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django_htmx.http import trigger_client_event

from orchestrations.exceptions import NotAllowed
from orchestrations.forms.schedules import ScheduleForm, fresh_schedule, schedule_values
from orchestrations.models import Orchestration, Schedule
from orchestrations.queries.schedules import words
from orchestrations.queries.slots import schedule_lines
from orchestrations.queries.triggers import trigger_lines
from orchestrations.services import schedules as services
from orchestrations.services.arming import missed_of
from orchestrations.views.catching_up import answered, question
from orchestrations.views.timing import only_shows, options, show
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW, person, requires
from orchestrator_site.lib.database_clock import database_now
from orchestrator_site.lib.htmx import (
    Level,
    done,
    invalid,
    render_page_or_fragment,
    toast,
    wants_fragment,
)

FORM_PAGE, FORM = "orchestrations/schedule_page.html", "orchestrations/_schedule_form.html"
LIST_PAGE, LIST = "orchestrations/schedule_list_page.html", "orchestrations/_schedule_list.html"


@requires(VIEW)
@require_safe
def schedule_list(request: HttpRequest, pk: int) -> HttpResponse:
    return _list(request, get_object_or_404(Orchestration, pk=pk))


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def schedule_new(request: HttpRequest, pk: int) -> HttpResponse:
    orchestration = get_object_or_404(Orchestration, pk=pk, deleted_at=None)
    posted = request.POST if request.method == "POST" else fresh_schedule()
    form = ScheduleForm(posted, orchestration=orchestration, **options(request))
    return _dialog(request, form, url=reverse("schedule-new", args=[pk]))


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def schedule_edit(request: HttpRequest, pk: int) -> HttpResponse:
    schedule = _live_schedule(pk)
    posted = request.POST if request.method == "POST" else schedule_values(schedule)
    form = ScheduleForm(
        posted, orchestration=schedule.orchestration, schedule=schedule, **options(request)
    )
    return _dialog(request, form, url=reverse("schedule-edit", args=[pk]))


@requires(OPERATE)
@require_POST
def schedule_switch(request: HttpRequest, pk: int) -> HttpResponse:
    schedule = _live_schedule(pk)
    orchestration = schedule.orchestration
    enabled, catch_up = "enabled" in request.POST, None
    if enabled and not schedule.is_enabled and orchestration.is_enabled:
        asked = question(
            request,
            lambda: [missed] if (missed := missed_of(schedule, database_now())) else [],
            back=orchestration.get_absolute_url(),
            hidden=[("enabled", "on")],
        )
        if isinstance(asked, HttpResponse):
            return asked
        catch_up = asked
    try:
        services.set_enabled(schedule, enabled=enabled, user=person(request), catch_up=catch_up)
    except NotAllowed as error:
        return said(request, orchestration, str(error), level="warning")
    text = f"The schedule is {'on' if enabled else 'off'}."
    return (changed if answered(request) else said)(request, orchestration, text)


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def schedule_delete(request: HttpRequest, pk: int) -> HttpResponse:
    schedule = _live_schedule(pk)
    if request.method == "POST":
        services.delete_schedule(schedule, user=person(request))
        return changed(request, schedule.orchestration, "The schedule has been removed.")
    context = {"schedule": schedule, "words": words(schedule), "nav": "orchestrations"}
    return render_page_or_fragment(
        request,
        "orchestrations/schedule_delete_page.html",
        "orchestrations/_schedule_delete.html",
        context,
    )


def _dialog(request: HttpRequest, form: ScheduleForm, *, url: str) -> HttpResponse:
    """Show the form, or save it and say so."""
    orchestration = form.orchestration
    context = {"form": form, "url": url, "orchestration": orchestration, "nav": "orchestrations"}
    if request.method != "POST" or only_shows(request):
        return show(request, FORM_PAGE, FORM, context)
    if form.save(request.user) is None:  # type: ignore[arg-type]  # the view needs a log-in
        return invalid(request, FORM_PAGE, FORM, context)
    verb = "changed" if form.schedule else "set up"
    return changed(request, orchestration, f"The schedule has been {verb}.")


def changed(
    request: HttpRequest, orchestration: Orchestration, message: str, *, level: Level = "success"
) -> HttpResponse:
    """Close the dialog and have the list beneath it read again; or go to the orchestration."""
    response = done(request, message, back=orchestration.get_absolute_url(), level=level)
    return trigger_client_event(response, "schedulesChanged")


def said(
    request: HttpRequest, orchestration: Orchestration, message: str, *, level: Level = "success"
) -> HttpResponse:
    """Answer with the list as it now is and a message, or go to the orchestration."""
    if not wants_fragment(request):
        return done(request, message, back=orchestration.get_absolute_url(), level=level)
    return toast(_list(request, orchestration), message, level=level)


def _list(request: HttpRequest, orchestration: Orchestration) -> HttpResponse:
    context = {
        "orchestration": orchestration,
        "lines": schedule_lines(orchestration),
        "triggers": trigger_lines(orchestration, timezone.now()),
        "viewer_zone": timezone.get_current_timezone_name(),
        "nav": "orchestrations",
    }
    return render_page_or_fragment(request, LIST_PAGE, LIST, context)


def _live_schedule(pk: int) -> Schedule:
    """Return a schedule that was not removed, of an orchestration outside the trash; or 404."""
    found = Schedule.objects.select_related("orchestration")
    return get_object_or_404(found, pk=pk, deleted_at=None, orchestration__deleted_at=None)
