"""What a trigger needs, in its dialog and on its line."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from orchestrations.models import Orchestration, Run, Trigger
from orchestrations.scheduling.triggers import fire_ready
from tests.builders import make_empty_orchestration, make_trigger, make_user, update_table
from tests.pages import text_of

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORDERS, ITEMS = "in.c-shop.orders", "in.c-shop.items"
SAID = {"tables": [ORDERS, ITEMS], "cooldown": "5", "enabled": "on"}
pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client: Client) -> Client:
    client.force_login(make_user(role="Editor"))
    return client


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


def test_what_it_needs_arrives_and_comes_back(page: Client, orchestration: Orchestration) -> None:
    needs = {"needs": "some", "quorum": "2", "fresh_for": "60", "fallback_after": "90"}
    sent = page.post(reverse("trigger-new", args=[orchestration.pk]), SAID | needs)
    assert sent.status_code == 302
    made = Trigger.objects.get()
    assert (made.needs, made.quorum, made.fresh_for, made.fallback_after) == ("some", 2, 60, 90)
    body = page.get(reverse("trigger-edit", args=[made.pk])).content.decode()
    assert '<option value="some" selected>' in body
    assert 'class="schedule-options mb-3" open>' in body
    for name in ("quorum", "fresh_for", "fallback_after"):
        assert f'name="{name}" value="{needs[name]}"' in body


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"needs": "some", "quorum": "3"}, "This takes a whole number from 1 to 2, the tables"),
        ({"needs": "most"}, "Take one of the list."),
        ({"fresh_for": "0"}, "This takes a whole number from 1 to 44640."),
        ({"fallback_after": "x"}, "This takes a whole number from 1 to 44640."),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    page: Client, orchestration: Orchestration, wrong: dict[str, Any], message: str
) -> None:
    sent = page.post(reverse("trigger-new", args=[orchestration.pk]), SAID | wrong)
    assert sent.status_code == 422
    assert message in html.unescape(sent.content.decode())
    assert not Trigger.objects.exists()


def line(page: Client, trigger: Trigger) -> str:
    return text_of(page.get(reverse("schedule-list", args=[trigger.orchestration_id])))


def test_the_line_says_what_is_too_old_and_when_it_falls_back(page: Client) -> None:
    trigger = make_trigger(ORDERS, ITEMS, fresh_for=60, fallback_after=30)
    with time_machine.travel(NOON, tick=False) as clock:
        update_table(ORDERS)
        clock.shift(10 * MINUTE)
        said = (
            "1 of 2 updated since the last run · waiting 10 min · runs with what is there at 12:30"
        )
        assert said in line(page, trigger)
        clock.shift(60 * MINUTE)
        shown = line(page, trigger)
        assert "0 of 2 updated since the last run" in shown
        assert "too old: updated" in shown
        assert "counts for 60 min" in shown


def test_the_line_says_how_long_the_first_has_been_waiting(page: Client) -> None:
    trigger = make_trigger(ORDERS, ITEMS, "in.c-shop.prices")
    with time_machine.travel(NOON, tick=False) as clock:
        assert "waiting" not in line(page, trigger)  # nothing came yet
        update_table(ITEMS)
        assert "1 of 3 updated since the last run · waiting under 1 sec ·" in line(page, trigger)
        clock.shift(40 * MINUTE)
        update_table(ORDERS)
        clock.shift(15 * MINUTE)
        assert "2 of 3 updated since the last run · waiting 55 min ·" in line(page, trigger)
        update_table(ITEMS)  # the update that it would use is a new one
        assert "2 of 3 updated since the last run · waiting 55 min ·" in line(page, trigger)
        update_table("in.c-shop.prices")
        assert "waiting" not in line(page, trigger)  # all is there


def test_one_that_is_off_waits_for_nothing(page: Client) -> None:
    trigger = make_trigger(ORDERS, ITEMS)
    with time_machine.travel(NOON, tick=False) as clock:
        update_table(ORDERS)
        clock.shift(10 * MINUTE)
        assert "waiting 10 min" in line(page, trigger)
        Trigger.objects.update(is_enabled=False)
        assert "waiting" not in line(page, trigger)


def test_a_fallback_counts_from_the_first_update_however_many_follow(page: Client) -> None:
    """A table that is loaded every few minutes keeps nobody waiting for ever."""
    trigger = make_trigger(ORDERS, ITEMS, fallback_after=30)
    for minute in (0, 10, 20, 29):
        with time_machine.travel(NOON + minute * MINUTE, tick=False):
            update_table(ORDERS)
    with time_machine.travel(NOON + 29 * MINUTE, tick=False):
        shown = text_of(page.get(reverse("schedule-list", args=[trigger.orchestration_id])))
    assert "waiting 29 min" in shown
    [made] = fire_ready([trigger.pk], NOON + 30 * MINUTE)
    assert Run.objects.get(pk=made).updates[0]["version"] == 4
    assert trigger.tables.filter(waits_since=None).count() == 2


def test_an_update_after_one_that_was_too_old_waits_anew(page: Client) -> None:
    trigger = make_trigger(ORDERS, ITEMS, fresh_for=60, fallback_after=30)
    with time_machine.travel(NOON, tick=False):
        update_table(ORDERS)
    with time_machine.travel(NOON + 61 * MINUTE, tick=False):
        update_table(ORDERS)
    assert fire_ready([trigger.pk], NOON + 90 * MINUTE) == []
    assert len(fire_ready([trigger.pk], NOON + 91 * MINUTE)) == 1


def test_a_fallback_says_what_did_not_come(page: Client) -> None:
    trigger = make_trigger(ORDERS, ITEMS, fallback_after=30)
    with time_machine.travel(NOON, tick=False):
        update_table(ORDERS)
    assert fire_ready([trigger.pk], NOON + 29 * MINUTE) == []
    [made] = fire_ready([trigger.pk], NOON + 30 * MINUTE)
    run = Run.objects.get(pk=made)
    assert [update["table"] for update in run.updates] == [ORDERS]
    assert run.events.get().reason == (
        f"Waited 30 min; did not come: {ITEMS}. "
        f"Updated: {ORDERS} (version 1, 2026-06-01 12:00 UTC)."
    )
