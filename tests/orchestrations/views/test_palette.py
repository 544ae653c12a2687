from __future__ import annotations

import html
import re

import pytest
from django.test import Client
from django.urls import reverse

from tests.builders import make_empty_orchestration, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_user(role="Operator"))
    return client


def options(client: Client, text: str, recent: str = "") -> list[tuple[str, str]]:
    answer = client.get(reverse("palette"), {"q": text, "recent": recent}, headers=HTMX)
    page = answer.content.decode()
    links = re.findall(
        r'<a id="palette-[^"]+" role="option".*?href="([^"]+)".*?</a>', page, re.DOTALL
    )
    names = re.findall(r'<span class="palette-title">(.*?)(?: <small>.*?)?</span>', page)
    assert page.count('role="option"') == len(names)
    return list(zip(links, map(html.unescape, names), strict=False))


def test_it_answers_what_fits(operator: Client) -> None:
    orchestration = make_empty_orchestration(name="<b>Nightly</b>")
    assert options(operator, "nightly") == [
        (orchestration.get_absolute_url(), "<b>Nightly</b>"),
        ("/search/?q=nightly", "Search everything for “nightly”"),
    ]
    run_url = reverse("orchestration-run", args=[orchestration.pk])
    page = operator.get(reverse("palette"), {"q": "run ni"}, headers=HTMX).content.decode()
    assert f'href="{run_url}" data-palette-dialog' in page
    assert "<b>" not in page


def test_recent_ones_come_first_without_a_text(operator: Client) -> None:
    orchestration = make_empty_orchestration(name="Nightly")
    found = options(operator, "", f"p:jobs o:{orchestration.pk}")
    assert found[:2] == [("/jobs/", "Jobs"), (orchestration.get_absolute_url(), "Nightly")]


def test_without_javascript_it_is_the_search(operator: Client) -> None:
    answer = operator.get(reverse("palette"), {"q": "a b"})
    assert (answer.status_code, answer["Location"]) == (302, "/search/?q=a+b")


def test_every_page_has_it_for_those_who_are_logged_in(operator: Client) -> None:
    assert 'id="palette"' in operator.get(reverse("dashboard")).content.decode()
    assert 'id="palette"' not in Client().get(reverse("login")).content.decode()


def test_a_search_stands_in_the_box_of_its_page_alone(operator: Client) -> None:
    box = re.compile(r'name="q" value="([^"]*)" placeholder="Search"')
    pages = {name: reverse(name) + "?q=abc" for name in ("search", "orchestrations", "jobs")}
    shown = {name: box.findall(operator.get(url).content.decode()) for name, url in pages.items()}
    assert shown == {"search": ["abc"], "orchestrations": [""], "jobs": [""]}
