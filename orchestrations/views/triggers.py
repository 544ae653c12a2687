"""The triggers of an orchestration: add, change, switch, run now, remove."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from orchestrations.enums import TriggerKind
from orchestrations.exceptions import NotAllowed
from orchestrations.forms.trigger_sources import FORMS, EndForm, FilesForm, HookForm
from orchestrations.forms.triggers import TriggerForm
from orchestrations.models import Trigger
from orchestrations.queries.triggers import active_triggers, states_of
from orchestrations.services import triggers as services
from orchestrations.views.finding import find_orchestration
from orchestrations.views.schedules import changed, said
from orchestrator_site.lib.access import EDIT, OPERATE, person, requires
from orchestrator_site.lib.htmx import done, invalid, render_page_or_fragment

FORM_PAGE, FORM = "orchestrations/trigger_page.html", "orchestrations/_trigger_form.html"
SOURCE = ("orchestrations/trigger_source_page.html", "orchestrations/_trigger_source.html")
SECRET = ("orchestrations/trigger_secret_page.html", "orchestrations/_trigger_secret.html")
DELETE_PAGE = "orchestrations/trigger_delete_page.html"
DELETE = "orchestrations/_trigger_delete.html"


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def trigger_new(request: HttpRequest, pk: int) -> HttpResponse:
    posted = request.POST if request.method == "POST" else None
    form = TriggerForm(posted, orchestration=find_orchestration(pk))
    return _dialog(request, form, url=reverse("trigger-new", args=[pk]))


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def trigger_edit(request: HttpRequest, pk: int) -> HttpResponse:
    trigger = _live(pk)
    posted = request.POST if request.method == "POST" else None
    if trigger.kind in FORMS:
        of_kind = FORMS[trigger.kind](posted, orchestration=trigger.orchestration, trigger=trigger)
        return _source_dialog(request, of_kind, url=reverse("trigger-edit", args=[pk]))
    form = TriggerForm(posted, orchestration=trigger.orchestration, trigger=trigger)
    return _dialog(request, form, url=reverse("trigger-edit", args=[pk]))


@requires(EDIT)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def trigger_source_new(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    if kind not in FORMS:
        raise Http404
    posted = request.POST if request.method == "POST" else None
    form = FORMS[kind](posted, orchestration=find_orchestration(pk))
    return _source_dialog(request, form, url=reverse("trigger-source-new", args=[pk, kind]))


@requires(EDIT)
@never_cache
@require_POST
def trigger_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a webhook another secret and show it, this once."""
    return _show_secret(request, _live(pk))


@requires(OPERATE)
@require_POST
def trigger_switch(request: HttpRequest, pk: int) -> HttpResponse:
    trigger, enabled = _live(pk), "enabled" in request.POST
    try:
        services.set_enabled(trigger, enabled=enabled, user=person(request))
    except NotAllowed as error:
        return said(request, trigger.orchestration, str(error), level="warning")
    return said(request, trigger.orchestration, f"The trigger is {'on' if enabled else 'off'}.")


@requires(OPERATE)
@require_POST
def trigger_run(request: HttpRequest, pk: int) -> HttpResponse:
    trigger = _live(pk)
    back = trigger.orchestration.get_absolute_url()
    try:
        run = services.run_now(trigger, user=person(request))
    except NotAllowed as error:
        return done(request, str(error), back=back, level="warning")
    link = (run.get_absolute_url(), "Show the run")
    response = done(request, f"Run {run.pk} has been started.", back=back, link=link)
    return trigger_client_event(response, "schedulesChanged")


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def trigger_delete(request: HttpRequest, pk: int) -> HttpResponse:
    trigger = _live(pk)
    if request.method == "POST":
        services.delete_trigger(trigger, user=person(request))
        return changed(request, trigger.orchestration, "The trigger has been removed.")
    [state] = states_of([trigger])
    context = {"trigger": trigger, "state": state, "nav": "orchestrations"}
    return render_page_or_fragment(request, DELETE_PAGE, DELETE, context)


def _dialog(request: HttpRequest, form: TriggerForm, *, url: str) -> HttpResponse:
    """Show the form, or save it and say so."""
    orchestration = form.orchestration
    context = {"form": form, "url": url, "orchestration": orchestration, "nav": "orchestrations"}
    if form.only_shows:
        form.show()
        return render_page_or_fragment(request, FORM_PAGE, FORM, context)
    if form.save(person(request)) is None:
        return invalid(request, FORM_PAGE, FORM, context)
    verb = "changed" if form.trigger else "set up"
    own = form.own()
    if not own:
        return changed(request, orchestration, f"The trigger has been {verb}.")
    text = (
        f"The trigger has been {verb}. Its own runs update {', '.join(own)}: each starts the next."
    )
    return changed(request, orchestration, text, level="warning")


def _source_dialog(
    request: HttpRequest, form: EndForm | HookForm | FilesForm, *, url: str
) -> HttpResponse:
    """Show the form of another kind of trigger, or save it and say so."""
    orchestration = form.orchestration
    context = {"form": form, "url": url, "orchestration": orchestration, "nav": "orchestrations"}
    if request.method != "POST":
        return render_page_or_fragment(request, *SOURCE, context)
    trigger = form.save(person(request))
    if trigger is None:
        return invalid(request, *SOURCE, context)
    if form.trigger is None and trigger.kind == TriggerKind.WEBHOOK:
        return _show_secret(request, trigger)
    verb = "changed" if form.trigger else "set up"
    circle = form.circle() if isinstance(form, EndForm) else []
    if not circle:
        return changed(request, orchestration, f"The trigger has been {verb}.")
    text = f"The trigger has been {verb}. {' → '.join(circle)}: each run starts the next."
    return changed(request, orchestration, text, level="warning")


def _show_secret(request: HttpRequest, trigger: Trigger) -> HttpResponse:
    try:
        secret = services.new_hook_secret(trigger)
    except NotAllowed as error:
        return said(request, trigger.orchestration, str(error), level="warning")
    context = {
        "trigger": trigger,
        "orchestration": trigger.orchestration,
        "secret": secret,
        "address": request.build_absolute_uri(reverse("hook", args=[trigger.hook_key])),
        "nav": "orchestrations",
    }
    response = render_page_or_fragment(request, *SECRET, context)
    return trigger_client_event(response, "schedulesChanged")


def _live(pk: int) -> Trigger:
    """Return a trigger that was not removed, of an orchestration outside the trash; or 404."""
    return get_object_or_404(active_triggers(), pk=pk)
