"""The page of one orchestration, and what is done to it there."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from orchestrations.forms.orchestrations import DetailsForm
from orchestrations.models import Orchestration
from orchestrations.queries import orchestrations as queries
from orchestrations.queries import runs
from orchestrations.queries.orchestrations import orchestration_rows
from orchestrations.services import orchestrations as services
from orchestrations.services.arming import missed_of_all
from orchestrations.services.orchestration_tokens import own_token
from orchestrations.views.catching_up import answered, question
from orchestrations.views.finding import find_orchestration
from orchestrations.views.runs import run_table
from orchestrations.views.slots import ledger_tab
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW, person, requires
from orchestrator_site.lib.database_clock import database_now

VERSIONS_SHOWN = 5
SLOTS = "slots"  # the tab beside those of runs


@require_GET
@requires(VIEW)
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    orchestration = get_object_or_404(Orchestration, pk=pk)
    if orchestration.deleted_at:
        messages.info(request, f"“{orchestration}” is in the trash. Restore it to see it.")
        return redirect("trash")
    context = {
        "orchestration": orchestration,
        "row": orchestration_rows([orchestration])[0],
        "tasks": queries.tasks_of(orchestration),
        "versions": queries.versions_of(orchestration)[:VERSIONS_SHOWN],
        "token": own_token(orchestration),
        "parents": queries.orchestrations_above(orchestration),
        "last_runs": runs.last_runs(orchestration),
        **run_table(request, orchestration),
    }
    if request.GET.get("tab") == SLOTS:
        context |= {"tab": SLOTS, **ledger_tab(request, orchestration)}
    return render(request, "orchestrations/orchestration_page.html", context)


@requires(EDIT)
def details(request: HttpRequest, pk: int) -> HttpResponse:
    """Edit name and description in place: the form, and its save."""
    orchestration = find_orchestration(pk)
    form = DetailsForm(request.POST or None, orchestration=orchestration)
    if request.method == "POST" and form.is_valid() and form.save(user=person(request)):
        messages.success(request, "Saved.")
        return htmx.redirect(request, orchestration.get_absolute_url())
    context = {"orchestration": orchestration, "form": form}
    return htmx.render_page_or_fragment(
        request,
        "orchestrations/orchestration_details.html",
        "orchestrations/_orchestration_details.html",
        context,
        status=422 if form.errors else 200,
    )


@require_POST
@requires(OPERATE)
def enabled(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch an orchestration; htmx gets its row of the list back."""
    orchestration = find_orchestration(pk)
    is_on, in_list = request.POST.get("enabled") == "on", request.POST.get("from") == "list"
    back = reverse("orchestrations") if in_list else orchestration.get_absolute_url()
    catch_up = None
    if is_on:
        asked = question(
            request,
            lambda: missed_of_all([orchestration], database_now()),
            back=back,
            hidden=[("enabled", "on"), ("from", "list" if in_list else "")],
            find_row=lambda: orchestration_rows([orchestration])[0] if in_list else None,
        )
        if isinstance(asked, HttpResponse):
            return asked
        catch_up = asked
    services.set_enabled(orchestration, enabled=is_on, user=person(request), catch_up=catch_up)
    text = f"{orchestration} is {'on' if is_on else 'off'}."
    if htmx.wants_fragment(request) and not answered(request):
        context = {"row": orchestration_rows([orchestration])[0]}
        answer = render(request, "orchestrations/_orchestration_row.html", context)
        return htmx.toast(answer, text)
    messages.success(request, text)
    return htmx.redirect(request, _page_of(request) or back)


@require_POST
@requires(EDIT)
def throw_away(request: HttpRequest, pk: int) -> HttpResponse:
    orchestration = find_orchestration(pk)
    services.move_to_trash(orchestration, user=person(request))
    messages.success(request, f"{orchestration} is in the trash. It can be restored from there.")
    return htmx.redirect(request, reverse("orchestrations"))


def _page_of(request: HttpRequest) -> str | None:
    """Return the page of ours that htmx asks from: where a list stands as it was filtered."""
    return request.htmx.current_url_abs_path if request.htmx else None  # type: ignore[attr-defined]
