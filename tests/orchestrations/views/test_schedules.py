"""The schedules of an orchestration: list, dialog, switch, removal, and their moments."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from orchestrations.enums import SlotOutcome, StartedBy
from orchestrations.models import Orchestration, Schedule, Slot
from orchestrations.services.orchestrations import move_to_trash, set_enabled
from orchestrations.services.schedules import create_schedule, delete_schedule
from orchestrations.services.schedules import set_enabled as switch_schedule
from tests.builders import make_empty_orchestration, make_run, make_user
from tests.pages import text_of, values_posted

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 18, 22, tzinfo=UTC)
HTMX = {"HX-Request": "true"}
DAILY = {
    "name": "Noon",
    "tab": "daily",
    "at_hour": "12",
    "at_minute": "0",
    "timezone": "Europe/Prague",
}


@pytest.fixture(autouse=True)
def _at_a_fixed_time() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def editor() -> User:
    return make_user(role="Editor")


@pytest.fixture
def page(client: Client, editor: User) -> Client:
    client.force_login(editor)
    return client


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


def make(orchestration: Orchestration, cron: str = "0 9 * * 1-5", **fields: Any) -> Schedule:
    zone = fields.pop("timezone", "UTC")
    return create_schedule(orchestration, cron=cron, timezone=zone, user=None, **fields)


def list_url(orchestration: Orchestration) -> str:
    return reverse("schedule-list", args=[orchestration.pk])


def new_url(orchestration: Orchestration) -> str:
    return reverse("schedule-new", args=[orchestration.pk])


def url(name: str, schedule: Schedule) -> str:
    return reverse(f"schedule-{name}", args=[schedule.pk])


def test_it_lists_schedules_with_words_zones_and_last_moments(
    page: Client, orchestration: Orchestration
) -> None:
    schedule = make(orchestration, "30 6 * * *", timezone="Europe/Prague", name="Early")
    for day in range(7):
        due = NOW - timedelta(days=day)
        Slot.objects.create(schedule=schedule, due_at=due, outcome=SlotOutcome.MISSED, reason="Off")
    page.cookies["tz"] = "Asia/Kathmandu"
    response = page.get(list_url(orchestration), headers=HTMX)
    text = text_of(response)
    assert "Early" in text
    assert "Every day at 06:30, Europe/Prague" in text
    assert "2026-11-23 11:15 Asia/Kathmandu" in text
    assert "2026-11-23 06:30 Europe/Prague" in text
    assert text.count("Missed") == 5
    assert url("slots", schedule) in response.content.decode()
    assert response.content.decode().lstrip().startswith('<section id="schedule-list"')


def test_an_empty_list_says_what_it_is_for(page: Client, orchestration: Orchestration) -> None:
    text = text_of(page.get(list_url(orchestration)))
    assert "No schedule yet" in text
    assert "Add schedule" in text


def test_removed_schedules_are_not_listed(page: Client, orchestration: Orchestration) -> None:
    make(orchestration, name="Stays")
    delete_schedule(make(orchestration, name="Removed one"))
    text = text_of(page.get(list_url(orchestration), headers=HTMX))
    assert ("Stays" in text, "Removed one" in text) == (True, False)


def test_it_says_that_the_orchestration_is_off(page: Client, orchestration: Orchestration) -> None:
    make(orchestration)
    set_enabled(orchestration, enabled=False)
    text = text_of(page.get(list_url(orchestration), headers=HTMX))
    assert "The orchestration is switched off" in text
    assert "No next run" in text


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_asks_the_same_number_of_questions(
    page: Client,
    orchestration: Orchestration,
    count: int,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(count):
        schedule = make(orchestration)
        for day in range(6):
            due = NOW - timedelta(days=day)
            run = make_run(
                orchestration, started_by=StartedBy.SCHEDULE, schedule=schedule, scheduled_for=due
            )
            Slot.objects.create(
                schedule=schedule,
                due_at=due,
                outcome=SlotOutcome.FIRED,
                run=run,
                reason=str(number),
            )
    page.get(list_url(orchestration), headers=HTMX)
    with django_assert_num_queries(9):
        response = page.get(list_url(orchestration), headers=HTMX)
    assert text_of(response).count("Fired") == 5 * count


def test_it_adds_a_schedule(page: Client, orchestration: Orchestration, editor: User) -> None:
    response = page.post(new_url(orchestration), DAILY, headers=HTMX)
    schedule = orchestration.schedules.get()
    assert (schedule.name, schedule.cron, schedule.timezone) == (
        "Noon",
        "0 12 * * *",
        "Europe/Prague",
    )
    assert schedule.created_by == editor
    assert schedule.next_fire_at == datetime(2026, 11, 23, 11, tzinfo=UTC)
    events = json.loads(response["HX-Trigger"])
    assert response.status_code == 204
    assert set(events) == {"toast", "closeModal", "schedulesChanged"}
    assert events["toast"]["message"] == "The schedule has been set up."


def test_without_javascript_it_leads_to_the_orchestration(
    page: Client, orchestration: Orchestration
) -> None:
    response = page.post(new_url(orchestration), DAILY)
    assert (response.status_code, response["Location"]) == (302, orchestration.get_absolute_url())


def test_wrong_input_keeps_the_dialog(page: Client, orchestration: Orchestration) -> None:
    wrong = {"name": "Mine", "tab": "custom", "mode": "cron", "cron": "61 * * * *"}
    response = page.post(new_url(orchestration), wrong, headers=HTMX)
    assert response.status_code == 422
    assert "61 is not a minute, use 0 to 59." in text_of(response)
    assert 'value="Mine"' in response.content.decode()
    assert orchestration.schedules.count() == 0


@pytest.mark.parametrize(
    ("cron", "tab", "shown"),
    [
        ("7 * * * *", "hourly", {"at_minute": ["7"]}),
        ("0 12 * * *", "daily", {"at_hour": ["12"], "at_minute": ["0"]}),
        ("0 9 * * 1-5", "weekly", {"on_days": list("12345"), "at_hour": ["9"]}),
        ("0 5,17 * * *", "custom", {"period": ["day"], "hours": ["5", "17"]}),
        ("5 4 3 2 *", "custom", {"period": ["year"], "days": ["3"], "months": ["2"]}),
        ("*/15 9-17 * * *", "custom", {"mode": ["cron"], "cron": ["*/15 9-17 * * *"]}),
    ],
)
def test_editing_opens_the_tab_that_says_the_schedule(
    page: Client,
    orchestration: Orchestration,
    cron: str,
    tab: str,
    shown: dict[str, list[str]],
) -> None:
    schedule = make(orchestration, cron, timezone="Europe/Prague", name="Mine")
    values = values_posted(page.get(url("edit", schedule), headers=HTMX).content.decode())
    assert {name: values[name] for name in shown} == shown
    assert (values["name"], values["timezone"]) == (["Mine"], ["Europe/Prague"])
    assert values["tab"] == [tab]
    assert page.post(url("edit", schedule), values).status_code == 302
    schedule.refresh_from_db()
    assert (schedule.cron, schedule.timezone) == (cron, "Europe/Prague")


def test_editing_what_the_picker_cannot_show_begins_with_the_expression(
    page: Client, orchestration: Orchestration
) -> None:
    response = page.get(url("edit", make(orchestration, "*/15 9-17 * * *")), headers=HTMX)
    assert re.search(r'name="cron" value="\*/15 9-17 \* \* \*"', response.content.decode())
    assert values_posted(response.content.decode())["tab"] == ["custom"]


def test_a_stored_expression_that_cannot_be_read_is_shown_with_its_error(
    page: Client, orchestration: Orchestration
) -> None:
    schedule = make(orchestration)
    Schedule.objects.update(cron="61 * * * *")
    text = text_of(page.get(url("edit", schedule), headers=HTMX))
    assert "61 is not a minute" in text
    assert page.get(list_url(orchestration)).status_code == 200


def test_it_changes_a_schedule(page: Client, orchestration: Orchestration) -> None:
    schedule = make(orchestration, name="Old")
    response = page.post(url("edit", schedule), DAILY, headers=HTMX)
    schedule.refresh_from_db()
    assert (schedule.name, schedule.cron) == ("Noon", "0 12 * * *")
    assert schedule.next_fire_at == datetime(2026, 11, 23, 11, tzinfo=UTC)
    assert (
        json.loads(response["HX-Trigger"])["toast"]["message"] == "The schedule has been changed."
    )


def test_saving_unchanged_keeps_the_expression_as_it_was_written(
    page: Client, orchestration: Orchestration
) -> None:
    schedule = make(orchestration, "0 9 * * 1-5")
    picked = {
        "name": "Renamed",
        "tab": "custom",
        "mode": "picker",
        "shown": "picker",
        "period": "week",
        "weekdays": list("12345"),
        "hours": "9",
        "minutes": "0",
    }
    page.post(url("edit", schedule), picked)
    schedule.refresh_from_db()
    assert (schedule.name, schedule.cron) == ("Renamed", "0 9 * * 1-5")


@pytest.mark.parametrize("count", [5, 20, 100])
def test_the_preview_shows_as_many_as_asked(
    page: Client, orchestration: Orchestration, count: int
) -> None:
    response = page.post(
        new_url(orchestration),
        DAILY | {"action": f"count-{count}"},
        headers=HTMX | {"HX-Target": "schedule-preview"},
    )
    body = response.content.decode()
    assert body.count('<li class="moment') == count
    assert f'<input type="hidden" name="count" value="{count}">' in body
    assert orchestration.schedules.count() == 0


@pytest.mark.parametrize("count", ["0", "-1", "1000000", "x", "\0"])
def test_a_nonsense_count_shows_five(
    page: Client, orchestration: Orchestration, count: str
) -> None:
    response = page.post(
        new_url(orchestration),
        DAILY | {"action": "show", "count": count},
        headers=HTMX | {"HX-Target": "schedule-preview"},
    )
    assert response.content.decode().count('<li class="moment') == 5


def test_the_switch_turns_a_schedule(page: Client, orchestration: Orchestration) -> None:
    schedule = make(orchestration)
    off = page.post(url("switch", schedule), {}, headers=HTMX)
    schedule.refresh_from_db()
    assert (schedule.is_enabled, schedule.next_fire_at) == (False, None)
    assert json.loads(off["HX-Trigger"])["toast"]["message"] == "The schedule is off."
    assert 'id="schedule-list"' in off.content.decode()
    on = page.post(url("switch", schedule), {"enabled": "on"})
    schedule.refresh_from_db()
    assert schedule.is_enabled
    assert schedule.next_fire_at == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert (on.status_code, on["Location"]) == (302, orchestration.get_absolute_url())


def test_removing_asks_first(page: Client, orchestration: Orchestration) -> None:
    schedule = make(orchestration, name="Weekdays")
    asked = page.get(url("delete", schedule), headers=HTMX)
    assert "Weekdays : Monday to Friday at 09:00, UTC" in text_of(asked)
    schedule.refresh_from_db()
    assert schedule.deleted_at is None
    done = page.post(url("delete", schedule), headers=HTMX)
    schedule.refresh_from_db()
    assert done.status_code == 204
    assert schedule.deleted_at == NOW
    assert "schedulesChanged" in json.loads(done["HX-Trigger"])


def test_moments_are_paged_by_key(page: Client, orchestration: Orchestration) -> None:
    schedule = make(orchestration, timezone="Europe/Prague")
    run = make_run(
        orchestration, started_by=StartedBy.SCHEDULE, schedule=schedule, scheduled_for=NOW
    )
    Slot.objects.create(schedule=schedule, due_at=NOW, outcome=SlotOutcome.FIRED, run=run)
    Slot.objects.bulk_create(
        Slot(
            schedule=schedule,
            due_at=NOW - timedelta(minutes=minute),
            outcome=SlotOutcome.SKIPPED,
            reason=f"Reason {minute}.",
        )
        for minute in range(1, 60)
    )
    first = page.get(url("slots", schedule))
    assert run.get_absolute_url() in first.content.decode()
    assert "2026-11-22 19:22" in text_of(first)  # in the schedule's zone
    assert first.content.decode().count('data-label="Reason"') == 50
    older = re.search(r'href="(\?before=[^"]+)"', first.content.decode())
    assert older
    address = url("slots", schedule) + html.unescape(older[1])
    second = page.get(address, headers=HTMX).content.decode()
    shown = re.findall(r'data-label="Reason"><span>Reason (\d+)\.', second)
    assert shown == [str(n) for n in range(50, 60)]
    assert second.lstrip().startswith('<section id="slot-ledger"')


@pytest.mark.parametrize("key", ["x", "\0", "9999-12-31T23:59:59-23:59", "2026-13-01T00:00", ""])
def test_a_nonsense_key_shows_the_newest(
    page: Client, orchestration: Orchestration, key: str
) -> None:
    schedule = make(orchestration)
    Slot.objects.create(schedule=schedule, due_at=NOW, outcome=SlotOutcome.MISSED, reason="Newest.")
    assert "Newest." in text_of(page.get(url("slots", schedule), {"before": key}))


def test_moments_of_a_removed_schedule_stay(page: Client, orchestration: Orchestration) -> None:
    schedule = make(orchestration)
    delete_schedule(schedule)
    assert "this schedule has been removed" in text_of(page.get(url("slots", schedule)))


CALLS = {
    "list": ("get", "Viewer"),
    "slots": ("get", "Viewer"),
    "switch": ("post", "Operator"),
    "new": ("post", "Editor"),
    "edit": ("post", "Editor"),
    "delete": ("post", "Editor"),
}
RANK = ["", "Viewer", "Operator", "Editor", "Admin"]


def address(name: str, orchestration: Orchestration, schedule: Schedule) -> str:
    pk = orchestration.pk if name in {"list", "new"} else schedule.pk
    return reverse(f"schedule-{name}", args=[pk])


@pytest.mark.parametrize("role", RANK)
@pytest.mark.parametrize("name", list(CALLS))
def test_each_call_needs_its_role(
    client: Client, orchestration: Orchestration, name: str, role: str
) -> None:
    schedule = make(orchestration)
    method, needed = CALLS[name]
    client.force_login(make_user(role=role or None))
    response = getattr(client, method)(address(name, orchestration, schedule), DAILY)
    allowed = RANK.index(role) >= RANK.index(needed)
    assert response.status_code == ((200 if method == "get" else 302) if allowed else 403)
    schedule.refresh_from_db()
    if not allowed:
        assert (schedule.is_enabled, schedule.deleted_at, schedule.name) == (True, None, "")
        assert orchestration.schedules.count() == 1


@pytest.mark.parametrize("name", list(CALLS))
def test_each_call_needs_a_login(client: Client, orchestration: Orchestration, name: str) -> None:
    schedule = make(orchestration)
    where = address(name, orchestration, schedule)
    response = getattr(client, CALLS[name][0])(where, DAILY)
    assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("name", list(CALLS))
def test_what_is_not_there_is_404(page: Client, name: str) -> None:
    assert (
        getattr(page, CALLS[name][0])(reverse(f"schedule-{name}", args=[4711])).status_code == 404
    )


@pytest.mark.parametrize("name", ["new", "edit", "switch", "delete"])
def test_nothing_changes_in_the_trash(
    page: Client, orchestration: Orchestration, editor: User, name: str
) -> None:
    schedule = make(orchestration)
    move_to_trash(orchestration, user=editor)
    assert page.post(address(name, orchestration, schedule), DAILY).status_code == 404


@pytest.mark.parametrize("name", ["edit", "switch", "delete"])
def test_a_removed_schedule_cannot_be_changed(
    page: Client, orchestration: Orchestration, name: str
) -> None:
    schedule = make(orchestration)
    delete_schedule(schedule)
    assert page.post(url(name, schedule), DAILY).status_code == 404


def test_switching_is_only_posted(page: Client, orchestration: Orchestration) -> None:
    assert page.get(url("switch", make(orchestration))).status_code == 405


def test_a_viewer_sees_no_buttons(client: Client, orchestration: Orchestration) -> None:
    schedule = make(orchestration)
    client.force_login(make_user(role="Viewer"))
    body = client.get(list_url(orchestration), headers=HTMX).content.decode()
    shown = [url(name, schedule) in body for name in ("edit", "switch", "delete")]
    assert shown == [False, False, False]
    assert new_url(orchestration) not in body
    assert url("slots", schedule) not in body  # nothing was due yet
    assert "On" in text_of(client.get(list_url(orchestration), headers=HTMX))


def test_the_line_says_who_switched_it_off_and_what_nobody_has_started(client: Client) -> None:
    ann = make_user(role="Editor", name="ann")
    client.force_login(ann)
    orchestration = make_empty_orchestration()
    off = create_schedule(orchestration, cron="0 * * * *", timezone="UTC", user=ann)
    switch_schedule(off, enabled=False, user=ann)
    late = create_schedule(orchestration, cron="0 * * * *", timezone="UTC", user=ann)
    page = reverse("schedule-list", args=[orchestration.pk])
    assert "No next run: switched off" in text_of(client.get(page))
    assert "by ann" in text_of(client.get(page))
    assert "and not started yet" not in text_of(client.get(page))

    past = timezone.now() - timedelta(seconds=11)
    Schedule.objects.filter(pk=late.pk).update(next_fire_at=past)
    assert "and not started yet" in text_of(client.get(page))
