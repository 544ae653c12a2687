"""Ask what is to become of missed moments before something is switched on again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django_htmx.http import reswap, retarget, trigger_client_event

from orchestrations.forms.catching_up import CatchUpForm
from orchestrations.services.arming import CatchUp, Missed
from orchestrator_site.lib import htmx

PAGES = ("orchestrations/catch_up_page.html", "orchestrations/_catch_up.html")


def answered(request: HttpRequest) -> bool:
    """Tell whether this is the answer to the question."""
    return "catch_up" in request.POST or "limit" in request.POST


def question(
    request: HttpRequest,
    find_missed: Callable[[], Sequence[Missed]],
    *,
    back: str,
    hidden: Sequence[tuple[str, Any]] = (),
    find_row: Callable[[], Any] = lambda: None,
) -> CatchUp | HttpResponse | None:
    """Return what was chosen, or the question to be answered; None where nothing was missed.

    The answer comes to the same address, with `hidden` besides. What was missed is counted only
    where it is to be shown, and so is the row, as it stands: its switch was turned, and the
    question may be left.
    """
    is_answer = answered(request)
    chosen = CatchUpForm.posted([], request.POST).read() if is_answer else None
    if chosen is not None:
        return chosen
    missed = find_missed()
    if not missed:
        return None
    form = CatchUpForm.fresh(missed)
    if is_answer:
        form = CatchUpForm.posted(missed, request.POST)
        form.read()
    context = {
        "form": form,
        "url": request.get_full_path(),
        "back": back,
        "hidden": hidden,
        "row": find_row(),
        "nav": "orchestrations",
    }
    status = 422 if is_answer else 200
    response = htmx.render_page_or_fragment(request, *PAGES, context, status=status)
    if htmx.wants_fragment(request):
        retarget(reswap(response, "innerHTML"), "#modal-content")
        trigger_client_event(response, "schedulesChanged")
    return response
