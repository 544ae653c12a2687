"""Calendars: the list, the form with the year beside it, and their end."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from orchestrations.exceptions import NotAllowed
from orchestrations.forms.calendars import CalendarForm
from orchestrations.models import Calendar
from orchestrations.queries.calendars import (
    FIRST_YEAR,
    LAST_YEAR,
    list_calendars,
    users_of,
    words,
    year_of,
)
from orchestrations.queries.schedules import words as schedule_words
from orchestrations.services.calendars import delete_calendar, why_kept
from orchestrator_site.lib.access import EDIT, VIEW, person, requires
from orchestrator_site.lib.htmx import invalid, redirect, render_page_or_fragment

LIST = ("orchestrations/calendar_list.html", "orchestrations/_calendar_list.html")
PAGE = "orchestrations/calendar_page.html"
FORM, YEAR = "orchestrations/_calendar_form.html", "orchestrations/_calendar_year.html"
CHECK = "orchestrations/_calendar_check.html"
DELETE = ("orchestrations/calendar_delete.html", "orchestrations/_calendar_delete.html")


@requires(VIEW)
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """List the calendars with what they say."""
    rows = [(calendar, words(calendar)) for calendar in list_calendars()]
    return render_page_or_fragment(request, *LIST, {"rows": rows})


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def calendar_new(request: HttpRequest) -> HttpResponse:
    """Make a calendar."""
    return _page(request, None, url=reverse("calendar-new"))


@requires(VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a calendar and its year; those who may, change it here."""
    if request.method == "POST" and not person(request).has_perm(EDIT):
        raise PermissionDenied
    calendar = get_object_or_404(Calendar, pk=pk)
    return _page(request, calendar, url=calendar.get_absolute_url())


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def calendar_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether a calendar is to be deleted, and delete it where no schedule uses it."""
    calendar = get_object_or_404(Calendar, pk=pk)
    context = {"calendar": calendar, "words": words(calendar)}
    if request.method != "POST":
        context["refusal"] = why_kept(calendar)
        return render_page_or_fragment(request, *DELETE, context)
    try:
        delete_calendar(calendar)
    except NotAllowed as error:
        return invalid(request, *DELETE, {**context, "refusal": str(error)})
    messages.success(request, f"The calendar “{calendar.name}” has been deleted.")
    return redirect(request, reverse("calendars"))


def _page(request: HttpRequest, calendar: Calendar | None, *, url: str) -> HttpResponse:
    """Show the form and its year, draw the year of what is typed (`action=preview`), or save."""
    posted = request.POST if request.method == "POST" else None
    form = CalendarForm(posted, calendar=calendar)
    number = _asked_year(request)
    context: dict[str, Any] = {"form": form, "calendar": calendar, "url": url}
    if request.POST.get("action") == "preview":
        form.is_valid()
        context["year"] = year_of(form.rules, number)
        return render_page_or_fragment(request, PAGE, CHECK, _whole(context))
    saved = form.save(person(request)) if posted is not None else None
    if saved is not None:
        verb = "changed" if calendar else "made"
        messages.success(request, f"The calendar “{saved.name}” has been {verb}.")
        return redirect(request, f"{saved.get_absolute_url()}?year={number}")
    context["year"] = year_of(form.rules, number)
    if posted is None:
        return render_page_or_fragment(request, PAGE, YEAR, _whole(context))
    return invalid(request, PAGE, FORM, _whole(context))


def _whole(context: dict[str, Any]) -> dict[str, Any]:
    """Add what the page shows beside the form: what it says, and the schedules that use it."""
    calendar = context["calendar"]
    if calendar is None:
        return context
    users = [(each, schedule_words(each)) for each in users_of(calendar)]
    return {**context, "words": words(calendar), "users": users}


def _asked_year(request: HttpRequest) -> int:
    """Return the year of the address or of the form; this year where there is none."""
    text = request.GET.get("year") or request.POST.get("year") or ""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) == len("2026") else 0
    return number if FIRST_YEAR <= number <= LAST_YEAR else timezone.localdate().year
