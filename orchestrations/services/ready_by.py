"""Schedules whose times are when the work must be ready: they start as long before as it takes.

How long that is comes from history and changes with it: after each run the next moment stays the
same and only its start moves, so that no moment is lost or decided twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from orchestrations import tasks
from orchestrations.enums import StartedBy
from orchestrations.insights.lead import lead_of
from orchestrations.models import Orchestration, Run, Schedule
from orchestrations.queries.durations import times_to_ready
from orchestrator_site.lib.bell import ring
from orchestrator_site.lib.database_clock import database_now


def lead_for(schedule: Schedule) -> int:
    """Return how many seconds before its moments a schedule is to start; 0 where it starts then."""
    if schedule.confidence is None:
        return 0
    lead = lead_of(times_to_ready(schedule.orchestration_id), schedule.confidence)
    return int(lead.total_seconds())


def on_run_ended(run: Run) -> None:
    """Let the starts of the orchestration's schedules be computed anew after the commit."""
    if _ready_by(run.orchestration_id).exists():
        ring(tasks.retime_schedules, run.orchestration_id)


@transaction.atomic
def retime(orchestration_id: int) -> int:
    """Bring the starts of an orchestration's schedules in step with its history; how many moved.

    Safe to call twice and at once.
    """
    found = Orchestration.objects.select_for_update(no_key=True).filter(pk=orchestration_id)
    if not found.exists():
        return 0
    rows = _ready_by(orchestration_id).select_for_update(no_key=True).order_by("pk")
    now = database_now()
    return sum(_move(schedule, _possible(schedule, lead_for(schedule), now)) for schedule in rows)


def expected_delay(run: Run, ready_at: datetime) -> timedelta | None:
    """Return by how much a run misses its time if it is ready at `ready_at`; None if it does not.

    `run.slot` must be loaded; a run whose slot had no lead has no time to be ready by.
    """
    due_at = ready_by(run)
    return ready_at - due_at if due_at is not None and ready_at > due_at else None


def ready_by(run: Run) -> datetime | None:
    """Return when a run's work must be ready; None where nothing was said."""
    if run.started_by != StartedBy.SCHEDULE or run.scheduled_for is None:
        return None
    slot = getattr(run, "slot", None)
    return run.scheduled_for if slot is not None and slot.lead else None


def _ready_by(orchestration_id: int) -> QuerySet[Schedule]:
    """Return those that are on: of one that is off the lead tells what it had started by then."""
    return Schedule.objects.filter(
        orchestration=orchestration_id,
        deleted_at=None,
        confidence__isnull=False,
        off_since__isnull=True,
    )


def _possible(schedule: Schedule, lead: int, now: datetime) -> int:
    """Return a lead by which the next moment starts now at the earliest: it is not missed yet."""
    if schedule.next_due_at is None or lead <= schedule.lead:
        return lead
    left = int((schedule.next_due_at - now).total_seconds())
    return max(schedule.lead, min(lead, left))


def _move(schedule: Schedule, lead: int) -> bool:
    if lead == schedule.lead:
        return False
    earlier = timedelta(seconds=lead - schedule.lead)
    # No save(): what people said did not change, and the self-check looks back to when it did.
    Schedule.objects.filter(pk=schedule.pk).update(
        lead=lead, next_fire_at=schedule.next_fire_at and schedule.next_fire_at - earlier
    )
    return True
