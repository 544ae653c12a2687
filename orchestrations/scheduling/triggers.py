"""Fire triggers: a run for what was updated, once, whoever looks and however often.

A load marks its table at the triggers that watch it, in its own transaction. Looking at a trigger
locks it and its tables' marks, makes the run and takes these marks away, all in one transaction: an
update that arrives meanwhile waits for the lock and marks its table anew, for the next run.

Updates are noted whether the trigger is on or off: switched on, it knows what came meanwhile.
Locks are taken in the order orchestration, trigger, its tables by id; loads lock tables by id too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce

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
    is_stale,
    states_of,
)
from orchestrations.validators import variable_errors
from orchestrator_site.lib import actor
from orchestrator_site.lib.bell import ring, ring_in_packs

BATCH = 500  # triggers fired by one sweep; the next one goes on
NAMED = 5  # updates named in the event of a run; all of them stand at the run
LONGEST_REASON = 500
MOST_EVENTS = 1000  # that one run takes
UNMARKED: dict[str, None] = {"updated_at": None, "version": None, "waits_since": None}
MESSAGES = 10  # that one load sends at most, however many triggers watch its table


def note_update(table_key: str, *, version: int, at: datetime) -> None:
    """Mark an update of a table, and let the triggers that watch it be looked at on commit."""
    watching = TriggerTable.objects.filter(table_key=table_key, trigger__deleted_at=None)
    rows = list(watching.values_list("pk", "updated_at", "trigger__fresh_for"))
    if not rows:
        return
    # One whose update is too old to count waits anew. A run may use a mark up meanwhile.
    anew = [pk for pk, before, fresh_for in rows if is_stale(before, fresh_for, at)]
    since = Case(When(pk__in=anew, then=None), default=F("waits_since"))
    watching.update(updated_at=at, version=version, waits_since=Coalesce(since, Value(at)))
    ids = watching.filter(trigger__is_enabled=True).values_list("trigger", flat=True)
    ring_in_packs(tasks.fire_triggers, list(ids), messages=MESSAGES)


@dataclass(frozen=True)
class Came:
    """Something that a trigger waits for: its key, when it came, and what is said of it.

    `details` holds its `kind`, `words` for the page of the run, and what its run is given.
    """

    key: str
    at: datetime
    details: dict[str, Any]


def note_events(trigger_id: int, came: Sequence[Came]) -> int:
    """Note what a trigger waits for and has come, and let it be looked at on commit.

    What is told twice, by the same key, counts once; returns how many are new.
    """
    events = TriggerEvent.objects.filter(trigger=trigger_id, key__in=[each.key for each in came])
    known = set(events.values_list("key", flat=True)) if came else set()
    fresh = {each.key: each for each in came if each.key not in known}
    if not fresh:
        return 0
    rows = [
        TriggerEvent(trigger_id=trigger_id, key=each.key, at=each.at, details=each.details)
        for each in fresh.values()
    ]
    TriggerEvent.objects.bulk_create(rows, ignore_conflicts=True)
    ring_in_packs(tasks.fire_triggers, [trigger_id], messages=1)
    return len(fresh)


def fire_ready(trigger_ids: Iterable[int], now: datetime) -> list[int]:
    """Start a run of each trigger that is ready and not cooling; return their ids.

    Safe to call twice and from anywhere at once: each trigger has a transaction of its own.
    """
    runs = (_fire(trigger_id, now) for trigger_id in trigger_ids)
    return [run.pk for run in runs if run is not None]


def sweep(now: datetime) -> list[int]:
    """Fire what is ready and was not fired: its cool-down ended, or its bell was lost."""
    states = states_of(complete_triggers().order_by("last_run_at", "pk"), now, most_events=1)
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

    `user` is who asked for it, by hand or by the API; None where the updates did. Of very many
    events the oldest start this run, and the others the next one.
    """
    state, variables = share_of(state)
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
        variables={**state.trigger.variables, **variables},
        rung_at=now,
    )
    RunEvent.objects.create(
        run=run,
        new_status=RunStatus.CREATED,
        reason=_reason(state),
        actor=(user.get_username() if user else f"Trigger {state.title}")[:200],
    )
    used = [table.key for table in state.ready_tables]
    state.trigger.tables.filter(table_key__in=used).update(**UNMARKED)
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
    [state] = states_of([trigger], now, most_events=MOST_EVENTS)
    return start(state, now) if state.may_fire(now) else None


def _update(table: WatchedTable) -> dict[str, object]:
    at = table.updated_at and table.updated_at.astimezone(UTC).isoformat()
    return {"table": table.key, "version": table.version, "at": at}


def _told(event: TriggerEvent) -> dict[str, object]:
    """Return an event as the run keeps it; variables stand at the run itself."""
    details = {k: v for k, v in event.details.items() if k not in {"variables", "body"}}
    return {"key": event.key, "at": event.at.astimezone(UTC).isoformat(), **details}


def share_of(state: TriggerState) -> tuple[TriggerState, dict[str, str]]:
    """Return a trigger with those of its events that one run takes, and the variables of these.

    As many of the oldest as a run may have variables for, one at least. Of variables that several
    calls give, the latest has the last word; files are in `files`, one to a line, the last in
    `file`.
    """
    taken: list[TriggerEvent] = []
    given: dict[str, str] = {}
    for event in state.events:
        more = dict(event.details.get("variables", {}))
        if file := event.details.get("file"):
            earlier = [given["files"]] if "files" in given else []
            more |= {"file": file, "files": "\n".join([*earlier, file])}
        if taken and variable_errors({**state.trigger.variables, **given, **more}):
            break
        taken.append(event)
        given |= more
    return replace(state, events=taken), given


def _reason(state: TriggerState) -> str:
    tables = state.ready_tables
    named = [f"{t.key} (version {t.version}, {t.updated_at:%Y-%m-%d %H:%M} UTC)" for t in tables]
    named += [str(event.details.get("words", event.key)) for event in state.events]
    if not named:
        return "Started before anything came that it waits for."
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    came = "Updated" if tables else "Came"
    reason = f"{came}: {', '.join(named[:NAMED])}{more}."
    if state.more:
        reason += f" {state.more:,} more came and start the next run."
    if not state.is_complete and state.is_ready:
        missing = ", ".join(table.key for table in state.waits_for[:NAMED])
        reason = f"Waited {state.trigger.fallback_after} min; did not come: {missing}. {reason}"
    return reason[:LONGEST_REASON]
