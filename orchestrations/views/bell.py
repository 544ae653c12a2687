"""The bell in the top bar: how much is new, what it is, and that it was seen."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from orchestrations.services.bell import bell_of, mark_seen
from orchestrator_site.lib.access import VIEW, person, requires
from orchestrator_site.lib.htmx import done, render_page_or_fragment, wants_fragment

PAGE, LIST = "orchestrations/bell_page.html", "orchestrations/_bell_list.html"


@requires(VIEW)
@require_safe
def count(request: HttpRequest) -> HttpResponse:
    context = {"unread": bell_of(person(request)).unread}
    return render(request, "orchestrations/_bell_count.html", context)


@requires(VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    return render_page_or_fragment(request, PAGE, LIST, {"bell": bell_of(person(request))})


@requires(VIEW)
@require_POST
def seen(request: HttpRequest) -> HttpResponse:
    mark_seen(person(request))
    if wants_fragment(request):
        return trigger_client_event(HttpResponse(status=204), "bellSeen")
    return done(request, "Marked as seen.", back=reverse("bell"))
