"""The schedule dialog besides its times: quick choices, intervals, policies, clock changes."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from orchestrations.exceptions import NotAllowed
from orchestrations.forms.schedules import ScheduleForm
from orchestrations.models import Calendar, Orchestration, Schedule
from orchestrations.services.schedules import create_schedule
from orchestrator_site.lib import cron as crons
from tests.builders import make_empty_orchestration, make_user
from tests.pages import values_posted

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 18, 22, tzinfo=UTC)
CUSTOM = {"tab": "custom", "timezone": "Europe/Prague", "shown": "cron", "mode": "cron"}


@pytest.fixture(autouse=True)
def _at_a_fixed_time() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def page(client: Client) -> Client:
    client.force_login(make_user(role="Editor"))
    return client


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


def show(page: Client, orchestration: Orchestration, **values: Any) -> str:
    url = reverse("schedule-new", args=[orchestration.pk])
    return page.post(url, {"action": "show", **values}).content.decode()


def text_of(body: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("Every 15 minutes", "Every 15 minutes, UTC"),
        ("Every hour", "Every hour on the hour, UTC"),
        ("Once a day", "Every day at 00:00, UTC"),
        ("Once a week", "Every Monday at 00:00, UTC"),
        ("End of month", "On the last day of every month at 00:00, UTC"),
    ],
)
def test_a_quick_choice_puts_a_schedule_in(
    page: Client, orchestration: Orchestration, label: str, words: str
) -> None:
    body = page.get(reverse("schedule-new", args=[orchestration.pk])).content.decode()
    found = re.search(rf'name="action" value="([^"]+)"[^>]*>{label}</button>', body)
    assert found is not None
    shown = show(page, orchestration, **values_posted(body) | {"action": html.unescape(found[1])})
    assert f'<p class="schedule-words">{words}</p>' in shown
    sent = page.post(reverse("schedule-new", args=[orchestration.pk]), values_posted(shown))
    assert sent.status_code == 302
    wanted = crons.parse(html.unescape(found[1]).removeprefix("take:"))
    assert wanted.fires_like(crons.parse(Schedule.objects.get().cron))


def test_an_interval_is_chosen_by_its_fields(page: Client, orchestration: Orchestration) -> None:
    interval = {
        "tab": "custom",
        "timezone": "Europe/Prague",
        "shown": "every",
        "mode": "every",
        "every_count": "7",
        "every_unit": "minutes",
        "every_from": "2026-11-22T19:30",
    }
    body = show(page, orchestration, **interval)
    assert "Every 7 minutes from 22 November 2026 19:30, Europe/Prague" in body
    sent = page.post(reverse("schedule-new", args=[orchestration.pk]), interval)
    assert sent.status_code == 302
    assert Schedule.objects.get().cron == "@every 7 minutes from 2026-11-22 19:30"
    again = page.get(reverse("schedule-edit", args=[Schedule.objects.get().pk])).content.decode()
    kept = values_posted(again)
    assert (kept["mode"], kept["every_count"], kept["every_unit"]) == (
        ["every"],
        ["7"],
        ["minutes"],
    )
    assert kept["every_from"] == ["2026-11-22T19:30"]


WHOLE, BEGIN = "Use a whole number from 1 to 999999.", "Choose the date and time to count from."


@pytest.mark.parametrize(
    ("count", "begins", "messages"),
    [
        ("0", "2026-11-22T19:30", [WHOLE]),
        ("x", "2026-11-22T19:30", [WHOLE]),
        ("1.5", "2026-11-22T19:30", [WHOLE]),
        ("-5", "2026-11-22T19:30", [WHOLE]),
        ("", "", [WHOLE, BEGIN]),
        ("5", "soon", [BEGIN]),
        (
            "999999",
            "2026-11-22T19:30",
            ["Every 999999 minutes is not possible, use more than 0 and up to 366 days."],
        ),
    ],
)
def test_a_wrong_interval_keeps_what_was_typed_and_says_what_is_wrong_at_its_field(
    page: Client, orchestration: Orchestration, count: str, begins: str, messages: list[str]
) -> None:
    values = {
        "tab": "custom",
        "shown": "every",
        "mode": "every",
        "every_count": count,
        "every_unit": "minutes",
        "every_from": begins,
        "timezone": "UTC",
    }
    sent = page.post(reverse("schedule-new", args=[orchestration.pk]), values)
    assert sent.status_code == 422
    body = sent.content.decode()
    shown = re.findall(r'id="feedback-(\w+)"[^>]*>(?:<div>([^<]*)</div>)+', body)
    assert [html.unescape(text) for _, text in shown] == messages
    assert values_posted(body)["every_count"] == [count]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("a b = 1", "“a b”: A name is a letter and then letters, digits, _, - or ."),
        ("é = 1", "“é”: A name is a letter"),
        (f"x = {'y' * 10_001}", "“x”: Use a text of 10000 characters or fewer."),
        ("x = 1\nx = 2", "“x” is there twice; keep one of them."),
        ("nothing", "“nothing” is no variable: name = value."),
    ],
)
def test_a_wrong_variable_is_said(
    page: Client, orchestration: Orchestration, variables: str, message: str
) -> None:
    values = {**CUSTOM, "cron": "0 5 * * *", "variables": variables}
    sent = page.post(reverse("schedule-new", args=[orchestration.pk]), values)
    assert sent.status_code == 422
    body = sent.content.decode()
    assert message in text_of(body)
    assert '<details id="schedule-options" class="schedule-options" open>' in body


@pytest.mark.parametrize("field", ["valid_from", "valid_to", "paused_until"])
@pytest.mark.parametrize("year", ["0001", "1969", "3000", "9999"])
def test_a_year_far_away_is_refused(
    page: Client, orchestration: Orchestration, field: str, year: str
) -> None:
    values = {**CUSTOM, "cron": "0 5 * * *", field: f"{year}-01-01T00:00"}
    sent = page.post(reverse("schedule-new", args=[orchestration.pk]), values)
    assert sent.status_code == 422
    assert "Use a year from 1970 to 2999." in text_of(sent.content.decode())


def test_what_is_wrong_with_the_whole_is_said_above_it(
    page: Client, orchestration: Orchestration
) -> None:
    """Such as: somebody removed it meanwhile."""
    schedule = create_schedule(orchestration, cron="0 5 * * *", timezone="UTC", user=None)
    url = reverse("schedule-edit", args=[schedule.pk])
    form = ScheduleForm(
        QueryDict("cron=0+5+*+*+*&tab=custom&mode=cron&shown=cron&timezone=UTC"),
        orchestration=orchestration,
        schedule=schedule,
        viewer_zone="UTC",
    )
    form.is_valid()
    form.refuse(NotAllowed("This schedule was removed meanwhile."))
    body = render_to_string("orchestrations/_schedule_timing.html", {"form": form, "url": url})
    assert "This schedule was removed meanwhile." in text_of(body)


def test_the_zone_of_the_dates_and_what_is_set_follow_what_is_chosen(
    page: Client, orchestration: Orchestration
) -> None:
    url = reverse("schedule-new", args=[orchestration.pk])
    for target in ("schedule-fields", "schedule-preview"):
        values = {"action": "show", **CUSTOM, "cron": "0 5 * * *", "overlap": "skip"}
        part = page.post(
            url, values, headers={"HX-Request": "true", "HX-Target": target}
        ).content.decode()
        zone = re.search(r'id="schedule-options-zone"[^>]*hx-swap-oob="true">([^<]*)<', part)
        said = re.search(r'id="schedule-options-summary" hx-swap-oob="true">([^<]*)<', part)
        assert zone is not None
        assert zone[1] == "Dates and times are those of Europe/Prague."
        assert said is not None
        assert said[1] == "Set: while a run is unfinished"


def test_a_step_that_is_no_interval_offers_one(page: Client, orchestration: Orchestration) -> None:
    body = show(page, orchestration, **CUSTOM, cron="*/7 * * * *")
    assert "after minute 56 it waits 4 min, not 7." in text_of(body)
    taken = re.search(r'name="action" value="(take:[^"]+)"[^>]*>Run every 7 minutes instead', body)
    assert taken is not None
    assert taken[1] == "take:@every 7 minutes from 2026-11-22 19:25"
    after = show(page, orchestration, **values_posted(body) | {"action": taken[1]})
    assert values_posted(after)["mode"] == ["every"]
    assert "Every 7 minutes from 22 November 2026 19:25" in after


def test_a_mode_carries_the_schedule_along(page: Client, orchestration: Orchestration) -> None:
    body = show(page, orchestration, **CUSTOM, cron="*/7 * * * *")
    as_interval = show(page, orchestration, **values_posted(body) | {"mode": "every"})
    assert values_posted(as_interval)["every_count"] == ["7"]
    as_cron = show(page, orchestration, **values_posted(as_interval) | {"mode": "cron"})
    assert values_posted(as_cron)["cron"] == ["@every 7 minutes from 2026-11-22 19:25"]
    as_picker = show(page, orchestration, **values_posted(as_cron) | {"mode": "picker"})
    assert values_posted(as_picker)["mode"] == ["cron"]
    assert "cannot show this schedule, so it stays a cron expression" in as_picker


def test_the_next_clock_changes_are_told(page: Client, orchestration: Orchestration) -> None:
    body = text_of(show(page, orchestration, **CUSTOM, cron="30 2 * * *"))
    assert "28 March 2027: the clock goes forward from 02:00 to 03:00" in body
    assert "02:30 does not exist on 28 March 2027, runs at 03:00." in body
    skipped = show(page, orchestration, **CUSTOM, cron="30 2 * * *", gap="skip")
    assert "02:30 does not exist on 28 March 2027 and is skipped." in text_of(skipped)
    assert "Next clock changes" not in show(
        page, orchestration, **CUSTOM | {"timezone": "UTC"}, cron="30 2 * * *"
    )


def test_held_moments_are_shown_with_the_reason(page: Client, orchestration: Orchestration) -> None:
    calendar = Calendar.objects.create(name="Weekends", weekdays=[5, 6])
    body = show(
        page, orchestration, **CUSTOM, cron="0 6 * * *", calendar=calendar.pk, action="count-20"
    )
    assert body.count('class="moment is-normal is-held"') == 5
    assert text_of(body).count("Held by calendar Weekends: Saturday") == 3


OPTIONS = {
    "overlap": "skip",
    "misfire": "all",
    "misfire_limit": "3",
    "misfire_window": "90",
    "gap": "skip",
    "repeat": "both",
    "on_held": "move",
    "ready": "ready",
    "confidence": "95",
    "valid_from": "2026-12-01T00:00",
    "valid_to": "2027-12-01T00:00",
    "paused_until": "2026-12-24T06:00",
    "variables": "region = EU\nday=today",
}


def test_all_options_arrive_and_come_back(page: Client, orchestration: Orchestration) -> None:
    calendar = Calendar.objects.create(name="Weekends", weekdays=[5, 6])
    sent = page.post(
        reverse("schedule-new", args=[orchestration.pk]),
        {**CUSTOM, "cron": "0 7 * * *", **OPTIONS, "calendar": calendar.pk},
    )
    assert sent.status_code == 302
    found = Schedule.objects.get()
    assert (found.overlap, found.misfire, found.misfire_limit, found.misfire_window) == (
        *("skip", "all", 3, 90),
    )
    assert (found.gap, found.repeat, found.calendar, found.on_held, found.confidence) == (
        *("skip", "both", calendar, "move", 95),
    )
    assert found.valid_from == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert found.paused_until == datetime(2026, 12, 24, 5, tzinfo=UTC)
    assert found.variables == {"region": "EU", "day": "today"}
    body = page.get(reverse("schedule-edit", args=[found.pk])).content.decode()
    assert '<details id="schedule-options" class="schedule-options" open>' in body
    shown = values_posted(body)
    assert {name: shown[name] for name in OPTIONS if name != "variables"} == {
        name: [value] for name, value in OPTIONS.items() if name != "variables"
    }
    version = orchestration.versions.latest("number").number
    assert page.post(reverse("schedule-edit", args=[found.pk]), shown).status_code == 302
    assert orchestration.versions.latest("number").number == version


def test_seconds_that_nobody_typed_are_kept(page: Client, orchestration: Orchestration) -> None:
    moment = datetime(2027, 1, 1, 12, 0, 30, 5, tzinfo=UTC)
    schedule = create_schedule(
        orchestration, cron="0 7 * * *", timezone="UTC", user=None, valid_to=moment
    )
    body = page.get(reverse("schedule-edit", args=[schedule.pk])).content.decode()
    page.post(reverse("schedule-edit", args=[schedule.pk]), values_posted(body))
    schedule.refresh_from_db()
    assert schedule.valid_to == moment


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"misfire_limit": "0"}, "This takes a whole number from 1 to 100."),
        ({"misfire_window": "x"}, "This takes a whole number from 1 to 527040."),
        ({"ready": "ready", "confidence": ""}, "Say how sure it must be, such as 90."),
        ({"ready": "ready", "confidence": "100"}, "This takes a whole number from 50 to 99."),
        ({"overlap": "x"}, "Take one of the list."),
        ({"calendar": "999"}, "This calendar was removed meanwhile."),
        ({"valid_from": "soon"}, "“soon” is no date and time, write it as 2026-12-24 06:00."),
        (
            {"valid_from": "2027-01-02T00:00", "valid_to": "2027-01-01T00:00"},
            "The end must come after the beginning.",
        ),
        ({"variables": "region"}, "“region” is no variable: name = value."),
    ],
)
def test_a_wrong_option_is_told_at_its_field(
    page: Client, orchestration: Orchestration, wrong: dict[str, str], message: str
) -> None:
    values = {**CUSTOM, "cron": "0 7 * * *", **wrong}
    sent = page.post(reverse("schedule-new", args=[orchestration.pk]), values)
    assert sent.status_code == 422
    body = html.unescape(sent.content.decode())
    assert message in body
    assert 'class="schedule-options" open>' in body
    assert not Schedule.objects.exists()


def test_what_must_be_ready_shows_when_it_starts(
    page: Client, orchestration: Orchestration
) -> None:
    body = show(page, orchestration, **CUSTOM, cron="0 7 * * *", ready="ready", confidence="90")
    assert "starts 1 hr before" in text_of(body)
