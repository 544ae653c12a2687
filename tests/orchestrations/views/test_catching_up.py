"""The question when a schedule or an orchestration is switched on again after it missed moments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from orchestrations.enums import Misfire, Overlap
from orchestrations.models import Orchestration, Run, Schedule
from orchestrations.services import orchestrations, schedules
from tests.builders import make_empty_orchestration, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


@pytest.fixture
def schedule(orchestration: Orchestration) -> Schedule:
    with time_machine.travel(NOON, tick=False):
        return schedules.create_schedule(
            orchestration,
            cron="0 * * * *",
            timezone="UTC",
            user=None,
            name="Hourly",
            overlap=Overlap.QUEUE_ALL,
        )


@pytest.fixture
def page(client: Client) -> Iterator[Client]:
    client.force_login(make_user(role="Operator", name="olga"))
    with time_machine.travel(NOON + 3 * HOUR + timedelta(minutes=5), tick=False):
        yield client


def rest(schedule: Schedule) -> None:
    with time_machine.travel(NOON, tick=False):
        schedules.set_enabled(schedule, enabled=False, user=make_user(name="ada"))


def test_the_switch_asks_and_nothing_is_switched_before_the_answer(
    page: Client, schedule: Schedule
) -> None:
    rest(schedule)
    url = f"/schedules/{schedule.pk}/switch/"
    asked = page.post(url, {"enabled": "on"}, headers=HTMX)

    assert asked["HX-Retarget"] == "#modal-content"
    assert "schedulesChanged" in asked["HX-Trigger"]  # the list shows again that it is off
    text = text_of(asked)
    assert "3 moments missed" in text
    assert "by ada. Missed 3, the last due" in text
    schedule.refresh_from_db()
    assert not schedule.is_enabled

    answer = page.post(url, {"enabled": "on", "catch_up": "all", "limit": "2"}, headers=HTMX)
    assert (answer.status_code, Run.objects.count()) == (204, 2)
    assert "closeModal" in answer["HX-Trigger"]
    assert "The schedule is on." in answer["HX-Trigger"]
    assert schedule.slots.count() == 3


def test_without_scripts_the_question_is_a_page(page: Client, schedule: Schedule) -> None:
    rest(schedule)
    url = f"/schedules/{schedule.pk}/switch/"
    html = page.post(url, {"enabled": "on"}).content.decode()
    assert "<title>Missed moments" in html
    assert '<input type="hidden" name="enabled" value="on">' in html

    answer = page.post(url, {"enabled": "on", "catch_up": "skip", "limit": "10"})
    assert answer.status_code == 302
    assert (Run.objects.count(), schedule.slots.count()) == (0, 3)


def test_the_own_policy_is_chosen_beforehand(page: Client, schedule: Schedule) -> None:
    with time_machine.travel(NOON, tick=False):
        schedules.update_schedule(schedule, misfire=Misfire.ALL, misfire_limit=7)
    rest(schedule)
    html = page.post(f"/schedules/{schedule.pk}/switch/", {"enabled": "on"}).content.decode()

    assert 'value="all" checked' in html
    assert 'name="limit" value="7"' in html


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ({"catch_up": "all", "limit": "0"}, "Enter a whole number from 1 to 1000."),
        ({"catch_up": "all", "limit": "1001"}, "Enter a whole number from 1 to 1000."),
        ({"catch_up": "all", "limit": "٣"}, "Enter a whole number from 1 to 1000."),
        ({"catch_up": "all", "limit": "-1"}, "Enter a whole number from 1 to 1000."),
        ({"catch_up": "some", "limit": "3"}, "Choose one of these."),
        ({"limit": "3"}, "Choose one of these."),
    ],
)
def test_nonsense_keeps_what_was_typed_and_switches_nothing(
    page: Client, schedule: Schedule, typed: dict[str, str], error: str
) -> None:
    rest(schedule)
    url = f"/schedules/{schedule.pk}/switch/"
    answer = page.post(url, {"enabled": "on", **typed}, headers=HTMX)

    assert answer.status_code == 422
    html = answer.content.decode()
    assert error in html
    assert f'name="limit" value="{typed["limit"]}"' in html
    schedule.refresh_from_db()
    assert not schedule.is_enabled


def test_where_nothing_was_missed_it_is_switched_at_once(page: Client, schedule: Schedule) -> None:
    schedules.set_enabled(schedule, enabled=False)

    answer = page.post(f"/schedules/{schedule.pk}/switch/", {"enabled": "on"}, headers=HTMX)

    schedule.refresh_from_db()
    assert (answer.status_code, schedule.is_enabled) == (200, True)
    assert 'id="schedule-list"' in answer.content.decode()


def test_an_orchestrations_switch_in_the_list_asks_and_its_row_stays_off(
    page: Client, orchestration: Orchestration, schedule: Schedule
) -> None:
    with time_machine.travel(NOON, tick=False):
        orchestrations.set_enabled(orchestration, enabled=False)
    url = f"/orchestrations/{orchestration.pk}/enabled/"
    asked = page.post(url, {"enabled": "on", "from": "list"}, headers=HTMX)

    assert "3 moments missed" in text_of(asked)
    row = asked.content.decode().split("<template>")[1]
    assert f'<tr id="orchestration-row-{orchestration.pk}" hx-swap-oob="true">' in row
    assert "checked" not in row
    shown = {"HX-Current-URL": "http://testserver/orchestrations/?q=night", **HTMX}
    answer = page.post(url, {"enabled": "on", "from": "list", "catch_up": "last"}, headers=shown)
    assert answer["HX-Redirect"] == "/orchestrations/?q=night"
    assert list(schedule.slots.values_list("outcome", flat=True)) == [
        "fired",
        "coalesced",
        "coalesced",
    ]


def test_many_that_are_enabled_at_once_are_asked_about_together(page: Client) -> None:
    several = [make_empty_orchestration(name=f"O{n}") for n in range(3)]
    with time_machine.travel(NOON, tick=False):
        for one in several:
            schedules.create_schedule(one, cron="0 * * * *", timezone="UTC", user=None)
            orchestrations.set_enabled(one, enabled=False)
    data = {"action": "enable", "orchestration": [one.pk for one in several]}
    asked = page.post("/orchestrations/bulk/?q=O", data)

    assert "9 moments missed" in text_of(asked)
    assert asked.content.decode().count('<input type="hidden" name="orchestration"') == 3
    assert Orchestration.objects.filter(is_enabled=True).count() == 0
    answer = page.post("/orchestrations/bulk/?q=O", {**data, "catch_up": "skip"})
    assert (answer.status_code, answer["Location"]) == (302, "/orchestrations/?q=O")
    assert Orchestration.objects.filter(is_enabled=True).count() == 3
    assert Run.objects.count() == 0


def test_the_api_says_what_becomes_of_it(page: Client, schedule: Schedule) -> None:
    rest(schedule)
    page.force_login(make_user(role="Editor"))
    answer = page.patch(
        f"/api/v1/schedules/{schedule.pk}",
        {"is_enabled": True, "catch_up": {"misfire": "all", "limit": 2}},
        content_type="application/json",
    )

    assert answer.status_code == 200
    assert (Run.objects.count(), schedule.slots.count()) == (2, 3)
