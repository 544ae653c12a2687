from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from components.models import Table
from components.services.storage import delete_table
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Run, Trigger
from orchestrations.queries.triggers import triggers_of
from orchestrations.scheduling.triggers import fire_ready, sweep
from orchestrations.services import triggers
from orchestrations.services.orchestrations import (
    move_to_trash,
    restore_from_trash,
    set_enabled,
)
from tests.builders import make_empty_orchestration, make_run, make_trigger, make_user, update_table
from tests.control import Control
from tests.storage_tables import load, values

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORDERS, ITEMS = "in.c-shop.orders", "in.c-shop.items"
pytestmark = pytest.mark.django_db


def fire(trigger: Trigger, now: datetime = NOON) -> list[int]:
    return fire_ready([trigger.pk], now)


def begun(run: int) -> None:
    """Let the run be one that a worker began and ended."""
    Run.objects.filter(pk=run).update(status=RunStatus.SUCCESS)


def marks(trigger: Trigger) -> dict[str, int | None]:
    return dict(trigger.tables.values_list("table_key", "version"))


def test_all_tables_make_a_run_that_names_their_updates() -> None:
    trigger = make_trigger(ORDERS, ITEMS, name="Sales", variables={"day": "today"}, cooldown=10)
    update_table(ITEMS)
    with time_machine.travel(NOON - 2 * MINUTE, tick=False):
        update_table(ORDERS)
    with time_machine.travel(NOON - MINUTE, tick=False):
        update_table(ITEMS)  # only the latest of two updates counts

    [made] = fire(trigger)

    run = Run.objects.get()
    assert (run.pk, run.started_by, run.trigger, run.variables, run.status) == (
        made,
        StartedBy.TRIGGER,
        trigger,
        {"day": "today"},
        RunStatus.CREATED,
    )
    assert run.updates == [
        {"table": ITEMS, "version": 2, "at": "2026-06-01T11:59:00+00:00"},
        {"table": ORDERS, "version": 1, "at": "2026-06-01T11:58:00+00:00"},
    ]
    event = run.events.get()
    assert (event.new_status, event.actor) == ("created", "Trigger Sales")
    assert event.reason == (
        "Updated: in.c-shop.items (version 2, 2026-06-01 11:59 UTC), "
        "in.c-shop.orders (version 1, 2026-06-01 11:58 UTC)."
    )
    assert marks(trigger) == {ORDERS: None, ITEMS: None}
    trigger.refresh_from_db()
    assert trigger.last_run_at == NOON


def test_it_waits_for_every_table_and_for_updates_after_it_was_made() -> None:
    update_table(ORDERS)
    trigger = make_trigger(ORDERS, ITEMS)
    update_table(ITEMS)
    assert fire(trigger) == []
    update_table(ORDERS)
    assert len(fire(trigger)) == 1
    begun(Run.objects.get().pk)
    update_table(ORDERS)
    assert fire(trigger, NOON + 60 * MINUTE) == []


def test_ready_while_cooling_runs_at_the_end_of_the_cool_down() -> None:
    trigger = make_trigger(ORDERS, cooldown=10)
    update_table(ORDERS)
    [first] = fire(trigger)
    begun(first)
    update_table(ORDERS)
    assert fire(trigger, NOON + 10 * MINUTE - timedelta(microseconds=1)) == []
    assert sweep(NOON + 9 * MINUTE) == []
    [second] = sweep(NOON + 10 * MINUTE)
    assert Run.objects.get(pk=second).updates[0]["version"] == 2
    assert sweep(NOON + 30 * MINUTE) == []


def test_a_run_that_has_not_begun_holds_the_next_one() -> None:
    trigger = make_trigger(ORDERS, cooldown=1)
    update_table(ORDERS)
    [first] = fire(trigger)
    update_table(ORDERS)
    assert sweep(NOON + 60 * MINUTE) == []
    Run.objects.filter(pk=first).update(status=RunStatus.PROCESSING)
    [second] = sweep(NOON + 60 * MINUTE)
    assert [u["version"] for u in Run.objects.get(pk=second).updates] == [2]


def test_an_update_during_the_run_counts_for_the_next() -> None:
    trigger = make_trigger(ORDERS, ITEMS, cooldown=1)
    update_table(ORDERS)
    update_table(ITEMS)
    [first] = fire(trigger)
    Run.objects.filter(pk=first).update(status=RunStatus.PROCESSING)
    update_table(ORDERS)
    assert fire(trigger, NOON + 5 * MINUTE) == []
    update_table(ITEMS)
    assert len(fire(trigger, NOON + 5 * MINUTE)) == 1


def test_a_missing_table_keeps_it_from_firing_until_it_is_there() -> None:
    trigger = make_trigger(ORDERS, ITEMS)
    update_table(ORDERS)
    update_table(ITEMS)
    delete_table(Table.objects.get(key=ITEMS))
    assert fire(trigger) == []
    [state] = triggers_of(trigger.orchestration)
    assert [(t.key, t.is_missing, t.is_ready) for t in state.tables] == [
        (ITEMS, True, False),
        (ORDERS, False, True),
    ]
    update_table(ITEMS)
    [run] = fire(trigger)
    assert [u["version"] for u in Run.objects.get(pk=run).updates] == [1, 1]


def test_what_is_off_starts_nothing_and_remembers() -> None:
    trigger = make_trigger(ORDERS)
    orchestration = trigger.orchestration
    triggers.set_enabled(trigger, enabled=False)
    update_table(ORDERS)
    assert (fire(trigger), sweep(NOON)) == ([], [])
    set_enabled(orchestration, enabled=False)
    triggers.set_enabled(trigger, enabled=True)
    assert (fire(trigger), sweep(NOON)) == ([], [])
    move_to_trash(orchestration, user=None)
    assert (fire(trigger), sweep(NOON)) == ([], [])
    restore_from_trash(orchestration)
    assert sweep(NOON) == []
    set_enabled(orchestration, enabled=True)
    assert len(sweep(NOON)) == 1


def test_a_removed_trigger_starts_nothing_and_forgets_when_it_comes_back() -> None:
    trigger = make_trigger(ORDERS)
    update_table(ORDERS)
    triggers.delete_trigger(trigger)
    assert (fire(trigger), sweep(NOON)) == ([], [])
    triggers.undelete_trigger(trigger)
    assert fire(trigger) == []
    update_table(ORDERS)
    assert len(fire(trigger)) == 1


def test_a_trigger_that_was_purged_is_no_error() -> None:
    assert fire_ready([4711], NOON) == []


def test_a_clock_that_was_wrong_does_not_silence_a_trigger() -> None:
    trigger = make_trigger(ORDERS, cooldown=10)
    update_table(ORDERS)
    [first] = fire(trigger, NOON + timedelta(days=300))
    begun(first)
    update_table(ORDERS)
    assert len(fire(trigger, NOON)) == 1


def test_run_now_takes_what_is_there_and_begins_the_cool_down() -> None:
    trigger, user = make_trigger(ORDERS, ITEMS, enabled=False, cooldown=10), make_user(name="ada")
    update_table(ORDERS)
    with time_machine.travel(NOON, tick=False):
        run = triggers.run_now(trigger, user=user)
    assert (run.started_by, run.created_by, run.trigger) == (StartedBy.MANUAL, user, trigger)
    assert [u["table"] for u in run.updates] == [ORDERS]
    assert run.events.get().actor == "ada"
    assert marks(trigger) == {ORDERS: None, ITEMS: None}
    trigger.refresh_from_db()
    assert trigger.last_run_at == NOON
    with time_machine.travel(NOON + MINUTE, tick=False):
        assert triggers.run_now(trigger, user=user).updates == []


def test_a_load_rings_and_a_worker_begins_the_run(control: Control) -> None:
    trigger = make_trigger(ORDERS)
    make_trigger(ITEMS)
    with control.capture(execute=True):
        load(values("(1, 'a')"), table=ORDERS)
    assert control.triggers == [trigger.pk]
    with control.capture(execute=True):
        [run] = triggers.fire_ready(control.triggers)
    assert list(control.rung) == [run]
    control.deliver()
    assert control.states(Run.objects.get()) == "success:"


def test_a_load_that_is_rolled_back_marks_nothing() -> None:
    trigger = make_trigger(ORDERS)
    update_table(ORDERS)
    with transaction.atomic():
        update_table(ORDERS)
        assert marks(trigger) == {ORDERS: 2}
        transaction.set_rollback(True)
    assert marks(trigger) == {ORDERS: 1}


@pytest.mark.parametrize("n", [1, 3])
def test_the_state_of_any_number_of_triggers_takes_four_queries(
    n: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    orchestration = make_empty_orchestration()
    for _ in range(n):
        trigger = make_trigger(ORDERS, ITEMS, orchestration=orchestration)
        make_run(orchestration, trigger=trigger)
    update_table(ORDERS)
    with django_assert_num_queries(4):
        found = triggers_of(orchestration)
    assert [[t.key for t in state.waits_for] for state in found] == [[ITEMS]] * n
    assert all(state.queued_run for state in found)
