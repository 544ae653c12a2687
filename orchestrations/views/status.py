"""Whether the installation works: a page for people, the banner, and answers for programs."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from components.api.base import TokenAuth, TooManyCalls
from orchestrations.queries.health import lasting_outage
from orchestrations.queries.status import status as read_status
from orchestrations.services import metrics
from orchestrations.services.reachability import parts
from orchestrations.tasks import check_slots
from orchestrator_site.lib import bell, htmx
from orchestrator_site.lib.access import VIEW, person, requires
from orchestrator_site.lib.database_clock import database_now

PAGE, LIVE = "orchestrations/status_page.html", "orchestrations/_status_live.html"
# What must answer for the pages to be of use; without the broker work is only late.
REQUIRED = ("database", "storage")


@require_safe
@requires(VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Show schedulers, workers, queues, slots and outages; asks for itself every five seconds."""
    found = read_status(database_now())
    slots = [(outcome.label, outcome, count) for outcome, count in found.slots.items()]
    context = {"status": found, "slots": slots, "parts": parts(), "nav": "status"}
    return htmx.render_page_or_fragment(request, PAGE, LIVE, context)


@require_POST
@requires(VIEW)
def count_slots(request: HttpRequest) -> HttpResponse:
    """Let a worker count all slots of the last day now; for administrators."""
    if not person(request).is_staff:
        raise PermissionDenied
    bell.ring(check_slots)
    text = "A worker counts all slots; this page shows the result in a moment."
    return htmx.done(request, text, back=reverse("status"))


@require_safe
@requires(VIEW)
def banner(request: HttpRequest) -> HttpResponse:
    """Say on every page that nothing fires."""
    outage = lasting_outage(database_now())
    return render(request, "shared/_outage.html", {"outage": outage})


@login_not_required
@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that this process answers; asks nothing else, so that a restart can help."""
    return _text("ok\n")


@login_not_required
@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Say whether pages can be served: 200, or 503 where the database or Storage is away."""
    answers = {part.name: part.is_reached for part in parts(*REQUIRED)}
    answers["migrations"] = answers["database"] and _is_migrated()
    is_ready = all(answers.values())
    body = {
        "status": "ready" if is_ready else "not ready",
        "checks": {name: "ok" if good else "failed" for name, good in answers.items()},
    }
    return JsonResponse(
        body, status=200 if is_ready else 503, headers={"Cache-Control": "no-store"}
    )


@login_not_required
@require_safe
def metrics_text(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus: with a token of the scope “read”, or to somebody who is logged in."""
    try:
        known = request.user.has_perm(VIEW) or TokenAuth(VIEW)(request)
    except PermissionDenied as error:
        return _text(f"{error}\n", 403)
    except TooManyCalls as error:
        return _text(f"{error}\n", 429)
    if not known:
        answer = _text("Send a valid token: Authorization: Bearer …\n", 401)
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    body, content_type = metrics.exposition(database_now())
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": "no-store"})


def _is_migrated() -> bool:
    """Tell whether the database is at the state of the code; asked again until it is."""
    if not _migrated:
        try:
            executor = MigrationExecutor(connection)
            if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
                _migrated.append(True)
        except Error:
            return False
    return bool(_migrated)


def _text(text: str, status: int = 200) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(
        text, status=status, content_type="text/plain; charset=utf-8", headers=headers
    )


_migrated: list[bool] = []
