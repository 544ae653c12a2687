"""Reading triggers: what each one waits for. Firing decides by the same answer as pages show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from components.models import Configuration, Table
from components.queries.arrivals import usual_arrivals
from orchestrations.enums import QUEUED_RUN, TriggerKind, TriggerNeeds
from orchestrations.models import Orchestration, Run, Task, Trigger, TriggerEvent, TriggerTable
from orchestrator_site.lib.secrets import UnreadableSecret, Vault, site_keys

SHOWN = 2  # tables named in a title
SHOWN_EVENTS = 5
# A last run further ahead than this was written by a clock that was wrong: it cools nothing.
SKEW = timedelta(minutes=1)


@dataclass(frozen=True)
class WatchedTable:
    """One table of a trigger; `updated_at` and `version` are of an update that no run has used.

    `imported_at` is when it was last loaded at all. A table that does not exist `is_missing`; an
    update that came too long ago `is_stale`. `waits_since` is when the first update came that still
    counts.
    """

    key: str
    updated_at: datetime | None
    version: int | None
    imported_at: datetime | None
    is_missing: bool
    is_stale: bool = False
    waits_since: datetime | None = None

    @property
    def is_ready(self) -> bool:
        """It was updated since the last run, lately enough, and is there."""
        return self.updated_at is not None and not self.is_missing and not self.is_stale


@dataclass(frozen=True)
class TriggerState:
    """A trigger with what it waits for, at one moment.

    `came` counts the events that no run has used; `events` are the oldest of them.
    `queued_run` is a run that it started and that has not begun yet: what it will read is as new
    as what another run would, so a ready trigger waits until that one begins.
    """

    trigger: Trigger
    tables: Sequence[WatchedTable]
    queued_run: int | None
    now: datetime
    events: Sequence[TriggerEvent] = ()
    came: int = 0

    @property
    def title(self) -> str:
        """What a sentence calls the trigger."""
        return title(self.trigger, [table.key for table in self.tables])

    @property
    def source_is_gone(self) -> bool:
        """The orchestration that it follows was deleted or is in the trash."""
        source = self.trigger.source
        is_follower = self.trigger.kind == TriggerKind.ORCHESTRATION
        return is_follower and (source is None or source.deleted_at is not None)

    @property
    def ready_tables(self) -> list[WatchedTable]:
        """Those whose updates a run would use up."""
        return [table for table in self.tables if table.is_ready]

    @property
    def waits_for(self) -> list[WatchedTable]:
        """Those that were not updated yet, or are missing."""
        return [table for table in self.tables if not table.is_ready]

    @property
    def needed(self) -> int:
        """How many of its tables have to be ready."""
        if self.trigger.needs == TriggerNeeds.ALL:
            return len(self.tables)
        quorum = 1 if self.trigger.needs == TriggerNeeds.ANY else self.trigger.quorum
        return min(quorum, len(self.tables))

    @property
    def is_complete(self) -> bool:
        """All that it needs has come."""
        if self.trigger.kind != TriggerKind.TABLES:
            return self.came > 0
        return bool(self.tables) and len(self.ready_tables) >= self.needed

    @property
    def more(self) -> int:
        """How many events came besides those that were read."""
        return self.came - len(self.events)

    @property
    def waiting_since(self) -> datetime | None:
        """When the first came of what is there; None while nothing is, or all that it needs."""
        came = [table.waits_since for table in self.ready_tables if table.waits_since]
        return min(came) if came and not self.is_complete else None

    @property
    def waited(self) -> timedelta | None:
        """How long the first that came has been waiting for the rest; None where none has to."""
        since = self.waiting_since
        # A clock that was put back makes nothing wait for less than no time.
        return None if since is None else max(self.now - since, timedelta())

    @property
    def falls_back_at(self) -> datetime | None:
        """When it runs with what is there; None while nothing is, or where it waits for all."""
        if self.trigger.fallback_after is None or self.waiting_since is None:
            return None
        return self.waiting_since + timedelta(minutes=self.trigger.fallback_after)

    @property
    def is_ready(self) -> bool:
        """What it needs has come, or it has waited long enough for the rest."""
        fallback = self.falls_back_at
        return self.is_complete or (fallback is not None and fallback <= self.now)

    @property
    def is_on(self) -> bool:
        """Neither it nor its orchestration is switched off or gone."""
        trigger, orchestration = self.trigger, self.trigger.orchestration
        return (
            trigger.is_enabled
            and trigger.deleted_at is None
            and orchestration.is_enabled
            and orchestration.deleted_at is None
        )

    def cools_until(self, now: datetime) -> datetime | None:
        """Return the end of the cool-down; None where it is over or there was no run yet."""
        last = self.trigger.last_run_at
        if last is None or last > now + SKEW:
            return None
        until = last + timedelta(minutes=self.trigger.cooldown)
        return until if until > now else None

    def may_fire(self, now: datetime) -> bool:
        """Tell whether a run starts now."""
        return (
            self.is_on
            and self.is_ready
            and self.queued_run is None
            and self.cools_until(now) is None
        )


def title(trigger: Trigger, tables: Sequence[str]) -> str:
    """Return what a sentence calls a trigger: its name, or the tables that it watches."""
    if trigger.name:
        return trigger.name
    if trigger.kind != TriggerKind.TABLES:
        return _title_of_kind(trigger)
    if not tables:
        return f"Trigger {trigger.pk}"
    more = f" and {len(tables) - SHOWN} more" if len(tables) > SHOWN else ""
    return ", ".join(tables[:SHOWN]) + more


def _title_of_kind(trigger: Trigger) -> str:
    if trigger.kind == TriggerKind.ORCHESTRATION:
        return f"The end of {trigger.source or 'an orchestration that was deleted'}"
    if trigger.kind == TriggerKind.FILES:
        return f"{trigger.pattern or '*'} in {trigger.place}"
    return f"Webhook {trigger.pk or ''}".strip()


def states_of(
    triggers: Iterable[Trigger], now: datetime | None = None, *, most_events: int = SHOWN_EVENTS
) -> list[TriggerState]:
    """Return what each of the triggers waits for, in their order; a few queries for any number.

    Of what came for each, the oldest are read, and all are counted.
    """
    triggers, now = list(triggers), now or timezone.now()
    watched: dict[int, list[TriggerTable]] = {trigger.pk: [] for trigger in triggers}
    for row in TriggerTable.objects.filter(trigger__in=watched).order_by("table_key"):
        watched[row.trigger_id].append(row)
    imported = _imported(row.table_key for rows in watched.values() for row in rows)
    queued = dict(
        Run.objects.filter(trigger__in=watched, status__in=QUEUED_RUN)
        .values_list("trigger")
        .annotate(Min("pk"))
        .order_by()
    )
    told = [trigger.pk for trigger in triggers if trigger.kind != TriggerKind.TABLES]
    came, events = _unused(told, most_events)
    return [
        TriggerState(
            trigger,
            [_watched(row, trigger, imported, now) for row in watched[trigger.pk]],
            queued.get(trigger.pk),
            now,
            events.get(trigger.pk, ()),
            came.get(trigger.pk, 0),
        )
        for trigger in triggers
    ]


def _unused(
    triggers: Sequence[int], most: int
) -> tuple[dict[int, int], dict[int, list[TriggerEvent]]]:
    """Return how many events of each trigger no run has used, and the oldest of these."""
    if not triggers:
        return {}, {}
    unused = TriggerEvent.objects.filter(trigger__in=triggers, used_at=None)
    counted = unused.order_by().values_list("trigger").annotate(Count("pk"))
    age = Window(RowNumber(), partition_by="trigger", order_by=["at", "pk"])
    events: dict[int, list[TriggerEvent]] = {}
    for event in unused.annotate(age=age).filter(age__lte=most).order_by("at", "pk"):
        events.setdefault(event.trigger_id, []).append(event)
    return dict(counted), events


def _watched(
    row: TriggerTable, trigger: Trigger, imported: Mapping[str, datetime | None], now: datetime
) -> WatchedTable:
    return WatchedTable(
        key=row.table_key,
        updated_at=row.updated_at,
        version=row.version,
        imported_at=imported.get(row.table_key),
        is_missing=row.table_key not in imported,
        is_stale=is_stale(row.updated_at, trigger.fresh_for, now),
        waits_since=row.waits_since,
    )


def is_stale(updated_at: datetime | None, fresh_for: int | None, now: datetime) -> bool:
    """Tell whether an update came too long ago to count; `fresh_for` is in minutes."""
    if updated_at is None or fresh_for is None:
        return False
    return updated_at < now - timedelta(minutes=fresh_for)


def triggers_of(orchestration: Orchestration, now: datetime | None = None) -> list[TriggerState]:
    """Return the state of each trigger of an orchestration, oldest first."""
    rows = active_triggers().filter(orchestration=orchestration).order_by("pk")
    return states_of(rows, now)


def active_triggers() -> QuerySet[Trigger]:
    """Return the triggers that were not removed, of orchestrations that are not in the trash."""
    return Trigger.objects.filter(deleted_at=None, orchestration__deleted_at=None).select_related(
        "orchestration", "source"
    )


def complete_triggers() -> QuerySet[Trigger]:
    """Return the triggers that are on and may be ready: something came, or all that it needs."""
    tables = TriggerTable.objects.filter(trigger=OuterRef("pk"))
    events = TriggerEvent.objects.filter(trigger=OuterRef("pk"), used_at=None)
    waits_for_all = Q(needs=TriggerNeeds.ALL, fallback_after=None)
    return active_triggers().filter(
        Exists(events)
        | (Exists(tables.exclude(updated_at=None)) & ~waits_for_all)
        | (waits_for_all & Exists(tables) & ~Exists(tables.filter(updated_at=None))),
        is_enabled=True,
        orchestration__is_enabled=True,
    )


def own_tables(orchestration: Orchestration, tables: Sequence[str]) -> list[str]:
    """Return those of the tables that a run of the orchestration updates itself, in their order.

    By the output mappings of its tasks, nested ones too, and by what their last jobs loaded: such
    a trigger starts its own next run.
    """
    if not tables:
        return []
    configurations = _configurations_of(orchestration)
    outputs = Configuration.objects.filter(pk__in=configurations).values_list("output", flat=True)
    own = {entry.get("destination") for output in outputs for entry in output}
    loaded = Table.objects.filter(key__in=tables, last_job__configuration__in=configurations)
    own |= set(loaded.values_list("key", flat=True))
    return [table for table in tables if table in own]


def own_watched_tables(orchestration: Orchestration) -> list[str]:
    """Return the tables that an orchestration's triggers wait for and that its runs update."""
    watched = TriggerTable.objects.filter(
        trigger__in=active_triggers().filter(orchestration=orchestration, kind=TriggerKind.TABLES)
    )
    keys = watched.order_by("table_key").values_list("table_key", flat=True).distinct()
    return own_tables(orchestration, list(keys))


def _configurations_of(orchestration: Orchestration) -> set[int]:
    """Return ids of the configurations that a run of an orchestration may run."""
    found: set[int] = set()
    seen, level = {orchestration.pk}, {orchestration.pk}
    while level:
        tasks = Task.objects.filter(phase__orchestration__in=level, is_active=True)
        rows = list(tasks.values_list("configuration", "orchestration"))
        found |= {configuration for configuration, _ in rows if configuration}
        level = {nested for _, nested in rows if nested} - seen
        seen |= level
    return found


@dataclass(frozen=True)
class TriggerLine:
    """A trigger in the list of its orchestration; `own` names tables that its runs update.

    `usual` tells of tables when in the day they usually arrive, as HH:MM in the viewer's zone.
    `problem` says why nothing can come.
    """

    state: TriggerState
    standing: Literal["off", "waiting", "held", "cooling", "ready"]
    cools_until: datetime | None
    own: list[str]
    usual: dict[str, str] = field(default_factory=dict)
    problem: str = ""


def trigger_lines(orchestration: Orchestration, now: datetime) -> list[TriggerLine]:
    """Return an orchestration's triggers as its page shows them, oldest first."""
    states = triggers_of(orchestration, now)
    usual = usual_arrivals((t.key for state in states for t in state.tables), now)
    own = set(own_tables(orchestration, [t.key for state in states for t in state.tables]))
    return [
        TriggerLine(
            state,
            _standing(state, now),
            state.cools_until(now),
            [table.key for table in state.tables if table.key in own],
            {t.key: usual[t.key] for t in state.tables if t.key in usual},
            _problem(state.trigger),
        )
        for state in states
    ]


def _problem(trigger: Trigger) -> str:
    if trigger.kind != TriggerKind.WEBHOOK:
        return trigger.problem
    try:
        Vault(site_keys()).decrypt(trigger.hook_secret)
    except UnreadableSecret:
        return (
            "Its secret cannot be read with the SECRET_KEY of this installation, so that every "
            "call is refused. Edit it, and make a new secret."
        )
    return ""


def _standing(
    state: TriggerState, now: datetime
) -> Literal["off", "waiting", "held", "cooling", "ready"]:
    if not state.is_on:
        return "off"
    if not state.is_ready:
        return "waiting"
    if state.queued_run is not None:
        return "held"
    return "ready" if state.cools_until(now) is None else "cooling"


def chosen_tables(keys: Sequence[str]) -> list[WatchedTable]:
    """Return tables that a trigger may watch, in their order, with their last imports."""
    imported = _imported(keys)
    return [
        WatchedTable(key, None, None, imported.get(key), is_missing=key not in imported)
        for key in keys
    ]


def _imported(keys: Iterable[str]) -> dict[str, datetime | None]:
    return dict(Table.objects.filter(key__in=set(keys)).values_list("key", "imported_at"))
