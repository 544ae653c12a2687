from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Run
from orchestrations.views.run_list import QUICK
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_orchestration,
    make_run,
    make_trigger,
    make_user,
)
from tests.control import Control
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
URL = "/runs/"


@pytest.fixture
def viewer(client: Client) -> User:
    user = make_user(role="Viewer", name="vera")
    client.force_login(user)
    return user


def listed(response: Any) -> list[int]:
    return [int(pk) for pk in re.findall(r'id="run-row-(\d+)"', response.content.decode())]


def test_it_shows_what_a_search_finds(client: Client, viewer: User) -> None:
    mine = make_run(created_by=viewer, status=RunStatus.ERROR, reason="No.").pk
    theirs = make_run(status=RunStatus.WARNING).pk
    assert listed(client.get(URL)) == [theirs, mine]
    assert listed(client.get(URL, {"q": "status:error"})) == [mine]
    quick = {label: listed(client.get(URL, {"q": text})) for label, text in QUICK}
    assert quick == {
        "Long running": [],
        "My runs": [mine],
        "My failed": [mine],
        "Failed in last 7 days": [mine],
        "By schedule": [],
    }


def test_htmx_gets_the_list_alone(client: Client, viewer: User) -> None:
    page = client.get(URL, {"q": "status:error"}, headers=HTMX).content.decode()
    assert page.lstrip().startswith('<div id="run-list">')
    assert "No such runs" in page


def test_a_search_that_makes_no_sense_is_explained(client: Client, viewer: User) -> None:
    page = client.get(URL, {"q": "orchestratoin:x"})
    assert page.status_code == 422
    assert "“orchestratoin” is no key; the keys are status, orchestration, component" in text_of(
        page
    )
    assert 'href="/runs/?q=orchestration%3Ax"' in page.content.decode()


def test_pages_lead_to_older_and_newer_runs(client: Client, viewer: User) -> None:
    orchestration = make_empty_orchestration()
    made = [make_run(orchestration, status=RunStatus.SUCCESS).pk for _ in range(51)][::-1]
    first = client.get(URL, {"q": "status:success"})
    assert listed(first) == made[:50]
    older = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
    assert older is not None
    second = client.get(URL + html.unescape(older[1]))
    assert listed(second) == made[50:]
    newer = re.search(r'rel="prev" href="([^"]+)"', second.content.decode())
    assert newer is not None
    assert listed(client.get(URL + html.unescape(newer[1]))) == made[:50]
    assert 'hx-trigger="every' not in second.content.decode()
    assert "No more runs this way" in text_of(client.get(URL, {"after": "1"}))


def test_a_run_that_runs_shows_how_far_it_is(
    client: Client, viewer: User, control: Control
) -> None:
    two = [make_configuration("ex-http"), make_configuration("ex-http")]
    run = make_run(make_orchestration([[two[0]], [two[1]]]))
    control.advance(run)
    queued = make_run(run.orchestration)
    page = client.get(URL)
    assert '<progress class="bar" value="0" max="2"' in page.content.decode()
    assert "0 of 2 tasks" in text_of(page)
    assert f"1st in line behind run {run.pk}" in text_of(page)
    assert listed(page) == [queued.pk, run.pk]
    assert page.content.decode().count('hx-trigger="every 3s"') == 1


def test_a_poll_that_has_seen_everything_gets_nothing(client: Client, viewer: User) -> None:
    run = make_run()
    page = html.unescape(client.get(URL, headers=HTMX).content.decode())
    mark = re.search(r'"X-Mark": "(\w+)"', page)
    assert mark is not None
    headers = {**HTMX, "X-Mark": mark[1]}
    assert client.get(URL, headers=headers).status_code == 204
    Run.objects.filter(pk=run.pk).update(status=RunStatus.PROCESSING, started_at=timezone.now())
    assert "Processing" in text_of(client.get(URL, headers=headers))


def test_a_run_of_a_trigger_names_it(client: Client, viewer: User) -> None:
    trigger = make_trigger("in.c-shop.orders", name="New orders")
    make_run(trigger.orchestration, started_by=StartedBy.TRIGGER, trigger=trigger)
    started_by = re.search(
        r'"run-starter">(.*?)</span>', client.get(URL).content.decode(), re.DOTALL
    )
    assert started_by is not None
    assert re.sub(r"<[^>]+>", "", started_by[1]).strip() == "New orders"


@pytest.mark.parametrize("count", [1, 3])
def test_it_costs_a_constant_number_of_queries(
    client: Client, viewer: User, count: int, django_assert_num_queries: Any
) -> None:
    for _ in range(count):
        make_run(created_by=make_user(), status=RunStatus.PROCESSING, started_at=timezone.now())
        trigger = make_trigger("in.c-shop.orders")
        make_run(
            trigger.orchestration,
            status=RunStatus.SUCCESS,
            started_by=StartedBy.TRIGGER,
            trigger=trigger,
        )
    client.get(URL)
    with django_assert_num_queries(11):
        client.get(URL, {"q": "-status:error -user:nobody"})


def test_an_empty_list_says_what_a_run_is(client: Client, viewer: User) -> None:
    assert "A run is one execution of an orchestration" in text_of(client.get(URL))


def test_what_can_come_next_is_offered(client: Client, viewer: User) -> None:
    make_empty_orchestration(name="The Shop")
    page = client.get(reverse("runs-search"), {"q": "orchestration:sho"}).content.decode()
    assert 'data-start="14" data-insert="&quot;The Shop&quot; "' in page
