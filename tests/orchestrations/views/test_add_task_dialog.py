"""The dialog of the tasks editor that adds tasks, with scripts and without."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from components.models import Configuration
from orchestrations.models import Orchestration
from tests.builders import make_component, make_configuration, make_orchestration, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def path_of(orchestration: Orchestration) -> str:
    return reverse("orchestration-tasks", args=[orchestration.pk])


def one_phase(configuration: Configuration, **extra: str) -> dict[str, Any]:
    """What a form of one phase with one task posts."""
    return {
        "version": "1",
        "row": ["phase:p1", "task:t1"],
        "name-p1": "A",
        "target-t1": f"configuration:{configuration.pk}",
        "active-t1": "on",
        **extra,
    }


def choices(client: Client, orchestration: Orchestration | None = None, **query: str) -> str:
    given = {**({"of": str(orchestration.pk)} if orchestration else {}), "phase": "p1", **query}
    return client.get(reverse("task-choices"), given, headers=HTMX).content.decode()


def names(html: str) -> list[tuple[str, bool]]:
    """What is offered, and whether it can be taken."""
    found = re.findall(
        r'class="adder-choice"[^>]*?( disabled)?(?: hx-[^>]*)?>.*?class="adder-name">([^<]*)<',
        html,
        re.DOTALL,
    )
    return [(name, not disabled) for disabled, name in found]


def test_the_dialog_offers_components_by_type(editor: Client) -> None:
    make_configuration("wr-file", name="w")
    make_configuration("ex-http", name="e")
    make_configuration("ex-http", name="f")
    html = choices(editor, phase_name="Load")
    assert "Add tasks to Load" in html
    assert re.findall(r'class="adder-title">([^<]+)<', html) == ["Extractors", "Writers"]
    assert re.findall(r"<small>(\d+ configurations?)</small>", html) == [
        "2 configurations",
        "1 configuration",
    ]


def test_an_empty_project_leads_to_the_components(editor: Client) -> None:
    html = choices(editor)
    assert "There is nothing to run yet" in html
    assert reverse("components") in html


def test_it_finds_by_the_words_of_names_and_components(editor: Client) -> None:
    for name in ("Orders of May", "Orders of June", "Clients"):
        make_configuration("ex-http", name=name)
    make_orchestration([[make_configuration("wr-file", name="x")]], name="All orders")
    found = [name for name, _ in names(choices(editor, q="orders"))]
    assert found == ["Orders of June", "Orders of May", "All orders"]
    assert [name for name, _ in names(choices(editor, q="http client"))] == ["Clients"]
    assert "Nothing is called “zz”." in choices(editor, q="zz")
    component = Configuration.objects.get(name="Clients").component
    assert [name for name, _ in names(choices(editor, chosen=str(component.pk)))] == [
        "Clients",
        "Orders of June",
        "Orders of May",
    ]


def test_what_cannot_be_nested_is_offered_with_the_reason(editor: Client) -> None:
    a = make_configuration("ex-http")
    free = make_orchestration([[a]], name="Free")
    inner = make_orchestration([[a]], name="Inner")
    make_orchestration([[inner]], name="Outer")
    assert free.name == "Free"
    html = choices(editor, inner, chosen="orchestrations")
    assert dict(names(html)) == {"Free": True, "Inner": False, "Outer": False}
    assert "Inner → Outer → Inner would run inside itself." in html


@pytest.mark.parametrize("count", [1, 3])
def test_searching_costs_the_same_for_any_number(
    editor: Client, django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    inner = make_orchestration([[make_configuration("ex-http", name="x 0")]], name="x inner")
    for number in range(count):
        make_configuration("ex-http", name=f"x {number + 1}")
        make_orchestration([[inner]], name=f"x {number}")
    with django_assert_num_queries(12):
        choices(editor, inner, q="x")


def test_only_so_many_are_shown_at_once(editor: Client) -> None:
    component = make_component()
    for number in range(60):
        make_configuration(component, name=f"c{number:02}")
    html = choices(editor, chosen=str(component.pk))
    assert len(names(html)) == 50
    assert "10 more." in html
    assert len(names(choices(editor, chosen=str(component.pk), limit="100"))) == 60


def test_a_choice_becomes_a_row(editor: Client) -> None:
    a = make_configuration("ex-http", name="a")
    path = path_of(make_orchestration([[a]]))
    row = editor.post(path, {"action": f"row:configuration:{a.pk}"}, headers=HTMX).content.decode()
    assert re.findall(r'name="target-[0-9a-f]{8}" value="([^"]+)"', row) == [
        f"configuration:{a.pk}"
    ]
    assert "<section" not in row


def test_without_scripts_the_choices_stand_below_the_phase(editor: Client) -> None:
    a = make_configuration("ex-http", name="a")
    path = path_of(make_orchestration([[a]]))
    posted = one_phase(a, q="a")
    html = editor.post(path, {**posted, "action": "choose::p1"}).content.decode()
    button = f'name="action" value="add-task:p1:configuration:{a.pk}"'
    assert button in html
    html = editor.post(
        path, {**posted, "action": f"add-task:p1:configuration:{a.pk}"}
    ).content.decode()
    assert re.findall(r'class="row-link"[^>]*>([^<]*)<', html) == ["a", "a"]


def test_only_editors_see_what_can_be_added() -> None:
    client = Client()
    client.force_login(make_user(role="Operator"))
    assert client.get(reverse("task-choices")).status_code == 403
    assert client.post(reverse("task-choices")).status_code in {403, 405}
