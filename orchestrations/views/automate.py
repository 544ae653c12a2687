"""The Automate dialog: a modal over the configuration's page, and a page of its own."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from django_htmx.http import trigger_client_event

from components.models import Configuration
from orchestrations.forms import timing
from orchestrations.forms.schedules import AutomateForm
from orchestrations.views.timing import only_shows, options, show
from orchestrator_site.lib.access import EDIT, requires
from orchestrator_site.lib.htmx import done, invalid

PAGE, FRAGMENT = "orchestrations/automate_page.html", "orchestrations/_automate_form.html"


@requires(EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def automate(request: HttpRequest, pk: int) -> HttpResponse:
    found = Configuration.objects.filter(deleted_at=None).select_related("component")
    configuration = get_object_or_404(found, pk=pk)
    posted = request.POST if request.method == "POST" else timing.fresh()
    form = AutomateForm(posted, configuration=configuration, **options(request))
    url = reverse("automate", args=[pk])
    context = {"configuration": configuration, "form": form, "url": url, "nav": "components"}
    if request.method != "POST" or only_shows(request):
        return show(request, PAGE, FRAGMENT, context)
    orchestration = form.save(request.user)  # type: ignore[arg-type]  # the view needs a log-in
    if orchestration is None:
        return invalid(request, PAGE, FRAGMENT, context)
    response = done(
        request,
        f"{configuration.name} has been automated.",
        back=configuration.get_absolute_url(),
        link=(orchestration.get_absolute_url(), "Open the orchestration"),
    )
    return trigger_client_event(response, "orchestrationsChanged")
