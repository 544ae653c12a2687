"""Random interleavings of loads, looks, ends of runs, kills, switches and time; an obvious model.

The model knows every update by itself: which are unused, and which run took each.
"""

from __future__ import annotations

import os
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction

from components.models import Table
from orchestrations.enums import RunStatus, TriggerKind, TriggerNeeds
from orchestrations.models import Run, Trigger, TriggerEvent
from orchestrations.scheduling.triggers import UNMARKED, Came, fire_ready, note_events, sweep
from orchestrations.services import triggers
from tests.builders import make_trigger, update_table

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TABLES = ("in.c-shop.a", "in.c-shop.b", "in.c-shop.c")
# A shard is what one process does at a time; 20 of them, 10,000 interleavings, take ten minutes.
SHARDS, INTERLEAVINGS = int(os.environ.get("INTERLEAVING_SHARDS", "4")), 500
STEPS = (*TABLES, *TABLES, "look", "look", "sweep", "begin", "switch", "kill", *"124")
pytestmark = pytest.mark.django_db


class Killed(Exception):
    """The process died before its transaction was over."""


@dataclass
class Model:
    """What should be: per table the newest unused update, since when, and what each run took."""

    needed: int
    cooldown: int
    fresh_for: int | None
    fallback_after: int | None
    unused: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    loaded: dict[str, int] = field(default_factory=dict)
    runs: list[dict[str, int]] = field(default_factory=list)
    now: datetime = NOON
    last_run: datetime | None = None
    queued: bool = False
    on: bool = True

    def load(self, table: str) -> None:
        self.loaded[table] = self.loaded.get(table, 0) + 1
        if table not in self.fresh():
            self.since[table] = self.now
        self.unused[table] = (self.loaded[table], self.now)

    def fresh(self) -> dict[str, tuple[int, datetime]]:
        if self.fresh_for is None:
            return dict(self.unused)
        oldest = self.now - self.fresh_for * MINUTE
        return {table: u for table, u in self.unused.items() if u[1] >= oldest}

    def is_ready(self) -> bool:
        came = self.fresh()
        if len(came) >= self.needed:
            return True
        if self.fallback_after is None or not came:
            return False
        first = min(self.since[table] for table in came)
        return self.now >= first + self.fallback_after * MINUTE

    def look(self) -> None:
        cool = self.last_run is None or self.now - self.last_run >= self.cooldown * MINUTE
        if self.on and cool and not self.queued and self.is_ready():
            took = self.fresh()
            self.runs.append({table: version for table, (version, _) in took.items()})
            for table in took:
                del self.unused[table]
            self.last_run, self.queued = self.now, True


def anew(trigger: Trigger, dice: random.Random) -> Model:
    """Let a trigger begin again, with other settings."""
    needs = dice.choice([TriggerNeeds.ALL, TriggerNeeds.ANY, TriggerNeeds.SOME])
    limits: dict[str, Any] = {
        "cooldown": dice.choice([1, 3, 5]),
        "fresh_for": dice.choice([None, None, 2, 6]),
        "fallback_after": dice.choice([None, None, 3, 8]),
    }
    Trigger.objects.filter(pk=trigger.pk).update(
        needs=needs, quorum=2, last_run_at=None, is_enabled=True, **limits
    )
    trigger.tables.update(**UNMARKED)
    Run.objects.all().delete()
    return Model({"all": 3, "any": 1, "some": 2}[needs], **limits)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_update_is_used_once_whatever_comes_between(shard: int) -> None:
    dice = random.Random(shard)
    for table in TABLES:
        update_table(table)
    trigger = make_trigger(*TABLES)
    runs = sum(len(interleave(trigger, dice)) for _ in range(INTERLEAVINGS))
    assert runs > INTERLEAVINGS / 2  # else nothing was tried


def interleave(trigger: Trigger, dice: random.Random) -> list[dict[str, int]]:
    """Do some random steps with the product and with the model; return what the runs took."""
    with time_machine.travel(NOON, tick=False) as clock:
        model = anew(trigger, dice)
        base = dict(Table.objects.values_list("key", "current__number"))
        steps = [dice.choice(STEPS) for _ in range(dice.randint(4, 14))]
        for step in steps:
            take(step, trigger.pk, model)
            clock.move_to(model.now, tick=False)
        # whatever happened, one more look after the cool-down uses all that is complete
        Run.objects.update(status=RunStatus.SUCCESS)
        model.queued, model.now = False, model.now + 5 * MINUTE
        take("sweep", trigger.pk, model)
    made = Run.objects.filter(trigger=trigger).order_by("pk")
    took = [{u["table"]: u["version"] - base[u["table"]] for u in run.updates} for run in made]
    assert took == model.runs, (steps, model)
    left = {t: n - base[t] for t, n in trigger.tables.values_list("table_key", "version") if n}
    assert left == {table: version for table, (version, _) in model.unused.items()}, steps
    return took


def take(step: str, trigger_id: int, model: Model) -> None:
    """Do one step with the product and with the model."""
    if step.isdigit():
        model.now += int(step) * MINUTE
    elif step in TABLES:
        update_table(step)
        model.load(step)
    elif step == "begin":
        Run.objects.filter(status=RunStatus.CREATED).update(status=RunStatus.SUCCESS)
        model.queued = False
    elif step == "switch":
        model.on = not model.on
        triggers.set_enabled(Trigger.objects.get(pk=trigger_id), enabled=model.on)
    elif step == "kill":
        killed(trigger_id, model.now)
    else:
        fire_ready([trigger_id], model.now) if step == "look" else sweep(model.now)
        model.look()


def killed(trigger_id: int, now: datetime) -> None:
    """Look at a trigger, and note an update, in a process that dies before it commits."""
    with suppress(Killed), transaction.atomic():
        fire_ready([trigger_id], now)
        update_table(TABLES[0])
        raise Killed


def test_every_event_is_used_once_however_often_it_is_told() -> None:
    dice = random.Random(7)
    trigger = make_trigger(TABLES[0], cooldown=2)
    Trigger.objects.filter(pk=trigger.pk).update(kind=TriggerKind.WEBHOOK)
    told, now = 0, NOON
    for number in range(300):
        step = dice.choice(["tell", "tell again", "look", "sweep", "begin", "wait"])
        if step == "tell":
            told += note_events(trigger.pk, [Came(f"call {number}", now, {"kind": "hook"})])
        elif step == "tell again" and (old := TriggerEvent.objects.order_by("?").first()):
            assert not note_events(trigger.pk, [Came(old.key, now, {})])
        elif step == "look":
            fire_ready([trigger.pk], now)
        elif step == "sweep":
            sweep(now)
        elif step == "begin":
            Run.objects.update(status=RunStatus.SUCCESS)
        else:
            now += MINUTE
    Run.objects.update(status=RunStatus.SUCCESS)
    sweep(now + 2 * MINUTE)
    used = [update["key"] for run in Run.objects.order_by("pk") for update in run.updates]
    assert len(used) == len(set(used)) == told > 20
    assert Run.objects.count() > 5
    assert not TriggerEvent.objects.filter(used_at=None).exists()
    assert TriggerEvent.objects.filter(run=None).count() == 0
