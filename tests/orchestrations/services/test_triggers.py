from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from orchestrations.exceptions import InvalidTrigger, NotAllowed
from orchestrations.models import Orchestration, Trigger
from orchestrations.services import triggers
from orchestrations.services.orchestrations import move_to_trash
from tests.builders import make_empty_orchestration, make_trigger, make_user, update_table
from tests.control import Control

ORDERS, ITEMS, STOCK = "in.c-shop.orders", "in.c-shop.items", "in.c-shop.stock"
pytestmark = pytest.mark.django_db


def changes(orchestration: Orchestration) -> list[str]:
    return list(orchestration.versions.order_by("number").values_list("change", flat=True))


def latest(orchestration: Orchestration) -> Any:
    orchestration.refresh_from_db()
    return orchestration.versions.get(number=orchestration.version).definition["triggers"]


def marks(trigger: Trigger) -> list[tuple[str, int | None]]:
    return list(trigger.tables.values_list("table_key", "version"))


def test_creating_makes_the_rows_and_a_version() -> None:
    orchestration, user = make_empty_orchestration(), make_user()
    trigger = triggers.create_trigger(
        orchestration,
        tables=[f" {ORDERS} ", ITEMS, ORDERS],
        user=user,
        name="  Sales are in ",
        cooldown=20,
        variables={"day": "today"},
    )
    assert (trigger.name, trigger.cooldown, trigger.created_by) == ("Sales are in", 20, user)
    assert marks(trigger) == [(ITEMS, None), (ORDERS, None)]
    assert changes(orchestration) == ["Created", "Added trigger “Sales are in”."]
    assert latest(orchestration) == [
        {
            "id": trigger.pk,
            "name": "Sales are in",
            "is_enabled": True,
            "cooldown": 20,
            "kind": "tables",
            "needs": "all",
            "quorum": 1,
            "fresh_for": None,
            "fallback_after": None,
            "source": None,
            "source_name": "",
            "outcomes": [],
            "place": "",
            "pattern": "",
            "tables": [ITEMS, ORDERS],
            "variables": {"day": "today"},
        }
    ]
    assert orchestration.versions.latest("number").created_by == user


def test_a_trigger_without_a_name_is_called_by_its_tables() -> None:
    trigger = make_trigger(ORDERS, ITEMS, STOCK)
    assert changes(trigger.orchestration)[-1] == (
        "Added trigger “in.c-shop.items, in.c-shop.orders and 1 more”."
    )


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"tables": []}, {"tables": "Choose at least one table."}),
        (
            {"tables": [ORDERS, "orders"]},
            {"tables": "“orders” is no table id; a table is named like in.c-sales.orders."},
        ),
        (
            {"tables": [f"in.c-shop.t{n}" for n in range(101)]},
            {"tables": "A trigger watches 100 tables at most."},
        ),
        (
            {"cooldown": 0, "name": "x" * 201},
            {
                "name": "The name is longer than 200 characters.",
                "cooldown": "This takes a whole number of minutes from 1 to 44640.",
            },
        ),
        ({"name": "a\0b"}, {"name": "A name cannot hold a NUL character."}),
    ],
)
def test_what_is_wrong_is_said_at_its_field(fields: Any, wrong: dict[str, str]) -> None:
    orchestration = make_empty_orchestration()
    with pytest.raises(InvalidTrigger) as refused:
        triggers.create_trigger(orchestration, **{"tables": [ORDERS], "user": None, **fields})
    assert refused.value.fields == wrong
    assert not Trigger.objects.exists()
    trigger = make_trigger(ORDERS, orchestration=orchestration)
    with pytest.raises(InvalidTrigger) as refused:
        triggers.update_trigger(trigger, **fields)
    assert refused.value.fields == wrong
    assert changes(orchestration) == ["Created", "Added trigger “in.c-shop.orders”."]


def test_a_change_keeps_the_updates_of_tables_that_stay(control: Control) -> None:
    trigger = make_trigger(ORDERS, ITEMS, cooldown=5)
    update_table(ORDERS)
    with control.capture(execute=True):
        changed = triggers.update_trigger(trigger, tables=[STOCK, ORDERS], cooldown=7)
    assert (changed.cooldown, marks(trigger)) == (7, [(ORDERS, 1), (STOCK, None)])
    assert changes(trigger.orchestration)[-1] == (
        "Changed trigger “in.c-shop.items, in.c-shop.orders”: tables: in.c-shop.items, "
        "in.c-shop.orders → in.c-shop.orders, in.c-shop.stock; at most one run in: 5 minutes → "
        "7 minutes."
    )
    assert control.triggers == [trigger.pk]
    assert triggers.fire_ready([trigger.pk]) == []
    triggers.update_trigger(trigger, tables=[ORDERS])
    assert len(triggers.fire_ready([trigger.pk])) == 1


def test_a_change_of_nothing_makes_no_version() -> None:
    trigger = make_trigger(ORDERS)
    triggers.update_trigger(trigger, tables=[ORDERS], cooldown=5, name="", enabled=True)
    assert changes(trigger.orchestration) == ["Created", "Added trigger “in.c-shop.orders”."]


def test_the_switch_makes_one_version_each_way_and_looks_at_what_came() -> None:
    trigger, user = make_trigger(ORDERS, name="Sales"), make_user()
    for enabled in (False, False, True, True):
        assert triggers.set_enabled(trigger, enabled=enabled, user=user).is_enabled == enabled
    assert changes(trigger.orchestration)[2:] == [
        "Switched trigger “Sales” off.",
        "Switched trigger “Sales” on.",
    ]


def test_removing_and_bringing_back_keep_the_row() -> None:
    trigger = make_trigger(ORDERS, name="Sales")
    for _ in range(2):
        triggers.delete_trigger(trigger)
    assert latest(trigger.orchestration) == []
    for change in (
        lambda: triggers.update_trigger(trigger, cooldown=9),
        lambda: triggers.set_enabled(trigger, enabled=False),
        lambda: triggers.run_now(trigger, user=make_user()),
    ):
        with pytest.raises(NotAllowed, match="was removed meanwhile"):
            change()
    for _ in range(2):
        triggers.undelete_trigger(trigger)
    assert [t["id"] for t in latest(trigger.orchestration)] == [trigger.pk]
    assert changes(trigger.orchestration)[2:] == [
        "Removed trigger “Sales”.",
        "Brought trigger “Sales” back.",
    ]


def test_amending_counts_to_the_version_of_the_same_change() -> None:
    orchestration = make_empty_orchestration()
    trigger = make_trigger(ORDERS, orchestration=orchestration, amend=True)
    triggers.update_trigger(trigger, cooldown=8, amend=True)
    assert changes(orchestration) == ["Created"]
    assert latest(orchestration)[0]["cooldown"] == 8


def test_run_now_is_refused_in_the_trash() -> None:
    trigger = make_trigger(ORDERS)
    move_to_trash(trigger.orchestration, user=None)
    with pytest.raises(NotAllowed, match="in the trash"):
        triggers.run_now(trigger, user=make_user())


@pytest.mark.parametrize(("fresh_for", "is_refused"), [(4, True), (5, True), (6, False)])
def test_an_update_that_comes_while_it_cools_down_is_not_too_old_afterwards(
    fresh_for: int, *, is_refused: bool
) -> None:
    orchestration = make_empty_orchestration()
    expected: Any = pytest.raises(InvalidTrigger) if is_refused else nullcontext()
    with expected as caught:
        triggers.create_trigger(
            orchestration, tables=[ORDERS], user=None, cooldown=5, fresh_for=fresh_for
        )
    if is_refused:
        assert caught is not None
        assert set(caught.value.fields) == {"fresh_for"}
        assert "Use more than 5 min" in caught.value.fields["fresh_for"]
