from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration, Run, Trigger, TriggerTable
from orchestrations.services.schedules import create_schedule
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_orchestration,
    make_run,
    make_user,
)
from tests.pages import text_of

pytestmark = pytest.mark.django_db
URL = "/orchestrations/"
BULK = "/orchestrations/bulk/"
HTMX = {"HX-Request": "true"}


def client_of(role: str) -> Client:
    client = Client()
    client.force_login(make_user(role=role))
    return client


@pytest.fixture
def viewer() -> Client:
    return client_of("Viewer")


@pytest.fixture
def operator() -> Client:
    return client_of("Operator")


@pytest.fixture
def editor() -> Client:
    return client_of("Editor")


def listed(response: Any) -> list[str]:
    page = response.content.decode()
    return re.findall(r'class="row-link" href="[^"]+">([^<]+)<', page)


def said(response: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in get_messages(response.wsgi_request)]


def test_it_filters_and_orders(viewer: Client) -> None:
    a, b = make_empty_orchestration(name="a"), make_empty_orchestration(name="b", is_enabled=False)
    make_run(b, status=RunStatus.ERROR)
    assert listed(viewer.get(URL)) == ["a", "b"]
    assert listed(viewer.get(URL, {"sort": "-name"})) == ["b", "a"]
    assert listed(viewer.get(URL, {"sort": "last"})) == ["b", "a"]
    assert listed(viewer.get(URL, {"show": "disabled"})) == ["b"]
    assert listed(viewer.get(URL, {"show": "failing"})) == ["b"]
    assert listed(viewer.get(URL, {"show": "nonsense", "sort": "x", "page": "-1"})) == ["a", "b"]
    page = viewer.get(URL, {"show": "running"})
    assert (listed(page), "Nothing is running" in text_of(page)) == ([], True)
    assert a.pk < b.pk


def test_the_state_stays_in_the_links(viewer: Client) -> None:
    make_empty_orchestration(name="a")
    page = viewer.get(URL, {"q": "a", "sort": "next"}).content.decode()
    assert re.search(
        r'id="show-failing" href="/orchestrations/\?q=a&amp;sort=next&amp;show=f', page
    )
    assert re.search(r'aria-sort="ascending"><a id="sort-next" href="\?q=a&amp;sort=-next"', page)
    assert '<input type="hidden" name="sort" value="next">' in page


def test_pages_follow_one_another_by_name_and_by_number(viewer: Client) -> None:
    for number in range(51):
        make_empty_orchestration(name=f"{number:02}")
    for sort in ("", "last"):
        first = viewer.get(URL, {"sort": sort})
        assert listed(first) == [f"{number:02}" for number in range(50)]
        following = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
        assert following is not None
        second = viewer.get(URL + html.unescape(following[1]))
        assert listed(second) == ["50"]
        back = re.search(r'rel="prev" href="([^"]+)"', second.content.decode())
        assert back is not None
        assert listed(viewer.get(URL + html.unescape(back[1]))) == listed(first)


def test_a_row_says_what_starts_it_and_draws_its_runs(viewer: Client) -> None:
    orchestration = make_orchestration([[make_configuration("ex-http")]], name="Nightly")
    create_schedule(orchestration, cron="0 0 * * *", timezone="UTC", user=None)
    trigger = Trigger.objects.create(orchestration=orchestration, is_enabled=False)
    for key in ("in.c-a.b", "in.c-a.c", "in.c-a.d"):
        TriggerTable.objects.create(trigger=trigger, table_key=key)
    Trigger.objects.create(orchestration=orchestration, deleted_at=timezone.now())
    now = timezone.now()
    for seconds, status in ((100, RunStatus.ERROR), (50, RunStatus.SUCCESS)):
        began = now - timedelta(seconds=seconds)
        make_run(orchestration, status=status, started_at=began, ended_at=now)
    last = make_run(orchestration)
    page = viewer.get(URL)
    assert "Every day at 00:00, UTC When 3 tables are updated off" in text_of(page)
    for kind, words in (
        ("webhook", "When it is called off"),
        ("files", "When a file arrives off"),
        ("orchestration", "When an orchestration ends off"),
    ):
        Trigger.objects.filter(pk=trigger.pk).update(kind=kind)
        assert words in text_of(viewer.get(URL))
    bars = re.findall(r'class="strip-bar" x="(\d+)" y="(\d+)" .*?height="(\d+)"', str(page.content))
    assert bars == [("0", "0", "22"), ("8", "9", "13"), ("16", "17", "5")]
    assert f'<a class="status-created" href="/runs/{last.pk}/"' in page.content.decode()
    assert f'aria-label="Run {last.pk - 1}: Success, 50 sec"' in page.content.decode()


def test_an_empty_one_says_so_in_words(viewer: Client) -> None:
    orchestration = make_orchestration([], name="Empty")
    page = viewer.get(URL)
    assert "Empty No tasks yet No schedule" in text_of(page)
    row = page.content.decode().split(f'id="orchestration-row-{orchestration.pk}"')[1]
    assert re.findall(r'is-empty" data-label="([^"]+)"', row) == [
        "Next run",
        "Duration",
        "Last 20 runs",
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_it_costs_a_constant_number_of_queries(
    operator: Client, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        orchestration = make_orchestration([[make_configuration("ex-http")]])
        create_schedule(orchestration, cron="5 * * * *", timezone="UTC", user=None)
        Trigger.objects.create(orchestration=orchestration)
        make_run(orchestration)
    operator.get(URL)
    for query in ({}, {"show": "running", "sort": "duration"}):
        with django_assert_num_queries(10):
            operator.get(URL, query)


def test_only_those_who_may_choose(viewer: Client, operator: Client, editor: Client) -> None:
    make_empty_orchestration()
    pages = [client.get(URL).content.decode() for client in (viewer, operator, editor)]
    assert ['id="bulk"' in page for page in pages] == [False, True, True]
    assert ['name="orchestration"' in page for page in pages] == [False, True, True]
    assert ['value="trash"' in page for page in pages] == [False, False, True]


def test_several_are_run_and_the_list_is_shown_as_it_was(operator: Client) -> None:
    good = make_orchestration([[make_configuration("ex-http")]], name="good")
    empty = make_empty_orchestration(name="empty")
    answer = operator.post(
        f"{BULK}?show=disabled", {"action": "run", "orchestration": [good.pk, empty.pk, "x"]}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/orchestrations/?show=disabled")
    assert said(answer) == [
        ("warning", "Started 1 orchestration. Refused: “empty”: It has no active task.")
    ]
    assert [run.orchestration for run in Run.objects.all()] == [good]


def test_several_are_switched_and_thrown_away(editor: Client, operator: Client) -> None:
    ids = [make_empty_orchestration().pk for _ in range(2)]
    answer = editor.post(BULK, {"action": "disable", "orchestration": ids})
    assert said(answer) == [("success", "Switched 2 orchestrations off.")]
    assert operator.post(BULK, {"action": "trash", "orchestration": ids}).status_code == 403
    assert Orchestration.objects.filter(deleted_at=None, is_enabled=False).count() == 2
    answer = editor.post(BULK, {"action": "trash", "orchestration": ids})
    assert said(answer)[-1] == ("success", "Moved 2 orchestrations to the trash.")
    assert Orchestration.objects.filter(deleted_at=None).count() == 0


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ({}, "Choose what to do with the orchestrations."),
        ({"action": "burn"}, "Choose what to do with the orchestrations."),
        ({"action": "run"}, "Choose at least one orchestration."),
    ],
)
def test_nothing_chosen_is_said(operator: Client, posted: dict[str, str], sentence: str) -> None:
    assert said(operator.post(BULK, posted)) == [("error", sentence)]
