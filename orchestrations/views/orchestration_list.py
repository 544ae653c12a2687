"""The list of orchestrations, and what is done to several of them."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from orchestrations.exceptions import NotAllowed
from orchestrations.models import Orchestration
from orchestrations.queries.orchestration_list import (
    OrchestrationPage,
    Order,
    Shown,
    find_orchestrations,
    page_by_name,
    page_by_number,
)
from orchestrations.queries.orchestrations import orchestration_rows
from orchestrations.services.arming import CatchUp, missed_of_all
from orchestrations.services.bulk import MOST, BulkAction, act_on_all
from orchestrations.views.catching_up import question
from orchestrator_site.lib import htmx
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW, person, requires
from orchestrator_site.lib.database_clock import database_now
from orchestrator_site.lib.live import mark, number, unchanged

E = TypeVar("E", Shown, Order)
PER_PAGE = 50
PAGES = ("orchestrations/orchestration_list.html", "orchestrations/_orchestration_list.html")
SHOWN = (
    (Shown.FAILING, "Failing"),
    (Shown.RUNNING, "Running"),
    (Shown.DISABLED, "Disabled"),
    (Shown.UNSCHEDULED, "Without schedule"),
)


@require_GET
@requires(VIEW)
def index(request: HttpRequest) -> HttpResponse:
    """Show the orchestrations that search and filter leave."""
    asked = request.GET
    text = asked.get("q", "")[:200]
    shown, order = _choice(Shown, asked.get("show", "")), _sort(asked.get("sort", ""))
    turned = asked.get("sort", "").startswith("-")
    page = _page(request, text, shown, order, turned=turned)
    rows = orchestration_rows(page.orchestrations)
    state = mark(
        [(r.orchestration.pk, r.orchestration.is_enabled, r.next_fire_at) for r in rows],
        [(run.pk, run.status) for r in rows for run in r.runs],
        page.has_next,
    )
    context: dict[str, Any] = {
        "rows": rows,
        "page": page,
        "text": text,
        "shown": shown,
        "choices": SHOWN,
        "sort": order.value,
        "turned": turned,
        "is_filtered": bool(text.strip() or shown),
        "mark": state,
    }
    same = unchanged(request, state)
    return same or htmx.render_page_or_fragment(request, *PAGES, context)


@require_POST
@requires(OPERATE)
def bulk(request: HttpRequest) -> HttpResponse:
    """Do something to the orchestrations that are chosen, and say what became of it."""
    asked = request.POST.get("action", "")
    if asked == BulkAction.TRASH and not person(request).has_perm(EDIT):
        raise PermissionDenied
    query = request.GET.urlencode()
    back = reverse("orchestrations") + (f"?{query}" if query else "")
    ids = [pk for pk in map(number, request.POST.getlist("orchestration")) if pk is not None]
    catch_up = None
    if asked == BulkAction.ENABLE and 0 < len(ids) <= MOST:
        chosen = Orchestration.objects.filter(pk__in=ids, deleted_at=None)
        hidden = [("action", asked), *(("orchestration", pk) for pk in ids)]
        missed = partial(missed_of_all, list(chosen), database_now())
        found = question(request, missed, back=back, hidden=hidden)
        if isinstance(found, HttpResponse):
            return found
        catch_up = found
    if asked in set(BulkAction):
        _act(request, ids, BulkAction(asked), catch_up)
    else:
        messages.error(request, "Choose what to do with the orchestrations.")
    return htmx.redirect(request, back)


def _act(
    request: HttpRequest, ids: list[int], action: BulkAction, catch_up: CatchUp | None
) -> None:
    try:
        result = act_on_all(ids, action, user=person(request), catch_up=catch_up)
    except NotAllowed as error:
        messages.error(request, error.message)
    else:
        say = messages.warning if result.refused else messages.success
        say(request, result.sentence)


def _page(
    request: HttpRequest, text: str, shown: Shown, order: Order, *, turned: bool
) -> OrchestrationPage:
    found = find_orchestrations(text, shown=shown, order=order, turned=turned)
    if order != Order.NAME:
        asked = min(number(request.GET.get("page")) or 1, 10_000)
        return page_by_number(found, limit=PER_PAGE, number=asked)
    after, before = number(request.GET.get("after")), number(request.GET.get("before"))
    return page_by_name(found, limit=PER_PAGE, after=after, before=before, turned=turned)


def _choice(kind: type[E], text: str) -> E:
    return kind(text) if text in set(kind) else kind("")


def _sort(text: str) -> Order:
    name = text.removeprefix("-")
    return Order.NAME if name == "name" else _choice(Order, name)
