"""Fire triggers: a run for what was updated, once, whoever looks and however often.

A load marks its table at the triggers that watch it, in its own transaction. Looking at a trigger
locks it and its tables' marks, makes the run and takes these marks away, all in one transaction: an
update that arrives meanwhile waits for the lock and marks its table anew, for the next run.

Updates are noted whether the trigger is on or off: switched on, it knows what came meanwhile.
Locks are taken in the order orchestration, trigger, its tables by id; loads lock tables by id too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from orchestrations import tasks
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import (
    Orchestration,
    OrchestrationVersion,
    Run,
    RunEvent,
    Trigger,
    TriggerEvent,
    TriggerTable,
)
from orchestrations.queries.triggers import (
    TriggerState,
    WatchedTable,
    complete_triggers,
    states_of,
)
from orchestrator_site.lib import actor
from orchestrator_site.lib.bell import ring, ring_in_packs

BATCH = 500  # triggers fired by one sweep; the next one goes on
NAMED = 5  # updates named in the event of a run; all of them stand at the run
LONGEST_REASON = 500
MESSAGES = 10  # that one load sends at most, however many triggers watch its table


def note_update(table_key: str, *, version: int, at: datetime) -> None:
    """Mark an update of a table, and let the triggers that watch it be looked at on commit."""
    watching = TriggerTable.objects.filter(table_key=table_key, trigger__deleted_at=None)
    if watching.update(updated_at=at, version=version):
        ids = watching.filter(trigger__is_enabled=True).values_list("trigger", flat=True)
        ring_in_packs(tasks.fire_triggers, list(ids), messages=MESSAGES)


def note_event(trigger_id: int, key: str, *, at: datetime, details: dict[str, Any]) -> bool:
    """Note that something a trigger waits for has come, and let it be looked at on commit.

    What is told twice, by the same key, counts once; tells whether it is new. `details` holds its
    `kind` and what the page of the run says of it.
    """
    known = TriggerEvent.objects.filter(trigger=trigger_id, key=key)
    if known.exists():
        return False
    event = TriggerEvent(trigger_id=trigger_id, key=key, at=at, details=details)
    TriggerEvent.objects.bulk_create([event], ignore_conflicts=True)
    ring_in_packs(tasks.fire_triggers, [trigger_id], messages=1)
    return True


def fire_ready(trigger_ids: Iterable[int], now: datetime) -> list[int]:
    """Start a run of each trigger that is ready and not cooling; return their ids.

    Safe to call twice and from anywhere at once: each trigger has a transaction of its own.
    """
    runs = (_fire(trigger_id, now) for trigger_id in trigger_ids)
    return [run.pk for run in runs if run is not None]


def sweep(now: datetime) -> list[int]:
    """Fire what is ready and was not fired: its cool-down ended, or its bell was lost."""
    states = states_of(complete_triggers().order_by("last_run_at", "pk"), now)
    due = [state.trigger.pk for state in states if state.may_fire(now)]
    return fire_ready(due[:BATCH], now)


def start(
    state: TriggerState,
    now: datetime,
    *,
    started_by: StartedBy = StartedBy.TRIGGER,
    user: User | None = None,
) -> Run:
    """Make a run of what was updated, and use these updates up; the caller holds the locks.

    `user` is who asked for it, by hand or by the API; None where the updates did.
    """
    orchestration = state.trigger.orchestration
    version = OrchestrationVersion.objects.get(
        orchestration=orchestration, number=orchestration.version
    )
    run = Run.objects.create(
        orchestration=orchestration,
        version=version,
        started_by=started_by,
        created_by=user,
        token_name=actor.current().token,
        trigger=state.trigger,
        updates=[*map(_update, state.ready_tables), *map(_told, state.events)],
        variables={**state.trigger.variables, **_variables(state.events)},
        rung_at=now,
    )
    RunEvent.objects.create(
        run=run,
        new_status=RunStatus.CREATED,
        reason=_reason(state),
        actor=(user.get_username() if user else f"Trigger {state.title}")[:200],
    )
    used = [table.key for table in state.ready_tables]
    state.trigger.tables.filter(table_key__in=used).update(updated_at=None, version=None)
    used_events = [event.pk for event in state.events]
    TriggerEvent.objects.filter(pk__in=used_events).update(run=run, used_at=now)
    state.trigger.last_run_at = now
    state.trigger.save(update_fields=["last_run_at"])
    ring(tasks.advance_run, run.pk)
    return run


def lock(trigger_id: int) -> Trigger | None:
    """Lock a trigger with its orchestration and its tables' marks; None where it was deleted.

    NO KEY: runs that refer to these rows may be inserted meanwhile by others.
    """
    found = Orchestration.objects.filter(triggers=trigger_id).values_list("pk", flat=True).first()
    if found is None:
        return None
    orchestration = Orchestration.objects.select_for_update(no_key=True).filter(pk=found).first()
    trigger = Trigger.objects.select_for_update(no_key=True).filter(pk=trigger_id).first()
    if orchestration is None or trigger is None:
        return None
    trigger.orchestration = orchestration
    marks = TriggerTable.objects.select_for_update(no_key=True).filter(trigger=trigger)
    list(marks.order_by("table_key").values_list("pk", flat=True))
    return trigger


@transaction.atomic
def _fire(trigger_id: int, now: datetime) -> Run | None:
    trigger = lock(trigger_id)
    if trigger is None:
        return None
    [state] = states_of([trigger], now)
    return start(state, now) if state.may_fire(now) else None


def _update(table: WatchedTable) -> dict[str, object]:
    at = table.updated_at and table.updated_at.astimezone(UTC).isoformat()
    return {"table": table.key, "version": table.version, "at": at}


def _told(event: TriggerEvent) -> dict[str, object]:
    """Return an event as the run keeps it; variables stand at the run itself."""
    details = {name: value for name, value in event.details.items() if name != "variables"}
    return {"key": event.key, "at": event.at.astimezone(UTC).isoformat(), **details}


def _variables(events: Iterable[TriggerEvent]) -> dict[str, str]:
    """Return what events say to their run; the latest has the last word."""
    found: dict[str, str] = {}
    for event in events:
        found |= event.details.get("variables", {})
    return found


def _reason(state: TriggerState) -> str:
    tables = state.ready_tables
    named = [f"{t.key} (version {t.version}, {t.updated_at:%Y-%m-%d %H:%M} UTC)" for t in tables]
    named += [str(event.details.get("words", event.key)) for event in state.events]
    if not named:
        return "Started before anything came that it waits for."
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    came = "Updated" if tables else "Came"
    reason = f"{came}: {', '.join(named[:NAMED])}{more}."
    if not state.is_complete and state.is_ready:
        missing = ", ".join(table.key for table in state.waits_for[:NAMED])
        reason = f"Waited {state.trigger.fallback_after} min; did not come: {missing}. {reason}"
    return reason[:LONGEST_REASON]
