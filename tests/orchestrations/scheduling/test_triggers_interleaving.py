"""Random interleavings of loads, looks, ends of runs, switches and time against an obvious model.

The model knows every update by itself: which are unused, and which run took each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrations.enums import RunStatus
from orchestrations.models import Run, Trigger
from orchestrations.scheduling.triggers import fire_ready, sweep
from orchestrations.services import triggers
from tests.builders import make_trigger, update_table

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
COOLDOWN = 5
TABLES = ("in.c-shop.a", "in.c-shop.b", "in.c-shop.c")
STEPS = st.one_of(
    st.sampled_from(TABLES),
    st.sampled_from(["look", "sweep", "begin", "switch"]),
    st.integers(1, 7),  # minutes that pass
)
pytestmark = pytest.mark.django_db


@dataclass
class Model:
    """What should be: per table the newest unused update, and what each run took."""

    unused: dict[str, int] = field(default_factory=dict)
    loaded: dict[str, int] = field(default_factory=dict)
    runs: list[dict[str, int]] = field(default_factory=list)
    now: datetime = NOON
    last_run: datetime | None = None
    queued: bool = False
    on: bool = True

    def load(self, table: str) -> None:
        self.loaded[table] = self.unused[table] = self.loaded.get(table, 0) + 1

    def look(self) -> None:
        cool = self.last_run is None or self.now - self.last_run >= timedelta(minutes=COOLDOWN)
        if self.on and cool and not self.queued and self.unused.keys() == set(TABLES):
            self.runs.append(self.unused)
            self.unused, self.last_run, self.queued = {}, self.now, True


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, max_size=30))
@example([*TABLES, "look", "begin", *TABLES, "look", 5, "sweep"])
@example([*TABLES, "look", TABLES[0], "begin", *TABLES[1:], 7, "sweep", "sweep"])
@example([*TABLES, "switch", "sweep", "switch", "look"])
def test_every_update_is_used_once_whatever_comes_between(steps: list[str | int]) -> None:
    Run.objects.all().delete()
    for table in TABLES:  # examples share the tables, so versions are counted from here
        update_table(table)
    trigger, model = make_trigger(*TABLES, cooldown=COOLDOWN), Model()
    base = {table: update_table(table).number for table in TABLES}
    trigger.tables.update(updated_at=None, version=None)

    for step in steps:
        take(step, trigger.pk, model)

    # whatever happened, one more look after the cool-down uses all that is complete
    Run.objects.update(status=RunStatus.SUCCESS)
    model.queued, model.now = False, model.now + timedelta(hours=1)
    take("sweep", trigger.pk, model)
    made = Run.objects.filter(trigger=trigger).order_by("pk")
    took = [{u["table"]: u["version"] - base[u["table"]] for u in run.updates} for run in made]
    assert took == model.runs
    left = trigger.tables.values_list("table_key", "version")
    assert {table: n - base[table] for table, n in left if n} == model.unused
    trigger.tables.all().delete()


def take(step: str | int, trigger_id: int, model: Model) -> None:
    """Do one step with the product and with the model."""
    trigger = Trigger.objects.get(pk=trigger_id)
    if isinstance(step, int):
        model.now += timedelta(minutes=step)
    elif step in TABLES:
        update_table(step)
        model.load(step)
    elif step == "begin":
        Run.objects.filter(status=RunStatus.CREATED).update(status=RunStatus.PROCESSING)
        Run.objects.filter(status=RunStatus.PROCESSING).update(status=RunStatus.SUCCESS)
        model.queued = False
    elif step == "switch":
        model.on = not model.on
        triggers.set_enabled(trigger, enabled=model.on)
    else:
        fire_ready([trigger_id], model.now) if step == "look" else sweep(model.now)
        model.look()
