"""What became of due moments: the ledger of an orchestration and that of one schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from orchestrations.enums import SlotOutcome
from orchestrations.models import Orchestration, Schedule
from orchestrations.queries.ledger import (
    Mark,
    SlotFilter,
    csv_rows,
    last_slots,
    ledger,
    outcome_counts,
    schedules_with_slots,
)
from orchestrations.queries.schedules import words
from orchestrations.views.finding import find_orchestration
from orchestrator_site.lib.access import VIEW, requires
from orchestrator_site.lib.csv_stream import stream_csv
from orchestrator_site.lib.htmx import render_page_or_fragment
from orchestrator_site.lib.live import number
from orchestrator_site.lib.moments import midnight

PAGE = ("orchestrations/schedule_slots_page.html", "orchestrations/_slot_ledger.html")
SHOWN = 50


@requires(VIEW)
@require_safe
def schedule_slots(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Show the ledger of one schedule, also of a removed one, or hand it out as CSV."""
    schedule = get_object_or_404(Schedule.objects.select_related("orchestration"), pk=pk)
    where = _filter(request, schedule=pk)
    if request.GET.get("format") == "csv":
        return _csv(where, f"slots-of-schedule-{pk}")
    context = {
        **_context(request, where),
        "schedule": schedule,
        "words": words(schedule),
        "zone": schedule.timezone,
        "nav": "orchestrations",
    }
    return render_page_or_fragment(request, *PAGE, context)


@requires(VIEW)
@require_safe
def orchestration_slots(request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
    """Hand out the ledger of an orchestration as CSV; its page shows it."""
    orchestration = find_orchestration(pk)
    where = _filter(request, orchestration=orchestration.pk, schedule=_asked_schedule(request))
    return _csv(where, f"slots-of-orchestration-{pk}")


def ledger_tab(request: HttpRequest, orchestration: Orchestration) -> dict[str, Any]:
    """Return what the tab *Slots* of an orchestration's page shows."""
    schedules = schedules_with_slots(orchestration)
    chosen = _asked_schedule(request)
    known = {schedule.pk: schedule for schedule in schedules}
    where = _filter(
        request, orchestration=orchestration.pk, schedule=chosen if chosen in known else None
    )
    one = known.get(where.schedule) if where.schedule else schedules[0] if schedules else None
    zones = {schedule.timezone for schedule in schedules}
    return {
        **_context(request, where),
        "schedules": schedules,
        "zone": one.timezone if one and (where.schedule or len(zones) == 1) else None,
    }


def _context(request: HttpRequest, where: SlotFilter) -> dict[str, Any]:
    now = timezone.now()
    before = Mark.read(request.GET.get("before", ""))
    page = ledger(where, before=before, limit=SHOWN)
    counts = outcome_counts(where, now)
    return {
        "where": where,
        "slots": page.slots,
        "older": page.older,
        "before": before,
        "counts": [(outcome, outcome.label, count) for outcome, count in counts.items()],
        "total": sum(counts.values()),
        "last": last_slots(where),
        "viewer_zone": timezone.get_current_timezone_name(),
    }


def _filter(
    request: HttpRequest, *, orchestration: int | None = None, schedule: int | None = None
) -> SlotFilter:
    """Read the filters from the address; what makes no sense there is left out."""
    outcome = request.GET.get("outcome", "")
    return SlotFilter(
        orchestration=orchestration,
        schedule=schedule,
        outcome=outcome if outcome in SlotOutcome.values else "",
        since=midnight(request.GET.get("from", "")),
        until=midnight(request.GET.get("to", ""), days=1),
    )


def _asked_schedule(request: HttpRequest) -> int | None:
    return number(request.GET.get("schedule"))


def _csv(where: SlotFilter, name: str) -> StreamingHttpResponse:
    return stream_csv(csv_rows(where), f"{name}-{datetime.now(UTC).date()}")
