"""The pages of calendars, and their calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from components.enums import TokenScope
from components.services.tokens import create_token
from orchestrations.models import Calendar
from orchestrations.services.calendars import create_calendar
from orchestrations.services.schedules import create_schedule
from tests.builders import make_empty_orchestration, make_user
from tests.pages import client_of, text_of

pytestmark = pytest.mark.django_db
URL, NEW = "/calendars/", "/calendars/new/"
HTMX = {"HX-Request": "true"}
POSTED = {
    "name": "Warehouse",
    "country": "CZ",
    "weekdays": ["5", "6"],
    "dates": "2026-12-23 Stocktaking\n\n2026-12-22",
    "windows": "2026-12-31 18:00 - 2027-01-01 6:00 Close of the year",
}


@pytest.fixture(autouse=True)
def _at_a_fixed_time() -> Any:
    with time_machine.travel(datetime(2026, 11, 27, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def editor() -> Client:
    return client_of("Editor", "ada")


@pytest.fixture
def viewer() -> Client:
    return client_of("Viewer")


def test_an_empty_list_says_what_they_are_for(editor: Client, viewer: Client) -> None:
    assert "No calendars yet" in text_of(editor.get(URL))
    assert NEW in editor.get(URL).content.decode()
    assert NEW not in viewer.get(URL).content.decode()


def test_one_is_made_and_listed(editor: Client, viewer: Client) -> None:
    assert "Make calendar" in text_of(editor.get(NEW))
    answer = editor.post(NEW, POSTED, follow=True)
    calendar = Calendar.objects.get()
    assert answer.redirect_chain == [(f"{URL}{calendar.pk}/?year=2026", 302)]
    assert "The calendar “Warehouse” has been made." in text_of(answer)
    assert calendar.created_by is not None
    assert [d["on"] for d in calendar.dates] == ["2026-12-22", "2026-12-23"]
    said = "Holidays of Czechia, Saturdays and Sundays, 2 own dates, 1 blackout window"
    assert f"Warehouse {said} 0" in text_of(viewer.get(URL))
    page = editor.get(f"{URL}{calendar.pk}/").content.decode()
    assert "2026-12-22\n2026-12-23 Stocktaking" in page
    assert "2026-12-31 18:00 - 2027-01-01 06:00 Close of the year" in page


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "Give it a name."),
        ({"name": "Taken"}, "There is a calendar “Taken” already."),
        ({"country": "XX"}, "The holidays of this country are not known."),
        ({"subdivision": "QQ"}, "“QQ” is no part of Czechia."),
        ({"weekdays": list("0123456")}, "not all seven"),
        ({"dates": "2026-12-23\n2026-06-31 x"}, "Line 2, “2026-06-31 x”, is not a date"),
        ({"dates": "2026-12-23\n2026-12-23"}, "2026-12-23 is there more than once."),
        ({"windows": "2026-12-31 18:00"}, "Line 1, “2026-12-31 18:00”, is not a window"),
        ({"windows": "2026-12-31 25:00 - 2027-01-01 06:00"}, "is not a window"),
        ({"windows": "2027-12-31 18:00 - 2027-01-01 06:00"}, "must end after it begins"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
    editor: Client, wrong: dict[str, Any], message: str, headers: dict[str, str]
) -> None:
    create_calendar(name="Taken", user=None)
    answer = editor.post(NEW, {**POSTED, **wrong}, headers=headers)
    assert answer.status_code == 422
    assert message in text_of(answer)
    posted = {**POSTED, **wrong}
    for name in ("dates", "windows"):
        assert posted[name] in answer.content.decode()
    assert ("<html" in answer.content.decode()) == (headers == {})
    assert Calendar.objects.count() == 1


def test_it_is_changed(editor: Client) -> None:
    calendar = create_calendar(name="House", user=None, country="DE", subdivision="BY")
    url = f"{URL}{calendar.pk}/"
    answer = editor.post(url, {**POSTED, "year": "2028"}, headers=HTMX)
    assert answer["HX-Redirect"] == f"{url}?year=2028"
    calendar.refresh_from_db()
    assert (calendar.name, calendar.country, calendar.subdivision) == ("Warehouse", "CZ", "")


def test_the_year_marks_and_names_what_is_held(editor: Client, viewer: Client) -> None:
    editor.post(NEW, POSTED)
    url = f"{URL}{Calendar.objects.get().pk}/"
    for client in (editor, viewer):
        page = client.get(url).content.decode()
        assert page.count("calendar-month") >= 12
        assert 'class="is-held" title="2026-12-23: Stocktaking"' in page
        assert 'class="is-partly" title="2026-12-31: Close of the year, 18:00 to 24:00"' in page
    later = viewer.get(f"{url}?year=2027", headers=HTMX).content.decode()
    assert 'title="2027-05-01' in later
    assert "<html" not in later
    for wrong in ("1066", "x", "²026", "99999999999"):
        assert ">2026</h2>" in viewer.get(url, {"year": wrong}).content.decode()


def test_a_preview_draws_what_is_typed_and_saves_nothing(editor: Client) -> None:
    posted = {**POSTED, "name": "", "dates": "what", "action": "preview", "country": "DE"}
    answer = editor.post(f"{NEW}?year=2027", posted, headers=HTMX)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert ">2027</h2>" in page
    assert 'title="2027-10-03' in page
    assert '<option value="BY">' in page
    assert "Line 1, “what”, is not a date" in text_of(answer)
    assert "Give it a name." not in text_of(answer)
    assert "Make calendar" in text_of(editor.post(NEW, posted))  # without scripts: the page
    assert not Calendar.objects.exists()


def test_a_viewer_reads_and_changes_nothing(viewer: Client) -> None:
    editor = client_of("Editor")
    editor.post(NEW, POSTED)
    url = f"{URL}{Calendar.objects.get().pk}/"
    page = text_of(viewer.get(url))
    assert "2026-12-23 Stocktaking" in page
    assert "Save calendar" not in page
    assert viewer.post(url, POSTED).status_code == 403
    assert viewer.get(f"{url}delete/").status_code == 403


def test_the_page_lists_the_schedules_and_it_stays_while_there_are_some(editor: Client) -> None:
    calendar = create_calendar(name="House", user=None)
    delete = reverse("calendar-delete", args=[calendar.pk])
    assert "No schedule uses it." in text_of(editor.get(delete, headers=HTMX))
    schedule = create_schedule(
        make_empty_orchestration(name="Nightly"),
        cron="0 6 * * *",
        timezone="UTC",
        user=None,
        name="Mornings",
        calendar=calendar,
    )
    assert "Nightly Mornings: Every day at 06:00, UTC" in text_of(
        editor.get(f"{URL}{calendar.pk}/")
    )
    assert "House Holds nothing 1" in text_of(editor.get(URL))
    refusal = "Schedules use “House”: “Mornings” of Nightly."
    assert refusal in text_of(editor.get(delete))
    answer = editor.post(delete, headers=HTMX)
    assert (answer.status_code, refusal in text_of(answer)) == (422, True)
    schedule.calendar = None
    schedule.save()
    answer = editor.post(delete, follow=True)
    assert "The calendar “House” has been deleted." in text_of(answer)
    assert not Calendar.objects.exists()


def test_the_pages_lead_to_it(editor: Client) -> None:
    page = editor.get("/").content.decode()
    assert f'href="{URL}"' in page
    assert "Calendars" in text_of(editor.get("/palette/", {"q": "calend"}, headers=HTMX))
    orchestration = make_empty_orchestration()
    dialog = editor.get(reverse("schedule-new", args=[orchestration.pk]), headers=HTMX)
    assert f'<a href="{URL}" target="_blank"' in dialog.content.decode()


def test_the_calls(client: Client) -> None:
    _, token = create_token(make_user(role="Editor"), name="t", scope=TokenScope.WRITE)

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = client.generic(
            method,
            f"/api/v1/calendars{path}",
            b"" if body is None else client._encode_json(body, "application/json"),  # type: ignore[attr-defined]  # noqa: SLF001
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )
        return answer.status_code, answer.json() if answer.content else None

    said = {
        "name": "Warehouse",
        "country": "CZ",
        "subdivision": "",
        "weekdays": [5, 6],
        "dates": [{"on": "2026-12-23", "name": "Stocktaking"}],
        "windows": [{"begins": "2026-12-31T18:00:00", "ends": "2027-01-01T06:00:00", "name": ""}],
    }
    status, made = call("POST", "", said)
    assert (status, {name: made[name] for name in said}) == (201, said)
    assert (made["used"], made["words"][:20]) == (0, "Holidays of Czechia,")
    status, changed = call("PATCH", f"/{made['id']}", {"weekdays": [], "country": None})
    assert (status, changed["weekdays"], changed["country"]) == (200, [], "CZ")
    assert changed["dates"] == said["dates"]
    assert call("GET", "") == (200, [changed])
    assert call("GET", f"/{made['id']}") == (200, changed)
    status, wrong = call("PATCH", f"/{made['id']}", {"country": "XX", "weekdays": [9]})
    assert (status, sorted(wrong["error"]["fields"])) == (422, ["country", "weekdays"])
    zoned = {"windows": [{"begins": "2026-12-31T18:00Z", "ends": "2027-01-01T06:00Z"}]}
    assert call("PATCH", f"/{made['id']}", zoned)[0] == 422
    schedule = create_schedule(
        make_empty_orchestration(name="Nightly"),
        cron="0 6 * * *",
        timezone="UTC",
        user=None,
        calendar=Calendar.objects.get(),
    )
    status, refused = call("DELETE", f"/{made['id']}")
    assert (status, "of Nightly" in refused["error"]["message"]) == (409, True)
    schedule.calendar = None
    schedule.save()
    assert call("DELETE", f"/{made['id']}") == (204, None)
    assert call("GET", f"/{made['id']}")[0] == 404
