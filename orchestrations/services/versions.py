"""Versions of an orchestration: all that people edit of it, as it was after each save.

What surrounds the design, which is schedules, triggers and notifications, has services of its own;
each calls `record_version` after a change, in the same transaction.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from django.contrib.auth.models import User
from django.db import transaction

from orchestrations.models import (
    Notification,
    Orchestration,
    OrchestrationVersion,
    Schedule,
    Trigger,
)
from orchestrations.models.orchestration import (
    Definition,
    NotificationDesign,
    ScheduleDesign,
    Surroundings,
    TriggerDesign,
)

CHANGE_LENGTH = 500


def surroundings(orchestration: Orchestration) -> Surroundings:
    """Return schedules, triggers and notifications as their rows are now."""
    schedules = orchestration.schedules.filter(deleted_at=None).select_related("calendar")
    triggers = orchestration.triggers.filter(deleted_at=None).select_related("source")
    return {
        "schedules": [schedule_design(s) for s in schedules],
        "triggers": [trigger_design(t) for t in triggers.prefetch_related("tables")],
        "notifications": [_notification(n) for n in orchestration.notifications.all()],
    }


@transaction.atomic
def record_version(
    orchestration: Orchestration, *, user: User | None, change: str, amend: bool = False
) -> OrchestrationVersion:
    """Make a version of what surrounds the design now; none, and the latest, where all is equal.

    `change` is the sentence that says what was done. `amend` writes into the latest version
    instead: only for one that this same transaction made. Brings the object given up to date.
    """
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    latest = fresh.versions.get(number=fresh.version)
    definition = cast("Definition", {**latest.definition, **surroundings(fresh)})
    if definition == latest.definition:
        return latest
    if amend:
        latest.definition = definition
        latest.save(update_fields=["definition"])
        return latest
    return _add(fresh, orchestration, definition, user=user, change=change)


@transaction.atomic
def start_version(
    orchestration: Orchestration, *, user: User | None, change: str
) -> OrchestrationVersion:
    """Make a version equal to the latest, for this same transaction to amend.

    Brings the object given up to date.
    """
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    latest = fresh.versions.get(number=fresh.version)
    return _add(fresh, orchestration, latest.definition, user=user, change=change)


def _add(
    fresh: Orchestration,
    given: Orchestration,
    definition: Definition,
    *,
    user: User | None,
    change: str,
) -> OrchestrationVersion:
    fresh.version += 1
    fresh.save(update_fields=["version", "updated_at"])
    given.version, given.updated_at = fresh.version, fresh.updated_at
    return OrchestrationVersion.objects.create(
        orchestration=fresh,
        number=fresh.version,
        definition=definition,
        change=change[:CHANGE_LENGTH],
        created_by=user,
    )


def schedule_design(schedule: Schedule) -> ScheduleDesign:
    """Return a schedule as versions keep it."""
    return {
        "id": schedule.pk,
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "is_enabled": schedule.is_enabled,
        "overlap": str(schedule.overlap),
        "misfire": str(schedule.misfire),
        "misfire_limit": schedule.misfire_limit,
        "misfire_window": schedule.misfire_window,
        "gap": str(schedule.gap),
        "repeat": str(schedule.repeat),
        "calendar": schedule.calendar.name if schedule.calendar else None,
        "on_held": str(schedule.on_held),
        "confidence": schedule.confidence,
        "valid_from": _moment(schedule.valid_from),
        "valid_to": _moment(schedule.valid_to),
        "paused_until": _moment(schedule.paused_until),
        "variables": schedule.variables,
    }


def trigger_design(trigger: Trigger) -> TriggerDesign:
    """Return a trigger as versions keep it."""
    return {
        "id": trigger.pk,
        "name": trigger.name,
        "is_enabled": trigger.is_enabled,
        "kind": str(trigger.kind),
        "cooldown": trigger.cooldown,
        "tables": sorted(table.table_key for table in trigger.tables.all()),
        "needs": str(trigger.needs),
        "quorum": trigger.quorum,
        "fresh_for": trigger.fresh_for,
        "fallback_after": trigger.fallback_after,
        "source": trigger.source_id,
        "source_name": trigger.source.name if trigger.source else "",
        "outcomes": list(trigger.outcomes),
        "place": trigger.place,
        "pattern": trigger.pattern,
        "variables": trigger.variables,
    }


def _notification(notification: Notification) -> NotificationDesign:
    return {
        "key": notification.key,
        "event": str(notification.event),
        "channel": str(notification.channel),
        "address": notification.address,
        "threshold": notification.threshold,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()
