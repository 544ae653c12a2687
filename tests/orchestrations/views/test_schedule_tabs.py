"""The tabs of the schedule dialog as the server answers them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from orchestrations.models import Orchestration, Schedule
from orchestrations.services.schedules import create_schedule
from tests.builders import make_empty_orchestration
from tests.pages import editor, text_of, values_posted

__all__ = ["editor"]
pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 18, 22, tzinfo=UTC)
HTMX = {"HX-Request": "true"}
WEEKLY: dict[str, Any] = {
    "tab": "weekly",
    "shown": "weekly",
    "on_days": ["1", "5"],
    "at_hour": "6",
    "at_minute": "30",
    "timezone": "UTC",
}


@pytest.fixture(autouse=True)
def _at_a_fixed_time() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


def send(client: Client, orchestration: Orchestration, target: str = "", **values: Any) -> Any:
    headers = HTMX | {"HX-Target": target} if target else None
    return client.post(reverse("schedule-new", args=[orchestration.pk]), values, headers=headers)


def chosen(response: Any) -> list[str]:
    """The ready-made schedules that are marked."""
    return re.findall(
        r'class="chip" id="quick-\d" [^>]*aria-current="true"[^>]*>([^<]*)<',
        response.content.decode(),
    )


def feedback(response: Any, name: str) -> str:
    found = re.search(rf'<div id="feedback-{name}"[^>]*>(.*?)</div>', response.content.decode())
    return re.sub(r"<[^>]+>", "", found[1]) if found else ""


def test_a_new_dialog_shows_a_day_at_midnight(editor: Client, orchestration: Orchestration) -> None:
    response = editor.get(reverse("schedule-new", args=[orchestration.pk]), headers=HTMX)
    values = values_posted(response.content.decode())
    assert (values["tab"], values["at_hour"], values["at_minute"]) == (["daily"], ["0"], ["0"])
    assert re.findall(
        r'<label for="id_tab_\d">.*?<span>(\w+)</span>', response.content.decode()
    ) == [
        "Hourly",
        "Daily",
        "Weekly",
        "Custom",
    ]
    assert "Every day at 00:00, UTC" in text_of(response)
    assert "Current time is 18:22 UTC." in text_of(response)
    assert chosen(response) == ["Once a day"]


@pytest.mark.parametrize(
    ("tab", "fields"),
    [
        ("hourly", ["at_minute"]),
        ("daily", ["at_hour", "at_minute"]),
        ("weekly", ["on_days", "at_hour", "at_minute"]),
        ("custom", ["mode", "period", "weekdays", "hours", "minutes"]),
    ],
)
def test_a_tab_has_just_its_fields(
    editor: Client, orchestration: Orchestration, tab: str, fields: list[str]
) -> None:
    values = WEEKLY | {"tab": tab, "action": "show"}
    body = send(editor, orchestration, "schedule-fields", **values).content.decode()
    seen = re.findall(r'<(?:select|input type="(?:radio|checkbox|text)") name="(\w+)"', body)
    assert list(dict.fromkeys(seen)) == fields


@pytest.mark.parametrize(
    ("values", "cron"),
    [
        ({"tab": "hourly", "shown": "hourly"}, "30 * * * *"),
        ({"tab": "daily", "shown": "daily"}, "30 6 * * *"),
        ({}, "30 6 * * 1,5"),
        ({"on_days": list("0123456")}, "30 6 * * 0,1,2,3,4,5,6"),
    ],
)
def test_each_tab_becomes_its_schedule(
    editor: Client, orchestration: Orchestration, values: dict[str, Any], cron: str
) -> None:
    assert send(editor, orchestration, **WEEKLY | values).status_code == 302
    assert Schedule.objects.get().cron == cron


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"on_days": []}, "on_days", "Choose one day or more."),
        ({"on_days": ["1", "9"]}, "on_days", "Take days of the list."),
        ({"at_hour": "24"}, "at_hour", "Take the hour from the list."),
        ({"at_hour": ""}, "at_hour", "Choose the hour."),
        ({"at_minute": "\0"}, "at_minute", "Take the minute from the list."),
        ({"tab": "yearly"}, "tab", "Take one of the four."),
        ({"tab": ""}, "tab", "This field is required."),
        (
            {"shown": "daily"},
            "tab",
            "These times were not shown before. Look at them, then go on.",
        ),
    ],
)
def test_nonsense_is_told_at_its_field(
    editor: Client, orchestration: Orchestration, values: dict[str, Any], field: str, message: str
) -> None:
    response = send(editor, orchestration, **WEEKLY | {"name": "Kept"} | values)
    assert response.status_code == 422
    assert feedback(response, field) == message
    assert 'value="Kept"' in response.content.decode()
    assert not Schedule.objects.exists()


def test_what_another_tab_would_refuse_is_not_in_the_way(
    editor: Client, orchestration: Orchestration
) -> None:
    kept: dict[str, Any] = {
        "tab": "hourly",
        "shown": "hourly",
        "on_days": [],
        "at_hour": "99",
        "left": "x\0",
    }
    nonsense: dict[str, Any] = {"mode": "magic", "period": "eon", "cron": "61 * *", "hours": ["x"]}
    assert send(editor, orchestration, **WEEKLY | kept | nonsense).status_code == 302
    assert Schedule.objects.get().cron == "30 * * * *"


def test_times_that_were_not_shown_are_shown_first(
    editor: Client, orchestration: Orchestration
) -> None:
    first = send(editor, orchestration, **WEEKLY | {"shown": "daily"})
    assert "Every Monday and Friday at 06:30, UTC" in text_of(first)
    seen: dict[str, Any] = dict(values_posted(first.content.decode()))
    again = send(editor, orchestration, **seen)
    assert again.status_code == 302
    assert Schedule.objects.get().cron == "30 6 * * 1,5"


@pytest.mark.parametrize("target", ["schedule-fields", "schedule-preview"])
def test_the_mark_of_the_ready_made_follows_what_is_chosen(
    editor: Client, orchestration: Orchestration, target: str
) -> None:
    monday = WEEKLY | {"action": "show", "on_days": "1", "at_hour": "0", "at_minute": "0"}
    shown = send(editor, orchestration, target, **monday)
    assert chosen(shown) == ["Once a week"]
    assert 'id="schedule-quick" class="schedule-quick" role="group"' in shown.content.decode()
    assert 'hx-swap-oob="outerHTML"' in shown.content.decode()
    assert chosen(send(editor, orchestration, target, **monday | {"at_hour": "1"})) == []


def test_the_whole_way_there_and_back_keeps_what_was_written(
    editor: Client, orchestration: Orchestration
) -> None:
    schedule = create_schedule(orchestration, cron="0 9 L * *", timezone="UTC", user=None)
    url = reverse("schedule-edit", args=[schedule.pk])

    def shown(response: Any, **changed: Any) -> Any:
        values = values_posted(response.content.decode()) | {"action": "show"} | changed
        return editor.post(url, values)

    custom = editor.get(url)
    assert reverse("schedule-delete", args=[schedule.pk]) in custom.content.decode()
    daily = shown(custom, tab="daily")
    assert "Daily says only a part of the custom schedule." in text_of(daily)
    same = shown(daily, tab="custom")
    assert values_posted(same.content.decode())["cron"] == ["0 9 L * *"]
    changed = shown(shown(daily, at_hour="4"), tab="custom")
    assert values_posted(changed.content.decode())["cron"] == ["0 4 * * *"]
    assert "Custom was before: On the last day of every month at 09:00, UTC." in text_of(changed)
    back = shown(changed, action="take:0 9 L * *")
    assert editor.post(url, values_posted(back.content.decode())).status_code == 302
    schedule.refresh_from_db()
    assert schedule.cron == "0 9 L * *"


def test_quotes_in_what_was_written_break_no_button(
    editor: Client, orchestration: Orchestration
) -> None:
    written = {"tab": "custom", "mode": "cron", "cron": """a "b" 'c' <d>""", "left": "taken"}
    values = WEEKLY | written | {"action": "show"}
    body = send(editor, orchestration, "schedule-fields", **values).content.decode()
    assert r"""hx-vals='{"action": "take:a \u0022b\u0022 \u0027c\u0027 \u003Cd\u003E"}'""" in body
