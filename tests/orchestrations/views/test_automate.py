"""The Automate dialog as the server answers it: page, modal, preview, and what it makes."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from components.models import Configuration
from orchestrations.models import Orchestration, Schedule
from orchestrations.scheduling import presets
from tests.builders import make_configuration, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 18, 22, tzinfo=UTC)
HTMX = {"HX-Request": "true"}
CUSTOM = {"preset": "custom", "timezone": "UTC", "shown": "picker", "mode": "picker"}


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
def configuration() -> Configuration:
    return make_configuration(name="Sample configuration")


def url_of(configuration: Configuration) -> str:
    return reverse("automate", args=[configuration.pk])


def moments(response: Any) -> list[str]:
    """The next moments as they stand in the list, with whatever is said beside them."""
    items = re.findall(r'<li class="moment[^"]*">(.*?)</li>', response.content.decode(), re.DOTALL)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", item)).strip() for item in items]


def errors(response: Any) -> dict[str, str]:
    """What is said at each field."""
    found = re.findall(
        r'<div id="feedback-(\w+)"[^>]*>(.*?)</div>\s*(?=<|$)', response.content.decode(), re.DOTALL
    )
    said = {name: html.unescape(re.sub(r"<[^>]+>", "", text)).strip() for name, text in found}
    return {name: text for name, text in said.items() if text}


def options(response: Any, name: str) -> list[str]:
    """The chosen values of a select."""
    body = response.content.decode()
    select = re.search(rf'<select name="{name}".*?</select>', body, re.DOTALL)
    return re.findall(r'<option value="([^"]*)" selected', select[0]) if select else []


def ask(page: Client, configuration: Configuration, target: str, **data: Any) -> Any:
    """Ask for a part of the dialog, as htmx does after a change."""
    return page.post(
        url_of(configuration),
        {"action": "show", **data},
        headers=HTMX | {"HX-Target": target},
    )


def test_it_asks_as_the_product_always_did(page: Client, configuration: Configuration) -> None:
    response = page.get(url_of(configuration), headers=HTMX)
    body = response.content.decode()
    text = text_of(response)
    assert "Automate Sample configuration" in text
    assert "You are about to create a single task orchestration with given name and schedule." in (
        text
    )
    assert 'placeholder="Automated Sample configuration"' in body
    assert "Leave blank to use the default name" in text
    labels = re.findall(
        r"<option[^>]*>([^<]*)</option>", body[body.index('name="preset"') :].split("</select>")[0]
    )
    assert labels == [
        "Custom schedule",
        "Every 5 minutes",
        "Every 10 minutes",
        "Twice per hour",
        "Once per hour",
        "Once per 6 hours",
        "Twice a day (5 am, 5 pm)",
        "Once a day (12 pm)",
    ]
    assert options(response, "preset") == ["hourly"]
    assert options(response, "timezone") == ["UTC"]
    assert "Every hour at minute 1, UTC" in text
    assert moments(response) == [
        "Sun 2026-11-22 19:01",
        "Sun 2026-11-22 20:01",
        "Sun 2026-11-22 21:01",
        "Sun 2026-11-22 22:01",
        "Sun 2026-11-22 23:01",
    ]


def test_it_offers_the_viewers_zone_before_all_others(
    page: Client, configuration: Configuration
) -> None:
    page.cookies["tz"] = "Europe/Prague"
    body = page.get(url_of(configuration)).content.decode()
    zones = re.findall(
        r'<option value="([^"]*)"[^>]*>([^<]*)', body[body.index('name="timezone"') :]
    )
    assert zones[:3] == [
        ("UTC", "UTC · 18:22"),
        ("Europe/Prague", "My time zone (Europe/Prague) · 19:22"),
        ("Africa/Abidjan", "Africa/Abidjan · 18:22"),
    ]
    assert [zone for zone, _ in zones].count("Europe/Prague") == 1


def test_it_is_a_page_of_its_own_and_a_modal(page: Client, configuration: Configuration) -> None:
    full = page.get(url_of(configuration))
    part = page.get(url_of(configuration), headers=HTMX)
    assert full.content.startswith(b"<!doctype html>")
    assert part.content.lstrip().startswith(b'<form id="automate-form"')
    assert "HX-Request" in full["Vary"]


@pytest.mark.parametrize(
    "preset", [p for p in presets.PRESETS if p.expression], ids=lambda p: p.key
)
def test_each_preset_becomes_its_schedule(
    page: Client, configuration: Configuration, preset: presets.Preset
) -> None:
    page.post(url_of(configuration), {"preset": preset.key, "timezone": "Europe/Prague"})
    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.timezone) == (preset.expression, "Europe/Prague")


def test_it_makes_an_ordinary_orchestration(
    page: Client, configuration: Configuration, editor: User
) -> None:
    response = page.post(
        url_of(configuration), {"name": "", "preset": "daily", "timezone": "UTC"}, headers=HTMX
    )
    orchestration = Orchestration.objects.get()
    phase = orchestration.phases.get()
    schedule = orchestration.schedules.get()
    assert orchestration.name == "Automated Sample configuration"
    assert orchestration.created_by == editor
    assert phase.tasks.get().configuration == configuration
    assert schedule.next_fire_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert response.status_code == 204
    events = json.loads(response["HX-Trigger"])
    assert events["toast"] == {
        "message": "Sample configuration has been automated.",
        "level": "success",
        "url": orchestration.get_absolute_url(),
        "label": "Open the orchestration",
    }
    assert {"closeModal", "orchestrationsChanged"} <= set(events)


def test_without_javascript_it_leads_back_with_the_message(
    page: Client, configuration: Configuration
) -> None:
    response = page.post(url_of(configuration), {"preset": "hourly", "timezone": "UTC"})
    assert response.status_code == 302
    assert response["Location"] == configuration.get_absolute_url()
    shown = html.unescape(page.get(reverse("automate", args=[configuration.pk])).content.decode())
    assert "Sample configuration has been automated." in shown
    assert Orchestration.objects.get().get_absolute_url() in shown


def test_a_given_name_is_used(page: Client, configuration: Configuration) -> None:
    page.post(
        url_of(configuration),
        {"name": "  Update currency rates ", "preset": "daily", "timezone": "UTC"},
    )
    assert Orchestration.objects.get().name == "Update currency rates"


@pytest.mark.parametrize(
    ("picked", "cron"),
    [
        ({"period": "hour"}, "* * * * *"),
        ({"period": "hour", "minutes": ["30", "0"]}, "0,30 * * * *"),
        ({"period": "day", "hours": ["0"], "minutes": ["0"]}, "0 0 * * *"),
        (
            {"period": "week", "weekdays": ["0", "1"], "hours": ["6"], "minutes": ["5"]},
            "5 6 * * 0,1",
        ),
        ({"period": "month", "days": ["31"], "hours": ["1"], "minutes": ["2"]}, "2 1 31 * *"),
        (
            {"period": "year", "days": ["29"], "months": ["2"], "hours": ["3"], "minutes": ["4"]},
            "4 3 29 2 *",
        ),
        # What the period has not is not used, even where it was sent.
        ({"period": "hour", "hours": ["5"], "days": ["3"], "minutes": ["7"]}, "7 * * * *"),
    ],
)
def test_each_period_becomes_its_expression(
    page: Client, configuration: Configuration, picked: dict[str, Any], cron: str
) -> None:
    response = page.post(url_of(configuration), CUSTOM | picked)
    assert response.status_code == 302
    assert Schedule.objects.get().cron == cron


def test_a_typed_expression_is_stored_as_it_is_understood(
    page: Client, configuration: Configuration
) -> None:
    page.post(
        url_of(configuration),
        CUSTOM | {"mode": "cron", "shown": "cron", "cron": " 0   9 * * MON-fri "},
    )
    assert Schedule.objects.get().cron == "0 9 * * 1-5"


LONG = "x" * 201
NONSENSE: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("long name", {"name": LONG}, {"name": "Use 200 characters or fewer."}),
    ("null in name", {"name": "a\0b"}, {"name": "Null characters are not allowed."}),
    ("no preset", {"preset": ""}, {"preset": "This field is required."}),
    ("preset", {"preset": "yearly"}, {"preset": "Take one of the listed schedules."}),
    (
        "zone",
        {"timezone": "Mars/Base"},
        {"timezone": "This is not a time zone; take one such as Europe/Prague."},
    ),
    ("zone path", {"timezone": "../../etc/passwd"}, {"timezone": "This is not a time zone"}),
    ("zone null", {"timezone": "UTC\0"}, {"timezone": "This is not a time zone"}),
    ("mode", CUSTOM | {"mode": "magic"}, {"mode": "Take one of the three."}),
    ("period", CUSTOM | {"period": "eon"}, {"period": "Take one of the listed periods."}),
    ("minute", CUSTOM | {"minutes": ["60"]}, {"minutes": "Take values from the list only."}),
    ("hour", CUSTOM | {"hours": ["-1"]}, {"hours": "Take values from the list only."}),
    (
        "weekday",
        CUSTOM | {"period": "week", "weekdays": ["x\0"]},
        {"weekdays": "Take values from the list only."},
    ),
    (
        "day",
        CUSTOM | {"period": "month", "days": ["9" * 5000]},
        {"days": "Take values from the list only."},
    ),
    (
        "month",
        CUSTOM | {"period": "year", "months": ["0"]},
        {"months": "Take values from the list only."},
    ),
    (
        "impossible date",
        CUSTOM | {"period": "year", "days": ["30"], "months": ["2"]},
        {"days": "None of the chosen months has such a day, so this would never run."},
    ),
    (
        "empty expression",
        CUSTOM | {"mode": "cron", "shown": "cron"},
        {"cron": "Write a cron expression, for example 30 6 * * 1-5."},
    ),
    (
        "minute in expression",
        CUSTOM | {"mode": "cron", "shown": "cron", "cron": "61 * * * *"},
        {"cron": "61 is not a minute, use 0 to 59."},
    ),
    (
        "six fields",
        CUSTOM | {"mode": "cron", "shown": "cron", "cron": "0 0 * * * *"},
        {"cron": "The cron expression has 6 fields, it needs 5"},
    ),
    (
        "30 February",
        CUSTOM | {"mode": "cron", "shown": "cron", "cron": "0 0 30 2 *"},
        {"cron": "None of the chosen months has such a day"},
    ),
    (
        "long expression",
        CUSTOM | {"mode": "cron", "shown": "cron", "cron": "1," * 400},
        {"cron": "Use 500 characters or fewer."},
    ),
    (
        "null in expression",
        CUSTOM | {"mode": "cron", "shown": "cron", "cron": "* *\0* * *"},
        {"cron": "Null characters are not allowed."},
    ),
    (
        "unicode in expression",
        CUSTOM | {"mode": "cron", "shown": "cron", "cron": "٣ * * * *"},
        {"cron": "The cron expression may contain only plain letters"},
    ),
]


@pytest.mark.parametrize(
    ("sent", "expected"), [n[1:] for n in NONSENSE], ids=[n[0] for n in NONSENSE]
)
def test_nonsense_is_refused_at_its_field(
    page: Client, configuration: Configuration, sent: dict[str, Any], expected: dict[str, str]
) -> None:
    good = {"name": "Kept", "preset": "hourly", "timezone": "UTC"}
    response = page.post(url_of(configuration), good | sent, headers=HTMX)
    said = errors(response)
    assert response.status_code == 422
    assert list(said) == list(expected)
    assert all(said[field].startswith(text) for field, text in expected.items())
    assert Orchestration.objects.count() == 0
    assert response.content.lstrip().startswith(b'<form id="automate-form"')
    if "name" not in sent:
        assert 'value="Kept"' in response.content.decode()


def test_an_invalid_expression_is_kept_as_typed(page: Client, configuration: Configuration) -> None:
    sent = CUSTOM | {"mode": "cron", "shown": "cron", "cron": "61 * <b> * *"}
    response = page.post(url_of(configuration), sent, headers=HTMX)
    assert 'value="61 * &lt;b&gt; * *"' in response.content.decode()
    assert options(response, "preset") == ["custom"]


def test_chosen_chips_are_kept_beside_an_error(page: Client, configuration: Configuration) -> None:
    sent = CUSTOM | {"name": LONG, "period": "week", "weekdays": ["1", "5"], "hours": ["6"]}
    response = page.post(url_of(configuration), sent, headers=HTMX)
    assert options(response, "period") == ["week"]
    assert options(response, "weekdays") == ["1", "5"]
    assert options(response, "hours") == ["6"]


def test_a_schedule_that_never_comes_in_its_zone_is_refused(
    page: Client, configuration: Configuration
) -> None:
    # The last Sunday of March: there the hour from 02:00 is skipped, and a wildcard skips with it.
    never = CUSTOM | {"mode": "cron", "shown": "cron", "cron": "*/30 2 * 3 0L"}
    assert len(moments(ask(page, configuration, "schedule-preview", **never))) == 5
    response = page.post(url_of(configuration), never | {"timezone": "Europe/Prague"}, headers=HTMX)
    assert (response.status_code, moments(response)) == (422, [])
    assert errors(response) == {
        "cron": "This never runs in Europe/Prague: its clock skips that time. Choose another one."
    }


def test_custom_unfolds_the_picker_as_it_always_began(
    page: Client, configuration: Configuration
) -> None:
    fresh = {"preset": "custom", "timezone": "UTC", "shown": "", "period": "day"}
    response = ask(page, configuration, "schedule-fields", **fresh, hours="0", minutes="0")
    body = response.content.decode()
    assert body.lstrip().startswith('<div id="schedule-fields">')
    assert options(response, "period") == ["day"]
    assert options(response, "hours") == ["0"]
    assert options(response, "minutes") == ["0"]
    assert "Hours UTC (Current time is 18:22 UTC)" in text_of(response)
    assert "Every day at 00:00, UTC" in text_of(response)
    assert moments(response)[0] == "Mon 2026-11-23 00:00"


@pytest.mark.parametrize(
    ("period", "fields"),
    [
        ("hour", [("minutes", "-- Every Minute --")]),
        ("day", [("hours", "-- Every Hour --"), ("minutes", "-- Every Minute --")]),
        (
            "week",
            [
                ("weekdays", "-- Every Week Day --"),
                ("hours", "-- Every Hour --"),
                ("minutes", "-- Every Minute --"),
            ],
        ),
        (
            "month",
            [
                ("days", "-- Every Day --"),
                ("hours", "-- Every Hour --"),
                ("minutes", "-- Every Minute --"),
            ],
        ),
        (
            "year",
            [
                ("days", "-- Every Day --"),
                ("months", "-- Every Month --"),
                ("hours", "-- Every Hour --"),
                ("minutes", "-- Every Minute --"),
            ],
        ),
    ],
)
def test_a_period_has_just_its_fields(
    page: Client, configuration: Configuration, period: str, fields: list[tuple[str, str]]
) -> None:
    response = ask(page, configuration, "schedule-fields", **CUSTOM | {"period": period})
    shown = re.findall(
        r'<select name="(\w+)"[^>]*data-placeholder="([^"]*)"', response.content.decode()
    )
    assert shown == fields


def test_changing_the_period_clears_what_it_lacks(
    page: Client, configuration: Configuration
) -> None:
    week = CUSTOM | {"period": "week", "weekdays": ["1"], "hours": ["6"], "minutes": ["5"]}
    day = ask(page, configuration, "schedule-fields", **week | {"period": "day"})
    assert 'name="weekdays"' not in day.content.decode()
    assert (options(day, "hours"), options(day, "minutes")) == (["6"], ["5"])
    assert "Every day at 06:05, UTC" in text_of(day)


def test_a_preset_keeps_what_was_picked_for_later(
    page: Client, configuration: Configuration
) -> None:
    picked = CUSTOM | {"period": "week", "weekdays": ["1", "3"], "hours": ["6"]}
    preset = ask(page, configuration, "schedule-fields", **picked | {"preset": "daily"})
    kept = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', preset.content.decode())
    back: dict[str, Any] = {"preset": "custom", "timezone": "UTC"}
    for name, value in kept:
        back.setdefault(name, []).append(value)
    custom = ask(page, configuration, "schedule-fields", **back)
    assert options(custom, "period") == ["week"]
    assert options(custom, "weekdays") == ["1", "3"]
    assert options(custom, "hours") == ["6"]


def test_switching_to_the_expression_keeps_the_schedule(
    page: Client, configuration: Configuration
) -> None:
    picked = CUSTOM | {"period": "week", "weekdays": ["1", "5"], "hours": ["6"], "minutes": ["30"]}
    response = ask(page, configuration, "schedule-fields", **picked | {"mode": "cron"})
    assert 'value="30 6 * * 1,5"' in response.content.decode()
    assert "Every Monday and Friday at 06:30, UTC" in text_of(response)


def test_switching_to_the_picker_keeps_the_schedule(
    page: Client, configuration: Configuration
) -> None:
    typed = CUSTOM | {"shown": "cron", "cron": "15 8 1-3 * *"}
    response = ask(page, configuration, "schedule-fields", **typed)
    assert options(response, "period") == ["month"]
    assert options(response, "days") == ["1", "2", "3"]
    assert (options(response, "hours"), options(response, "minutes")) == (["8"], ["15"])


@pytest.mark.parametrize("cron", ["0 */6 * * *", "*/15 9-17 * * *", "0 0 L * *", "0 0 1 1 1"])
def test_an_expression_that_the_picker_cannot_show_stays(
    page: Client, configuration: Configuration, cron: str
) -> None:
    response = ask(
        page, configuration, "schedule-fields", **CUSTOM | {"shown": "cron", "cron": cron}
    )
    assert f'value="{cron}"' in response.content.decode()
    assert "cannot show this schedule, so it stays a cron expression" in text_of(response)
    assert 'name="period" id' not in response.content.decode().replace('type="hidden"', "")
    assert len(moments(response)) == 5


def test_a_wrong_expression_stays_with_its_error(
    page: Client, configuration: Configuration
) -> None:
    response = ask(
        page, configuration, "schedule-fields", **CUSTOM | {"shown": "cron", "cron": "x * * * *"}
    )
    assert 'value="x * * * *"' in response.content.decode()
    assert list(errors(response)) == ["cron"]


def test_a_switched_mode_counts_when_it_is_sent_at_once(
    page: Client, configuration: Configuration
) -> None:
    page.post(url_of(configuration), CUSTOM | {"mode": "cron", "period": "hour", "minutes": ["7"]})
    assert Schedule.objects.get().cron == "7 * * * *"


def test_a_custom_schedule_is_not_made_before_it_was_seen(
    page: Client, configuration: Configuration
) -> None:
    unseen = {"preset": "custom", "timezone": "UTC", "shown": "", "mode": "picker"}
    response = page.post(url_of(configuration), unseen)
    assert response.status_code == 422
    assert errors(response) == {"preset": "Choose the times of the custom schedule, then go on."}
    assert 'data-placeholder="-- Every Hour --"' in response.content.decode()
    assert Orchestration.objects.count() == 0


def test_the_preview_comes_alone_with_the_errors_of_the_fields(
    page: Client, configuration: Configuration
) -> None:
    wrong = CUSTOM | {"mode": "cron", "shown": "cron", "cron": "61 * * * *"}
    response = ask(page, configuration, "schedule-preview", **wrong)
    body = response.content.decode()
    assert response.status_code == 200
    assert body.lstrip().startswith('<section id="schedule-preview"')
    assert 'name="cron"' not in body
    assert 'id="feedback-cron" class="invalid-feedback d-block" hx-swap-oob="true"' in body
    assert errors(response)["cron"].startswith("61 is not a minute")
    mended = ask(page, configuration, "schedule-preview", **wrong | {"cron": "1 * * * *"})
    assert 'id="feedback-cron" class="invalid-feedback d-block" hx-swap-oob="true"></div>' in (
        mended.content.decode()
    )
    assert len(moments(mended)) == 5


@pytest.mark.parametrize("target", ["schedule-fields", "schedule-preview"])
def test_what_is_swapped_in_posts_to_the_dialog(
    page: Client, configuration: Configuration, target: str
) -> None:
    for mode in ("picker", "cron"):
        sent = CUSTOM | {"mode": mode, "shown": mode, "cron": "* * * * *"}
        body = ask(page, configuration, target, **sent).content.decode()
        assert set(re.findall(r'hx-post="([^"]*)"', body)) == (
            {url_of(configuration)} if target == "schedule-fields" else set()
        )


def test_the_preview_shows_both_zones(page: Client, configuration: Configuration) -> None:
    page.cookies["tz"] = "Europe/Prague"
    response = ask(
        page, configuration, "schedule-preview", preset="daily", timezone="America/New_York"
    )
    assert moments(response)[0] == "Mon 2026-11-23 18:00 Mon 2026-11-23 12:00 America/New_York"
    assert "Every day at 12:00, America/New_York" in text_of(response)
    same = ask(page, configuration, "schedule-preview", preset="daily", timezone="Europe/Prague")
    assert moments(same)[0] == "Mon 2026-11-23 12:00"


def test_the_preview_says_what_the_clock_does(page: Client, configuration: Configuration) -> None:
    spring = CUSTOM | {"period": "year", "days": ["28"], "months": ["3"], "hours": ["2"]}
    gap = ask(
        page,
        configuration,
        "schedule-preview",
        **spring | {"minutes": ["30"], "timezone": "Europe/Prague"},
    )
    assert moments(gap)[0] == (
        "Sun 2027-03-28 01:00 Sun 2027-03-28 03:00 Europe/Prague "
        "02:30 does not exist on 28 March 2027, runs at 03:00"
    )
    autumn = spring | {"days": ["31"], "months": ["10"], "minutes": ["30"]}
    fold = ask(page, configuration, "schedule-preview", **autumn | {"timezone": "Europe/Prague"})
    assert moments(fold)[0].endswith("02:30 comes twice on 31 October 2027, runs at the first")
    both = ask(
        page,
        configuration,
        "schedule-preview",
        **CUSTOM
        | {"mode": "cron", "shown": "cron", "cron": "*/30 2 31 10 *", "timezone": "Europe/Prague"},
    )
    assert [m.rsplit(", ", 2)[1:] for m in moments(both)[:4]] == [
        ["runs at both", "this is the first"],
        ["runs at both", "this is the first"],
        ["runs at both", "this is the second"],
        ["runs at both", "this is the second"],
    ]


def test_the_current_time_is_that_of_the_chosen_zone(
    page: Client, configuration: Configuration
) -> None:
    response = ask(
        page, configuration, "schedule-fields", **CUSTOM | {"timezone": "Asia/Kathmandu"}
    )
    assert "Hours Asia/Kathmandu (Current time is 00:07 Asia/Kathmandu)" in text_of(response)


def test_the_buttons_without_javascript_show_the_whole_page(
    page: Client, configuration: Configuration
) -> None:
    asked = {"action": "show", "name": "Mine", "preset": "custom", "timezone": "UTC", "shown": ""}
    response = page.post(url_of(configuration), asked)
    assert response.status_code == 200
    assert response.content.startswith(b"<!doctype html>")
    assert 'value="Mine"' in response.content.decode()
    assert 'data-placeholder="-- Every Hour --"' in response.content.decode()
    assert Orchestration.objects.count() == 0


@pytest.mark.parametrize(
    ("role", "status"),
    [("Viewer", 403), ("Operator", 403), ("Editor", 200), ("Admin", 200), ("", 403)],
)
def test_only_editors_automate(
    client: Client, configuration: Configuration, role: str, status: int
) -> None:
    client.force_login(make_user(role=role or None))
    assert client.get(url_of(configuration)).status_code == status
    posted = client.post(url_of(configuration), {"preset": "hourly", "timezone": "UTC"})
    assert posted.status_code == (302 if status == 200 else 403)
    assert Orchestration.objects.count() == (1 if status == 200 else 0)


def test_it_needs_a_login(client: Client, configuration: Configuration) -> None:
    response = client.get(url_of(configuration))
    assert response["Location"] == f"{reverse('login')}?next={url_of(configuration)}"
    assert client.post(url_of(configuration), {"preset": "hourly"}).status_code == 302
    assert Orchestration.objects.count() == 0


def test_what_is_not_there_is_404(page: Client, configuration: Configuration) -> None:
    assert page.get(reverse("automate", args=[configuration.pk + 1])).status_code == 404
    Configuration.objects.update(deleted_at=NOW)
    assert page.get(url_of(configuration)).status_code == 404
    assert page.post(url_of(configuration), {"preset": "hourly"}).status_code == 404
    assert Orchestration.objects.count() == 0


def test_it_refuses_other_methods(page: Client, configuration: Configuration) -> None:
    assert page.put(url_of(configuration)).status_code == 405


def test_a_long_name_and_unicode_hold(page: Client) -> None:
    configuration = make_configuration(name="Ž<i>" * 50)
    page.post(url_of(configuration), {"preset": "hourly", "timezone": "UTC"})
    assert Orchestration.objects.get().name == f"Automated {configuration.name}"[:200]
    assert "Ž&lt;i&gt;" in page.get(url_of(configuration)).content.decode()
