from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Orchestration, Run
from orchestrations.services.orchestrations import save_orchestration
from orchestrations.services.schedules import create_schedule
from tests.builders import make_configuration, make_orchestration, make_run, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def ended_run(orchestration: Orchestration, status: RunStatus, seconds: int) -> Run:
    now = timezone.now()
    started = now - timedelta(seconds=seconds)
    return make_run(orchestration, status=status, started_at=started, ended_at=now)


def test_the_list_shows_each_orchestration_with_its_runs(viewer: Client) -> None:
    one = make_configuration("ex-http")
    orchestration = make_orchestration([[one], [one, one]], name="Nightly")
    create_schedule(orchestration, cron="0 0 * * *", timezone="UTC", user=None)
    ended_run(orchestration, RunStatus.ERROR, 5)
    last = ended_run(orchestration, RunStatus.SUCCESS, 74)
    response = viewer.get(reverse("orchestrations"))
    text = text_of(response)
    for part in ("Nightly", "3 tasks in 2 phases", "Success", "1 min 14 sec", "00:00"):
        assert part in text
    html = response.content.decode()
    assert html.count('class="status-error"') == 1
    assert f'href="/runs/{last.pk}/"' in html
    assert 'role="switch"' not in html  # a viewer cannot switch


def test_the_list_asks_as_many_questions_for_one_as_for_three(viewer: Client) -> None:
    counts = []
    for number in (1, 2):
        for _ in range(number):
            orchestration = make_orchestration([[make_configuration("ex-http")]])
            create_schedule(orchestration, cron="5 * * * *", timezone="UTC", user=None)
            ended_run(orchestration, RunStatus.SUCCESS, 3)
        viewer.get(reverse("orchestrations"))
        with CaptureQueriesContext(
            connection,
        ) as asked:
            viewer.get(reverse("orchestrations"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_the_list_searches_and_says_when_nothing_matches(viewer: Client) -> None:
    make_orchestration([], name="Orders every night")
    make_orchestration([], name="Customers")
    found = text_of(viewer.get(reverse("orchestrations"), {"q": "night ORDERS"}))
    assert "Orders every night" in found
    assert "Customers" not in found
    assert "No orchestration matches" in text_of(
        viewer.get(reverse("orchestrations"), {"q": "x y"})
    )


def test_the_empty_list_offers_the_next_step(editor: Client, viewer: Client) -> None:
    link = f'href="{reverse("orchestration-new")}"'
    assert link in editor.get(reverse("orchestrations")).content.decode()
    shown = viewer.get(reverse("orchestrations")).content.decode()
    assert "No orchestrations yet" in shown
    assert link not in shown


def test_the_list_is_a_page_or_its_part(viewer: Client) -> None:
    whole = viewer.get(reverse("orchestrations")).content.decode()
    part = viewer.get(reverse("orchestrations"), headers=HTMX).content.decode()
    assert "<html" in whole
    assert "<html" not in part
    assert part.count('id="orchestration-list"') == whole.count('id="orchestration-list"') == 1


def test_a_poll_that_has_seen_all_gets_nothing(viewer: Client) -> None:
    orchestration = make_orchestration([])
    page = viewer.get(reverse("orchestrations")).content.decode()
    mark = re.findall(r"\"X-Mark\": \"(\w+)\"", page)[0]
    seen = {**HTMX, "X-Mark": mark}
    assert viewer.get(reverse("orchestrations"), headers=seen).status_code == 204
    make_run(orchestration)
    again = viewer.get(reverse("orchestrations"), headers=seen)
    assert again.status_code == 200
    assert "Created" in text_of(again)


def test_it_switches_an_orchestration_on_and_off(editor: Client) -> None:
    orchestration = make_orchestration([])
    schedule = create_schedule(orchestration, cron="5 * * * *", timezone="UTC", user=None)
    path = reverse("orchestration-enabled", args=[orchestration.pk])
    answer = editor.post(path, {"from": "list"})
    assert (answer.status_code, answer["Location"]) == (302, reverse("orchestrations"))
    orchestration.refresh_from_db()
    schedule.refresh_from_db()
    assert (orchestration.is_enabled, schedule.next_fire_at) == (False, None)
    row = editor.post(path, {"enabled": "on"}, headers=HTMX)
    orchestration.refresh_from_db()
    assert orchestration.is_enabled
    assert row.content.decode().count(f'id="orchestration-row-{orchestration.pk}"') == 1
    assert "is on" in row["HX-Trigger"]


def test_the_page_shows_tasks_runs_and_versions(viewer: Client) -> None:
    orchestration = make_orchestration([[make_configuration("ex-http", name="Get orders")]])
    failed = ended_run(orchestration, RunStatus.ERROR, 9)
    good = ended_run(orchestration, RunStatus.SUCCESS, 61)
    text = text_of(viewer.get(orchestration.get_absolute_url()))
    for part in ("1 task in 1 phase", "Get orders", "Created.", "1 min 1 sec", "9 sec"):
        assert part in text
    for tab, shown, hidden in (("successful", good, failed), ("failed", failed, good)):
        html = viewer.get(orchestration.get_absolute_url(), {"tab": tab}).content.decode()
        assert f'id="run-row-{shown.pk}"' in html
        assert f'id="run-row-{hidden.pk}"' not in html


def test_the_page_offers_actions_to_those_who_may(editor: Client, viewer: Client) -> None:
    orchestration = make_orchestration([])
    names = (
        "orchestration-run",
        "orchestration-trash",
        "orchestration-copy",
        "orchestration-tasks",
    )
    for name in names:
        path = f'"{reverse(name, args=[orchestration.pk])}"'
        assert path in editor.get(orchestration.get_absolute_url()).content.decode()
        assert path not in viewer.get(orchestration.get_absolute_url()).content.decode()


def test_the_runs_are_paged_by_key(viewer: Client) -> None:
    orchestration = make_orchestration([])
    runs = [make_run(orchestration, status=RunStatus.CANCELLED) for _ in range(30)]
    path = orchestration.get_absolute_url()
    first = viewer.get(path).content.decode()
    shown = [int(pk) for pk in re.findall(r'id="run-row-(\d+)"', first)]
    assert shown == [run.pk for run in runs[:4:-1]]
    after = re.findall(r"after=(\d+)", first)[0]
    second = viewer.get(path, {"after": after}).content.decode()
    rest = [int(pk) for pk in re.findall(r'id="run-row-(\d+)"', second)]
    assert rest == [run.pk for run in runs[4::-1]]


@pytest.mark.parametrize("after", ["x", "-1", "9" * 40, "1; DROP", "²"])
def test_nonsense_in_the_address_shows_the_first_page(viewer: Client, after: str) -> None:
    orchestration = make_orchestration([])
    run = make_run(orchestration)
    page = viewer.get(orchestration.get_absolute_url(), {"after": after, "tab": "odd"})
    assert f'id="run-row-{run.pk}"' in page.content.decode()


def test_the_page_of_a_thrown_away_one_leads_to_the_trash(editor: Client) -> None:
    orchestration = make_orchestration([], name="Old")
    editor.post(reverse("orchestration-trash", args=[orchestration.pk]))
    orchestration.refresh_from_db()
    assert orchestration.deleted_by is not None
    assert orchestration.deleted_by.username == "ada"
    answer = editor.get(orchestration.get_absolute_url(), follow=True)
    assert answer.redirect_chain == [(reverse("trash"), 302)]
    assert "Old" in text_of(answer)


def test_it_saves_name_and_description_as_a_version(editor: Client) -> None:
    orchestration = make_orchestration([], name="Old", description="Before")
    path = reverse("orchestration-details", args=[orchestration.pk])
    assert 'value="Old"' in editor.get(path).content.decode()
    answer = editor.post(path, {"name": "New", "description": "After", "version": 1})
    assert answer.status_code == 302
    version = orchestration.versions.latest("number")
    assert (version.number, version.created_by and version.created_by.username) == (2, "ada")
    assert version.change == "Renamed to “New”; changed the description."
    by_htmx = editor.post(path, {"name": "Newer", "version": 2}, headers=HTMX)
    assert by_htmx["HX-Redirect"] == orchestration.get_absolute_url()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("", "Give the orchestration a name."),
        ("  ", "Give the orchestration a name."),
        ("x" * 201, "200"),
    ],
)
def test_wrong_details_keep_what_was_typed(editor: Client, name: str, wrong: str) -> None:
    orchestration = make_orchestration([], name="Old")
    path = reverse("orchestration-details", args=[orchestration.pk])
    answer = editor.post(path, {"name": name, "description": "Typed", "version": 1})
    assert answer.status_code == 422
    assert wrong in text_of(answer)
    assert ">Typed</textarea>" in answer.content.decode()
    orchestration.refresh_from_db()
    assert (orchestration.name, orchestration.version) == ("Old", 1)


def test_details_that_somebody_saved_meanwhile_are_not_overwritten(editor: Client) -> None:
    orchestration = make_orchestration([], name="Old")
    save_orchestration(orchestration, user=make_user(name="bob"), expected_version=1, name="Bob's")
    path = reverse("orchestration-details", args=[orchestration.pk])
    answer = editor.post(path, {"name": "Mine", "version": 1})
    assert answer.status_code == 422
    assert "Version 2 was saved by bob" in text_of(answer)
    assert 'value="Mine"' in answer.content.decode()
    assert Orchestration.objects.get().name == "Bob's"
    assert editor.post(path, {"name": "Mine"}).status_code == 422  # without a version at all


def test_long_and_odd_names_are_shown_as_text(viewer: Client) -> None:
    name = "<script>alert(1)</script> " + "Žluťoučký" * 19
    orchestration = make_orchestration(
        [[make_configuration("ex-http", name=name[:200])]], name=name[:200]
    )
    run = make_run(orchestration, started_by=StartedBy.API)
    for path in (
        reverse("orchestrations"),
        orchestration.get_absolute_url(),
        run.get_absolute_url(),
    ):
        html = viewer.get(path).content.decode()
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html
