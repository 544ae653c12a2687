"""The timeline, the forecast behind it, and what the schedule dialog says by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orchestrations.enums import Overlap, RunStatus
from orchestrations.models import Orchestration, Run, Schedule
from orchestrations.services.schedules import create_schedule
from orchestrations.services.timeline import forecast
from tests.builders import make_empty_orchestration, make_run, make_schedule
from tests.pages import client_of, text_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, 12, 10, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HTMX = {"HX-Request": "true", "HX-Target": "schedule-preview"}


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def viewer() -> Client:
    return client_of("Viewer")


def ran(orchestration: Orchestration, minutes: int, *, ago: timedelta = HOUR) -> Run:
    begun = NOW - ago
    return make_run(
        orchestration,
        status=RunStatus.SUCCESS,
        started_at=begun,
        ended_at=begun + minutes * MINUTE,
    )


def scheduled(cron: str, name: str = "Nightly", **fields: object) -> Schedule:
    orchestration = make_empty_orchestration(name=name)
    return create_schedule(orchestration, cron=cron, timezone="UTC", user=None, **fields)  # type: ignore[arg-type]  # by the test


def test_what_was_and_what_is_expected_are_drawn_and_listed(viewer: Client) -> None:
    schedule = scheduled("30 * * * *", overlap=Overlap.SKIP)
    run = ran(schedule.orchestration, 70, ago=5 * HOUR)
    answer = viewer.get("/timeline/?range=day")
    html, text = answer.content.decode(), text_of(answer)

    assert f'href="{run.get_absolute_url()}"' in html
    assert html.count('class="is-expected-runs"') == 8
    assert html.count('class="is-expected-skipped"') == 8
    assert "Takes 1 hr 10 min" in text
    assert "Skipped, since an earlier run has not ended" in text


def test_a_run_that_goes_on_makes_the_next_one_wait() -> None:
    schedule = scheduled("30 * * * *")
    for _ in range(3):
        ran(schedule.orchestration, 40, ago=9 * HOUR)
    make_run(schedule.orchestration, status=RunStatus.PROCESSING, started_at=NOW)

    first, *_ = forecast(NOW, NOW + HOUR).expected
    assert (first.start.at, first.begins_at) == (NOW + 20 * MINUTE, NOW + 40 * MINUTE)
    assert first.ends_at == NOW + 80 * MINUTE


def test_a_run_that_waits_now_is_first_in_line() -> None:
    schedule = scheduled("30 * * * *")
    ran(schedule.orchestration, 40, ago=9 * HOUR)
    make_run(schedule.orchestration, status=RunStatus.WAITING)

    first, *_ = forecast(NOW, NOW + HOUR).expected
    assert (first.start.at, first.begins_at) == (NOW + 20 * MINUTE, NOW + 40 * MINUTE)


def test_what_is_left_of_runs_that_have_not_ended_is_drawn_and_what_ran_is_a_table(
    viewer: Client,
) -> None:
    orchestration = make_empty_orchestration(name="Slow")
    done = ran(orchestration, 40, ago=3 * HOUR)
    goes_on = make_run(
        orchestration, status=RunStatus.PROCESSING, started_at=NOW - 10 * MINUTE, ended_at=None
    )
    waits = make_run(orchestration)
    answer = viewer.get("/timeline/?range=day")
    html, text = answer.content.decode(), text_of(answer)

    assert f"Run {goes_on.pk}: expected Mon 12:10 to Mon 12:40" in html
    assert f"Run {waits.pk}: expected Mon 12:40 to Mon 13:20" in html
    assert "Started Orchestration Run Status Duration" in text
    assert f"Slow {goes_on.pk} Processing" in text
    assert f"Slow {done.pk} Success 40 min" in text


def test_schedules_that_are_off_paused_or_end_start_nothing() -> None:
    scheduled("0 * * * *", enabled=False)
    scheduled("0 * * * *", paused_until=NOW + 2 * HOUR)
    scheduled("0 * * * *", valid_to=NOW + 90 * MINUTE)
    off = scheduled("0 * * * *")
    Orchestration.objects.filter(pk=off.orchestration_id).update(deleted_at=NOW)

    starts = [each.start.at for each in forecast(NOW, NOW + 3 * HOUR).expected]
    assert starts == [NOW + n * MINUTE for n in (50, 170)]


def test_too_much_is_cut_off_and_said(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled("* * * * *")
    found = forecast(NOW, NOW + HOUR, most=10)
    assert (len(found.expected), found.until) == (10, NOW + 11 * MINUTE)

    def little(now: datetime, until: datetime) -> object:
        return forecast(now, until, most=10)

    monkeypatch.setattr("orchestrations.views.timeline.forecast", little)
    assert "only what comes until Mon 2026-06-01 12:21 is forecast" in text_of(
        viewer.get("/timeline/")
    )


def test_a_schedule_that_cannot_be_read_is_named(viewer: Client) -> None:
    make_schedule(NOW + HOUR, cron="61 * * * *")

    assert "cannot be read" in text_of(viewer.get("/timeline/"))


@pytest.mark.parametrize("asked", ["?range=nonsense", "?page=0", "?page=x", "?q=%00", "?page=999"])
def test_nonsense_in_the_address_is_left_out(viewer: Client, asked: str) -> None:
    scheduled("0 * * * *")

    assert viewer.get(f"/timeline/{asked}").status_code == 200


def test_names_are_escaped_and_found(viewer: Client) -> None:
    scheduled("0 * * * *", name="<script>x</script>")
    scheduled("0 * * * *", name="Other")
    html = viewer.get("/timeline/", {"q": "SCRIPT"}).content.decode()

    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "<script>x" not in html
    assert "Other" not in html


def test_it_asks_as_much_for_many_as_for_few(viewer: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert viewer.get("/timeline/").status_code == 200
        return len(found)

    ran(scheduled("0 * * * *").orchestration, 5)
    few = queries()
    for n in range(15):
        ran(scheduled(f"{n} * * * *").orchestration, 5)
    assert queries() == few


def test_the_forecast_by_api(viewer: Client) -> None:
    schedule = scheduled("0 * * * *")
    scheduled("0 * * * *")
    url = f"/api/v1/forecast?hours=2&orchestration={schedule.orchestration_id}"
    found = viewer.get(url).json()

    assert found["until"] == "2026-06-01T14:10:00Z"
    assert [(i["at"], i["schedule"], i["fate"]) for i in found["items"]] == [
        ("2026-06-01T13:00:00Z", schedule.pk, "runs"),
        ("2026-06-01T14:00:00Z", schedule.pk, "runs"),
    ]
    assert viewer.get("/api/v1/forecast?hours=169").status_code == 422


def dialog(orchestration: Orchestration, cron: str, **fields: str) -> str:
    data = {
        "tab": "custom",
        "mode": "cron",
        "cron": cron,
        "timezone": "UTC",
        "shown": "cron",
        "count": "5",
        "action": "show",
        "overlap": "skip",
        **fields,
    }
    url = f"/orchestrations/{orchestration.pk}/schedules/new/"
    answer = client_of("Editor").post(url, data, headers=HTMX)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_dialog_warns_of_what_takes_longer_than_the_time_between() -> None:
    orchestration = make_empty_orchestration()
    for _ in range(3):
        ran(orchestration, 58)
    html = dialog(orchestration, "*/30 * * * *")

    assert "A run usually takes 58 min, and it starts every 30 min: every second slot" in html
    assert 'value="take:0 * * * *"' in html
    assert "every second slot" not in dialog(orchestration, "0 * * * *")


def test_the_dialog_offers_quieter_times_than_those_of_others() -> None:
    orchestration = make_empty_orchestration()
    ran(orchestration, 30)
    busy = scheduled("0 6 * * *", name="Busy")
    ran(busy.orchestration, 45)
    html = dialog(orchestration, "15 6 * * *")

    assert "Other orchestrations run then too." in html
    assert 'value="take:0 0 * * *"' in html
    assert "Other orchestrations run then too." not in dialog(orchestration, "15 9 * * *")


def test_without_history_the_dialog_says_nothing() -> None:
    scheduled("0 6 * * *", name="Busy")
    html = dialog(make_empty_orchestration(), "* * * * *")

    assert "usually takes" not in html
    assert "Quieter" not in html
