"""The triggers of an orchestration: list, dialog, switch, run now, removal."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Orchestration, Run, Trigger
from orchestrations.services import triggers
from orchestrations.services.orchestrations import move_to_trash, set_enabled
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_orchestration,
    make_trigger,
    make_user,
    update_table,
)
from tests.pages import text_of

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 18, 22, tzinfo=UTC)
HTMX = {"HX-Request": "true"}
ORDERS, ITEMS, STOCK = "in.c-shop.orders", "in.c-shop.items", "in.c-shop.stock"


@pytest.fixture(autouse=True)
def _at_a_fixed_time() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def editor() -> User:
    return make_user(role="Editor", name="ada")


@pytest.fixture
def page(client: Client, editor: User) -> Client:
    client.force_login(editor)
    return client


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


def list_url(orchestration: Orchestration) -> str:
    return reverse("schedule-list", args=[orchestration.pk])


def new_url(orchestration: Orchestration) -> str:
    return reverse("trigger-new", args=[orchestration.pk])


def url(name: str, trigger: Trigger) -> str:
    return reverse(f"trigger-{name}", args=[trigger.pk])


def chosen(response: Any) -> list[str]:
    return re.findall(r'name="tables" value="([^"]*)"', response.content.decode())


def events(response: Any) -> Any:
    return json.loads(response.headers["HX-Trigger"])


def test_it_lists_what_each_trigger_waits_for(page: Client, orchestration: Orchestration) -> None:
    make_trigger(ORDERS, ITEMS, STOCK, orchestration=orchestration, name="Shop", cooldown=60)
    update_table(ITEMS)
    with time_machine.travel(NOW - timedelta(minutes=9), tick=False):
        update_table(ORDERS)
    text = text_of(page.get(list_url(orchestration), headers=HTMX))
    assert "Shop Waiting 2 of 3 updated since the last run" in text
    assert "at most once per 60 minutes · last run never" in text
    assert "in.c-shop.orders updated 2026-11-22 18:13" in text
    assert "in.c-shop.stock does not exist" in text


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("off", "Off 1 of 1 updated"),
        ("orchestration off", "Off 1 of 1 updated"),
        ("held", "Ready 1 of 1 updated since the last run · runs again once run"),
        (
            "cooling",
            "Ready 1 of 1 updated since the last run · cooling down until 2026-11-22 18:27",
        ),
        ("ready", "Ready 1 of 1 updated since the last run · at most once per 5 minutes"),
    ],
)
def test_it_says_how_each_trigger_stands(
    page: Client, orchestration: Orchestration, case: str, said: str
) -> None:
    trigger = make_trigger(ORDERS, orchestration=orchestration)
    if case in {"held", "cooling"}:
        update_table(ORDERS)
        triggers.fire_ready([trigger.pk])
        if case == "cooling":
            Run.objects.update(status=RunStatus.SUCCESS)
    update_table(ORDERS)
    if case == "off":
        triggers.set_enabled(trigger, enabled=False)
    if case == "orchestration off":
        set_enabled(orchestration, enabled=False)
    assert said in text_of(page.get(list_url(orchestration), headers=HTMX))


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_the_same_number_of_questions(
    page: Client,
    orchestration: Orchestration,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(count):
        make_trigger(ORDERS, ITEMS, orchestration=orchestration)
    page.get(list_url(orchestration), headers=HTMX)
    with django_assert_num_queries(12):
        response = page.get(list_url(orchestration), headers=HTMX)
    assert text_of(response).count("0 of 2 updated") == count


def test_it_warns_of_a_table_that_the_orchestration_updates_itself(page: Client) -> None:
    inner = make_configuration(output=[{"source": "o", "destination": ORDERS}])
    nested = make_orchestration([[inner]], name="Inner")
    above = make_orchestration([[nested]], name="Above")
    posted = {"tables": [ORDERS, ITEMS], "cooldown": "5"}
    response = page.post(new_url(above), {**posted, "action": "show"})
    assert "A run of this orchestration updates in.c-shop.orders itself." in text_of(response)
    response = page.post(new_url(above), posted, headers=HTMX)
    assert events(response)["toast"] == {
        "message": "The trigger has been set up. Its own runs update in.c-shop.orders: "
        "each starts the next.",
        "level": "warning",
    }
    listed = text_of(page.get(list_url(above), headers=HTMX))
    assert "Its own runs update in.c-shop.orders." in listed


def test_the_dialog_offers_both_kinds_for_a_new_one_only(
    page: Client, orchestration: Orchestration
) -> None:
    trigger = make_trigger(ORDERS, orchestration=orchestration)
    new_schedule = reverse("schedule-new", args=[orchestration.pk])
    for address, offers in (
        (new_url(orchestration), True),
        (new_schedule, True),
        (url("edit", trigger), False),
    ):
        body = page.get(address, headers=HTMX).content.decode()
        assert ("Date &amp; time" in body, new_schedule in body) == (offers, offers)


def test_tables_are_added_and_taken_away_before_it_is_saved(
    page: Client, orchestration: Orchestration
) -> None:
    update_table(ORDERS)
    posted: dict[str, Any] = {"name": "Shop", "cooldown": "soon", "add": ORDERS, "action": "add"}
    response = page.post(new_url(orchestration), posted)
    assert (response.status_code, chosen(response)) == (200, [ORDERS])
    assert "2026-11-22 18:22" in text_of(response)
    assert 'value="soon"' in response.content.decode()
    assert 'value="Shop"' in response.content.decode()
    posted |= {"tables": [ORDERS], "add": ITEMS}
    response = page.post(new_url(orchestration), posted, headers=HTMX)
    assert chosen(response) == [ORDERS, ITEMS]
    assert "Does not exist yet" in text_of(response)
    posted |= {"tables": [ORDERS, ITEMS], "add": "", "action": f"remove:{ORDERS}"}
    assert chosen(page.post(new_url(orchestration), posted, headers=HTMX)) == [ITEMS]
    assert not Trigger.objects.exists()


def test_a_table_that_is_none_is_refused_where_it_was_typed(
    page: Client, orchestration: Orchestration
) -> None:
    posted = {"tables": [ORDERS], "cooldown": "5", "add": "<orders>", "action": "add"}
    response = page.post(new_url(orchestration), posted, headers=HTMX)
    assert "“<orders>” is no table id; a table is named like" in text_of(response)
    assert '<option value="&lt;orders&gt;" selected>' in response.content.decode()
    assert chosen(response) == [ORDERS]


def test_it_sets_a_trigger_up(page: Client, orchestration: Orchestration, editor: User) -> None:
    posted = {"name": "Shop", "tables": [ORDERS], "add": ITEMS, "cooldown": "20", "enabled": "on"}
    response = page.post(new_url(orchestration), posted, headers=HTMX)
    assert response.status_code == 204
    assert set(events(response)) == {"toast", "closeModal", "schedulesChanged"}
    made = Trigger.objects.get()
    assert (made.name, made.cooldown, made.is_enabled, made.created_by) == (
        "Shop",
        20,
        True,
        editor,
    )
    # a table that was chosen and not added yet counts too
    assert list(made.tables.values_list("table_key", flat=True)) == [ITEMS, ORDERS]
    plain = page.post(new_url(orchestration), {**posted, "name": "Plain"})
    assert (plain.status_code, plain["Location"]) == (302, orchestration.get_absolute_url())
    assert Trigger.objects.count() == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tables": []}, "Choose at least one table."),
        ({"cooldown": "0"}, "Use 1 minute or more."),
        ({"cooldown": ""}, "Say how many minutes."),
        ({"cooldown": "99999"}, "Use 44640 minutes or fewer."),
        ({"name": "x" * 201}, "Use 200 characters or fewer."),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    page: Client, orchestration: Orchestration, wrong: dict[str, Any], said: str
) -> None:
    posted = {"name": "Shop", "tables": [ORDERS], "cooldown": "20", **wrong}
    for headers in ({}, HTMX):
        response = page.post(new_url(orchestration), posted, headers=headers)
        assert response.status_code == 422
        assert said in text_of(response)
        assert chosen(response) == posted["tables"]
        assert f'value="{posted["name"]}"' in response.content.decode()
    assert not Trigger.objects.exists()


def test_it_changes_a_trigger(page: Client, orchestration: Orchestration) -> None:
    trigger = make_trigger(ORDERS, ITEMS, orchestration=orchestration, name="Shop", cooldown=9)
    shown = page.get(url("edit", trigger))
    assert chosen(shown) == [ITEMS, ORDERS]
    assert 'value="9"' in shown.content.decode()
    posted = {"name": "Stock", "tables": [STOCK], "cooldown": "3"}
    assert page.post(url("edit", trigger), posted, headers=HTMX).status_code == 204
    trigger.refresh_from_db()
    assert (trigger.name, trigger.cooldown, trigger.is_enabled) == ("Stock", 3, False)
    assert list(trigger.tables.values_list("table_key", flat=True)) == [STOCK]
    triggers.delete_trigger(trigger)
    assert page.get(url("edit", trigger)).status_code == 404


def test_it_switches_a_trigger(page: Client, orchestration: Orchestration) -> None:
    trigger = make_trigger(ORDERS, orchestration=orchestration)
    response = page.post(url("switch", trigger), headers=HTMX)
    assert events(response)["toast"]["message"] == "The trigger is off."
    assert response.content.decode().lstrip().startswith('<section id="schedule-list"')
    trigger.refresh_from_db()
    assert trigger.is_enabled is False
    page.post(url("switch", trigger), {"enabled": "on"})
    trigger.refresh_from_db()
    assert trigger.is_enabled is True


def test_it_runs_now(page: Client, orchestration: Orchestration, editor: User) -> None:
    trigger = make_trigger(ORDERS, orchestration=orchestration)
    response = page.post(url("run", trigger), headers=HTMX)
    run = Run.objects.get()
    assert (run.trigger, run.started_by, run.created_by) == (trigger, StartedBy.MANUAL, editor)
    assert events(response)["toast"] == {
        "message": f"Run {run.pk} has been started.",
        "level": "success",
        "url": run.get_absolute_url(),
        "label": "Show the run",
    }


def test_it_removes_a_trigger_after_a_question(page: Client, orchestration: Orchestration) -> None:
    trigger = make_trigger(ORDERS, orchestration=orchestration, name="Shop & Co")
    for headers in ({}, HTMX):
        response = page.get(url("delete", trigger), headers=headers)
        assert "Remove this trigger? Shop & Co" in text_of(response)
    assert page.post(url("delete", trigger), headers=HTMX).status_code == 204
    trigger.refresh_from_db()
    assert trigger.deleted_at is not None


def test_who_may_not_is_refused(client: Client, orchestration: Orchestration) -> None:
    trigger = make_trigger(ORDERS, orchestration=orchestration)
    client.force_login(make_user(role="Viewer"))
    assert "Sales" not in text_of(client.get(list_url(orchestration)))
    for name in ("switch", "run", "delete", "edit"):
        assert client.post(url(name, trigger)).status_code == 403
    assert client.get(new_url(orchestration)).status_code == 403
    client.force_login(make_user(role="Operator"))
    for name, status in (("delete", 403), ("edit", 403), ("run", 302), ("switch", 302)):
        assert (name, client.post(url(name, trigger)).status_code) == (name, status)
    trigger.refresh_from_db()
    assert (trigger.deleted_at, trigger.is_enabled, Run.objects.count()) == (None, False, 1)


def test_a_change_needs_a_post_and_nothing_works_in_the_trash(
    page: Client, orchestration: Orchestration
) -> None:
    trigger = make_trigger(ORDERS, orchestration=orchestration)
    assert page.get(url("switch", trigger)).status_code == 405
    assert page.get(url("run", trigger)).status_code == 405
    move_to_trash(orchestration, user=None)
    for name in ("switch", "run", "delete", "edit"):
        assert page.post(url(name, trigger)).status_code == 404
    assert page.post(new_url(orchestration)).status_code == 404
    assert not Run.objects.exists()
