"""The tab Slots of an orchestration, the page of one schedule, and both as CSV and by API."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from django.test import Client

from orchestrations.models import Orchestration, Schedule, Slot
from orchestrations.templatetags.slots import slot_summary, with_runs
from tests.builders import make_empty_orchestration, make_run, make_schedule
from tests.pages import text_of, viewer

__all__ = ["viewer"]
pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


@pytest.fixture
def schedule(orchestration: Orchestration) -> Schedule:
    return make_schedule(None, orchestration=orchestration, name="Mornings")


def slot(schedule: Schedule, hours: float, outcome: str = "fired", reason: str = "") -> Slot:
    return Slot.objects.create(
        schedule=schedule, due_at=NOON + hours * HOUR, outcome=outcome, reason=reason
    )


def tab(client: Client, orchestration: Orchestration, **asked: str) -> str:
    answer = client.get(orchestration.get_absolute_url(), {"tab": "slots", **asked})
    assert answer.status_code == 200
    return answer.content.decode().split('<section id="slot-ledger"')[1].split("</section>")[0]


def test_the_tab_shows_strip_counts_and_table(
    viewer: Client, orchestration: Orchestration, schedule: Schedule
) -> None:
    run = make_run(orchestration)
    one = slot(schedule, 0)
    one.run = run
    one.save()
    slot(schedule, 1, "skipped", f"Run {run.pk} had not ended.")
    html = tab(viewer, orchestration)

    assert html.count("<rect") == 2
    assert 'aria-label="The last 2 moments, oldest first: 1 fired, 1 skipped: a run was' in html
    assert f'<a href="/runs/{run.pk}/">Run {run.pk}</a> had not ended.' in html


def test_filters_stay_in_the_address_and_leave_out_the_rest(
    viewer: Client, orchestration: Orchestration, schedule: Schedule
) -> None:
    other = make_schedule(None, orchestration=orchestration, name="Evenings")
    slot(schedule, 0)
    slot(schedule, 24, "missed", "Of the mornings")
    slot(other, 24, "missed", "Of the evenings")
    html = tab(viewer, orchestration, outcome="missed", schedule=str(schedule.pk))

    assert "Of the mornings" in html
    assert "Of the evenings" not in html
    assert '<input type="hidden" name="outcome" value="missed">' in html
    assert f'<option value="{schedule.pk}" selected>' in html
    html = tab(viewer, orchestration, to="2026-06-01")
    assert html.count("<tr>") == 2  # the heading and the first


@pytest.mark.parametrize(
    "asked",
    [
        {"outcome": "nonsense"},
        {"before": "nonsense"},
        {"schedule": "99999999999999999999"},
        {"from": "2026-02-31"},
        {"to": "9999-12-31"},
        {"from": "0001-01-01"},
    ],
)
def test_nonsense_in_the_address_is_left_out(
    viewer: Client, orchestration: Orchestration, schedule: Schedule, asked: dict[str, str]
) -> None:
    slot(schedule, 0, reason="Here it is")

    assert "Here it is" in tab(viewer, orchestration, **asked)


def test_the_schedule_of_another_orchestration_is_not_shown(
    viewer: Client, orchestration: Orchestration, schedule: Schedule
) -> None:
    slot(make_schedule(None), 0, reason="Of somebody else")
    slot(schedule, 0)

    assert "Of somebody else" not in tab(viewer, orchestration)


def test_filters_that_fit_nothing_offer_a_way_back(
    viewer: Client, orchestration: Orchestration, schedule: Schedule
) -> None:
    slot(schedule, 0)
    html = tab(viewer, orchestration, outcome="rejected")

    assert "No such moments" in html
    assert 'href="?tab=slots"' in html


def test_as_csv_by_the_same_filters(
    viewer: Client, orchestration: Orchestration, schedule: Schedule
) -> None:
    slot(schedule, 0)
    slot(schedule, 1, "missed", "Nothing fired")
    for url in (f"/orchestrations/{orchestration.pk}/slots/", f"/schedules/{schedule.pk}/slots/"):
        answer = viewer.get(f"{url}?format=csv&outcome=missed")
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        body = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
        rows = list(csv.DictReader(io.StringIO(body)))
        assert [(r["due_at"], r["outcome"], r["reason"]) for r in rows] == [
            ("2026-06-01T13:00:00+00:00", "missed", "Nothing fired")
        ]


def test_the_page_of_one_schedule_has_the_same_ledger(viewer: Client, schedule: Schedule) -> None:
    for hours in range(51):
        slot(schedule, hours)
    answer = viewer.get(f"/schedules/{schedule.pk}/slots/")

    assert "Older" in text_of(answer)
    assert answer.content.decode().count("<rect") == 51


def test_by_api_with_filters_and_pages(
    viewer: Client, orchestration: Orchestration, schedule: Schedule
) -> None:
    other = make_schedule(None, orchestration=orchestration)
    for one in (schedule, other):
        slot(one, 0)
        slot(one, 1, "missed")
    url = f"/api/v1/orchestrations/{orchestration.pk}/slots"
    missed = f"{url}?limit=1&outcome=missed"
    first = viewer.get(missed).json()
    second = viewer.get(f"{missed}&after={quote(first['next'])}").json()

    assert [i["schedule"] for i in first["items"] + second["items"]] == [other.pk, schedule.pk]
    assert second["next"] is None
    later = viewer.get(
        f"/api/v1/schedules/{schedule.pk}/slots", {"since": "2026-06-01T12:30:00Z"}
    ).json()
    assert [item["outcome"] for item in later["items"]] == ["missed"]
    wrong = viewer.get(url, {"after": "nonsense"})
    assert wrong.status_code == 422
    assert wrong.json()["error"]["fields"] == {"after": "This is no `next` of a page."}


def test_a_reason_is_escaped_and_its_runs_are_linked() -> None:
    assert with_runs("<b>Run 5</b> and run 7, run 07") == (
        '&lt;b&gt;<a href="/runs/5/">Run 5</a>&lt;/b&gt; and <a href="/runs/7/">run 7</a>, run 07'
    )


@pytest.mark.parametrize("late", ["1 sec", "5 min", "2 hr 5 min", "1 day", "3 days 2 hr"])
def test_how_late_it_was_run_is_no_run(late: str) -> None:
    said = f"Missed, run {late} late. Waits behind "
    assert with_runs(f"{said}run 7.") == f'{said}<a href="/runs/7/">run 7</a>.'


def test_a_summary_names_the_most_frequent_first() -> None:
    slots = [Slot(outcome=outcome) for outcome in ("missed", "fired", "fired")]
    assert slot_summary(slots) == "The last 3 moments, oldest first: 2 fired, 1 missed."
