"""The tasks editor: a new orchestration, or the phases and tasks of one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from orchestrations.forms.tasks import TasksForm
from orchestrations.models import Orchestration
from orchestrations.views.finding import find_orchestration, person
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import EDIT, requires

PAGE = ("orchestrations/orchestration_tasks.html", "orchestrations/_orchestration_tasks.html")


@requires(EDIT)
def new(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(EDIT)
def tasks(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, find_orchestration(pk))


def _edit(request: HttpRequest, orchestration: Orchestration | None) -> HttpResponse:
    """Show the rows, change them as a button asks, or save them."""
    posted = request.POST if request.method == "POST" else None
    form = TasksForm(posted, orchestration=orchestration)
    context = {"form": form, "orchestration": orchestration}
    if posted is None:
        return htmx.render_page_or_fragment(request, *PAGE, context)
    if action := posted.get("action", ""):
        form.apply(action, posted)
        return htmx.render_page_or_fragment(request, *PAGE, context)
    saved = form.save(user=person(request))
    if saved is None:
        return htmx.invalid(request, *PAGE, context)
    messages.success(request, "Saved.")
    return htmx.redirect(request, saved.get_absolute_url())
