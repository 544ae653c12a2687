"""Triggers: make, change, switch, remove, bring back, run now; and what firing them needs.

Locks are taken in the order orchestration, tables of Storage, trigger, its marks, runs.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from components.enums import AuditAction
from components.models import Table, TableVersion
from components.services.audit import Subject, record
from components.validators import TABLE_KEY, TABLE_KEY_HELP
from orchestrations import tasks
from orchestrations.enums import RunStatus, StartedBy, TriggerKind, TriggerNeeds
from orchestrations.exceptions import InvalidTrigger, NotAllowed
from orchestrations.models import Orchestration, Run, Trigger, TriggerTable
from orchestrations.queries.change_words import trigger_sentence
from orchestrations.queries.triggers import states_of, title
from orchestrations.scheduling import triggers as firing
from orchestrations.services.places import place_errors
from orchestrations.services.versions import record_version, trigger_design
from orchestrations.validators import variable_errors
from orchestrator_site.lib.bell import ring_in_packs
from orchestrator_site.lib.secrets import Vault, site_keys

__all__ = [
    "Changes",
    "create_trigger",
    "delete_trigger",
    "fire_ready",
    "new_hook_secret",
    "on_table_updated",
    "run_now",
    "set_enabled",
    "sweep_triggers",
    "title",
    "trigger_errors",
    "undelete_trigger",
    "update_trigger",
]

MOST_TABLES = 100
LONGEST_NAME = 200
LONGEST_KEY = 220
LONGEST_COOLDOWN = 60 * 24 * 31  # minutes
OUTCOMES = (RunStatus.SUCCESS, RunStatus.WARNING, RunStatus.ERROR)
NEEDS = ("needs", "quorum", "fresh_for", "fallback_after")


class Needs(TypedDict, total=False):
    """What a trigger waits for, how much of it has to come, and how long it waits for the rest.

    `source_id` and `outcomes` are of kind orchestration: no outcomes means any. `place` and
    `pattern` are of kind files.
    """

    kind: TriggerKind
    source_id: int | None
    outcomes: list[str]
    place: str
    pattern: str
    needs: TriggerNeeds
    quorum: int
    fresh_for: int | None  # minutes
    fallback_after: int | None  # minutes


class Changes(Needs, total=False):
    """What can be changed in a trigger; what is left out stays. `tables` holds ids of tables."""

    name: str
    tables: Sequence[str]
    cooldown: int  # minutes
    variables: dict[str, str]


@transaction.atomic
def create_trigger(  # noqa: PLR0913  # keyword-only: one for each thing people give
    orchestration: Orchestration,
    *,
    tables: Sequence[str] = (),
    user: User | None,
    name: str = "",
    cooldown: int = 5,
    variables: dict[str, str] | None = None,
    enabled: bool = True,
    amend: bool = False,
    **needs: Unpack[Needs],
) -> Trigger:
    """Add a trigger; updates count from now on. Raises InvalidTrigger with its fields.

    A table need not exist yet: the trigger waits for it. `amend` counts the change to the version
    that this same transaction made.
    """
    _lock(orchestration)
    _hold(tables)
    trigger = Trigger(
        orchestration=orchestration,
        name=name,
        cooldown=cooldown,
        variables=variables or {},
        is_enabled=enabled,
        created_by=user,
        **needs,
    )
    _give_address(trigger)
    keys = _checked(trigger, tables)
    trigger.save()
    _watch(trigger, keys)
    sentence = f"Added trigger “{title(trigger, keys)}”."
    record_version(orchestration, user=user, change=sentence, amend=amend)
    return trigger


@transaction.atomic
def update_trigger(
    trigger: Trigger,
    *,
    user: User | None = None,
    enabled: bool | None = None,
    amend: bool = False,
    **changes: Unpack[Changes],
) -> Trigger:
    """Change a trigger and return it; a table that stays keeps the update it has noted.

    So a trigger that gives up the last table it waited for is ready. Raises InvalidTrigger, and
    NotAllowed where it was removed meanwhile.
    """
    tables = changes.pop("tables", None)
    if tables is not None:
        _lock(trigger.orchestration)
        _hold(tables)
    trigger = _locked(trigger)
    before = trigger_design(trigger)
    watched, awaited = (trigger.place, trigger.pattern), (trigger.kind, trigger.source_id)
    outcomes = trigger.outcomes
    for field, value in changes.items():
        setattr(trigger, field, value)
    if enabled is not None:
        trigger.is_enabled = enabled
    _give_address(trigger)
    keys = _checked(trigger, _keys(trigger) if tables is None else tables)
    is_elsewhere = watched != (trigger.place, trigger.pattern)
    if is_elsewhere:
        _look_anew(trigger)
    if is_elsewhere or awaited != (trigger.kind, trigger.source_id):
        _forget_events(trigger)
    elif outcomes != trigger.outcomes and trigger.outcomes:
        _forget_events(trigger, but=trigger.outcomes)
    trigger.save()
    _watch(trigger, keys)
    _look(trigger)
    sentence = trigger_sentence(before, trigger_design(trigger))
    record_version(trigger.orchestration, user=user, change=sentence, amend=amend)
    return trigger


@transaction.atomic
def set_enabled(
    trigger: Trigger, *, enabled: bool, user: User | None = None, amend: bool = False
) -> Trigger:
    """Switch a trigger on or off and return it; safe to call twice.

    Off, it starts nothing; updates that come meanwhile count when it is on again. Raises NotAllowed
    where it was removed meanwhile.
    """
    locked = _locked(trigger)
    if locked.is_enabled == enabled:
        return locked
    locked.is_enabled = enabled
    locked.save(update_fields=["is_enabled", "updated_at"])
    _look(locked)
    named = title(locked, _keys(locked))
    sentence = f"Switched trigger “{named}” {'on' if enabled else 'off'}."
    record_version(locked.orchestration, user=user, change=sentence, amend=amend)
    return locked


@transaction.atomic
def delete_trigger(trigger: Trigger, *, user: User | None = None, amend: bool = False) -> None:
    """Remove a trigger; its row stays, so that past runs are explained. Safe to call twice."""
    _lock(trigger.orchestration)
    locked = Trigger.objects.select_for_update(no_key=True).get(pk=trigger.pk)
    if locked.deleted_at is None:
        locked.deleted_at = timezone.now()
        _look_anew(locked)
        _forget_events(locked)
        locked.save(update_fields=["deleted_at", "looked_at", "problem", "updated_at"])
        sentence = f"Removed trigger “{title(locked, _keys(locked))}”."
        record_version(trigger.orchestration, user=user, change=sentence, amend=amend)


@transaction.atomic
def undelete_trigger(trigger: Trigger, *, user: User | None = None, amend: bool = False) -> Trigger:
    """Bring a removed trigger back and return it; updates count from now on. Safe to call twice."""
    _lock(trigger.orchestration)
    locked = Trigger.objects.select_related("orchestration").get(pk=trigger.pk)
    if locked.deleted_at is not None:
        locked.deleted_at = None
        _look_anew(locked)
        _forget_events(locked)
        locked.save()
        locked.tables.update(**firing.UNMARKED)
        sentence = f"Brought trigger “{title(locked, _keys(locked))}” back."
        record_version(locked.orchestration, user=user, change=sentence, amend=amend)
    return locked


@transaction.atomic
def new_hook_secret(trigger: Trigger) -> str:
    """Give a webhook another secret and return it; the one before is good no more.

    The record of changes says that it was done: versions hold no secret.

    Raises NotAllowed where the trigger was removed meanwhile, or is no webhook.
    """
    locked = _locked(trigger)
    if locked.kind != TriggerKind.WEBHOOK:
        raise NotAllowed("Only a webhook has a secret.")
    text, locked.hook_secret = _new_secret()
    locked.save(update_fields=["hook_secret", "updated_at"])
    owner = locked.orchestration
    named = f"{title(locked, ())} of {owner.name}"
    subject = Subject("trigger", str(locked.pk), named, f"orchestration:{owner.pk}")
    record(AuditAction.CHANGED, subject, {"Secret": ("the one before", "another one")})
    return text


@transaction.atomic
def run_now(trigger: Trigger, *, user: User, started_by: StartedBy = StartedBy.MANUAL) -> Run:
    """Start a run with what is there, complete or not, and use it up.

    Off or cooling, it runs all the same. Raises NotAllowed in the trash, and where the trigger was
    removed meanwhile.
    """
    locked = _locked(trigger)
    if locked.orchestration.deleted_at is not None:
        raise NotAllowed("This orchestration is in the trash; restore it before running it.")
    now = timezone.now()
    [state] = states_of([locked], now, most_events=firing.MOST_EVENTS)
    return firing.start(state, now, started_by=started_by, user=user)


def on_table_updated(table: Table, version: TableVersion) -> None:
    """Note an update of a table; called inside the transaction of the load."""
    firing.note_update(table.key, version=version.number, at=version.created_at)


def fire_ready(trigger_ids: Sequence[int]) -> list[int]:
    """Start a run of each trigger that is ready; return the runs' ids. Safe to call twice."""
    return firing.fire_ready(trigger_ids, timezone.now())


def sweep_triggers() -> list[int]:
    """Fire ready triggers whose cool-down ended or whose bell was lost; return the runs' ids."""
    return firing.sweep(timezone.now())


def _look_anew(trigger: Trigger) -> None:
    """Let files that are there now count as old; the caller saves."""
    trigger.looked_at, trigger.problem = None, ""
    trigger.files.all().delete()


def _forget_events(trigger: Trigger, *, but: Sequence[str] = ()) -> None:
    """Let what came for the trigger as it was start nothing any more, but ends of these kinds."""
    trigger.arrivals.filter(used_at=None).exclude(details__status__in=but).delete()


def _give_address(trigger: Trigger) -> None:
    """Give a webhook that has none an address, and a secret that nobody has seen."""
    if trigger.kind == TriggerKind.WEBHOOK and not trigger.hook_key:
        trigger.hook_key, trigger.hook_secret = secrets.token_urlsafe(18), _new_secret()[1]


def _lock(orchestration: Orchestration) -> None:
    Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)


def _locked(trigger: Trigger) -> Trigger:
    locked = firing.lock(trigger.pk)
    if locked is None or locked.deleted_at is not None:
        raise NotAllowed("This trigger was removed meanwhile.")
    return locked


def _look(trigger: Trigger) -> None:
    """Let a trigger that may be ready now be looked at after the commit."""
    ring_in_packs(tasks.fire_triggers, [trigger.pk], messages=1)


def _keys(trigger: Trigger) -> list[str]:
    return list(trigger.tables.values_list("table_key", flat=True))


def _hold(tables: Sequence[str]) -> None:
    """Wait for loads of these tables that are under way: they do not see a new watcher.

    Call it before the trigger is locked; a load holds its tables before it looks for watchers.
    """
    held = Table.objects.select_for_update(no_key=True).filter(key__in=tables)
    list(held.order_by("key").values_list("pk", flat=True))


def _watch(trigger: Trigger, keys: Sequence[str]) -> None:
    """Let the trigger watch exactly these tables; the rows of those that stay are not touched.

    A load may be waiting for such a row to note its update there.
    """
    trigger.tables.exclude(table_key__in=keys).delete()
    known = set(_keys(trigger))
    TriggerTable.objects.bulk_create(
        TriggerTable(trigger=trigger, table_key=key) for key in keys if key not in known
    )


def _checked(trigger: Trigger, tables: Sequence[str]) -> list[str]:
    """Tidy what was typed, return the tables; raises InvalidTrigger with every wrong field."""
    trigger.name = trigger.name.strip()
    keys = sorted({key.strip() for key in tables})
    wrong = variable_errors(trigger.variables)
    said = {name: getattr(trigger, name) for name in ("name", "cooldown", "kind", *NEEDS)}
    trigger.place, trigger.pattern = trigger.place.strip(), trigger.pattern.strip()
    trigger.outcomes = sorted(set(trigger.outcomes))
    # What belongs to another kind is not kept: nobody would see it.
    if trigger.kind != TriggerKind.FILES:
        trigger.place = trigger.pattern = ""
    if trigger.kind != TriggerKind.ORCHESTRATION:
        trigger.source, trigger.outcomes = None, []
    said |= {"source_id": trigger.source_id, "outcomes": trigger.outcomes}
    said |= {"place": trigger.place, "pattern": trigger.pattern}
    wrong |= trigger_errors(said, keys)
    if wrong:
        raise InvalidTrigger(" ".join(wrong.values()), fields=wrong)
    return keys


def trigger_errors(said: Mapping[str, Any], tables: Sequence[str]) -> dict[str, str]:
    """Return a sentence for each wrong field of a trigger: its name, cool-down, needs, tables."""
    wrong = _needs_errors(said, tables)
    name, cooldown = said["name"], said["cooldown"]
    if len(name) > LONGEST_NAME:
        wrong["name"] = f"The name is longer than {LONGEST_NAME} characters."
    elif "\0" in name:
        wrong["name"] = "A name cannot hold a NUL character."
    if not 1 <= cooldown <= LONGEST_COOLDOWN:
        wrong["cooldown"] = f"This takes a whole number of minutes from 1 to {LONGEST_COOLDOWN}."
    kind = said.get("kind", TriggerKind.TABLES)
    if kind == TriggerKind.TABLES and not {"cooldown", "fresh_for"} & set(wrong):
        wrong |= _freshness_errors(said["fresh_for"], cooldown)
    if kind == TriggerKind.TABLES and (problem := _table_problem(tables)):
        wrong["tables"] = problem
    if kind == TriggerKind.ORCHESTRATION:
        wrong |= _source_errors(said)
    if kind == TriggerKind.FILES:
        wrong |= place_errors(said["place"], said["pattern"])
    return wrong


def _freshness_errors(fresh_for: int | None, cooldown: int) -> dict[str, str]:
    """Refuse what would lose each update that comes while the trigger cools down."""
    if fresh_for is None or fresh_for > cooldown:
        return {}
    text = (
        f"Use more than {cooldown} min, for which it rests after a run: what comes meanwhile "
        "would be too old to count."
    )
    return {"fresh_for": text}


def _source_errors(said: Mapping[str, Any]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    source = Orchestration.objects.filter(pk=said["source_id"] or 0, deleted_at=None)
    if not source.exists():
        wrong["source"] = "Choose the orchestration whose end starts a run."
    if not set(said["outcomes"]) <= set(OUTCOMES):
        wrong["outcomes"] = f"This takes some of: {', '.join(OUTCOMES)}."
    return wrong


def _new_secret() -> tuple[str, str]:
    """Return the text of a new secret, and its cipher text."""
    text = secrets.token_urlsafe(32)
    return text, Vault(site_keys()).encrypt(text)


def _needs_errors(said: Mapping[str, Any], tables: Sequence[str]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if said["needs"] not in TriggerNeeds.values:
        wrong["needs"] = f"This takes one of: {', '.join(TriggerNeeds.values)}."
    elif said["needs"] == TriggerNeeds.SOME and not 1 <= said["quorum"] <= len(tables):
        wrong["quorum"] = f"This takes a whole number from 1 to {len(tables)}, the tables chosen."
    elif not 1 <= said["quorum"] <= MOST_TABLES:
        wrong["quorum"] = f"This takes a whole number from 1 to {MOST_TABLES}."
    for field in ("fresh_for", "fallback_after"):
        if said[field] is not None and not 1 <= said[field] <= LONGEST_COOLDOWN:
            wrong[field] = f"This takes a whole number of minutes from 1 to {LONGEST_COOLDOWN}."
    return wrong


def _table_problem(keys: Sequence[str]) -> str:
    if not keys:
        return "Choose at least one table."
    if len(keys) > MOST_TABLES:
        return f"A trigger watches {MOST_TABLES} tables at most."
    strange = [key for key in keys if not TABLE_KEY.match(key) or len(key) > LONGEST_KEY]
    return f"“{strange[0]}” is no table id; {TABLE_KEY_HELP}." if strange else ""
