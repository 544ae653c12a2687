from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from components.models import Bucket, Component, Configuration, Table
from components.services.configurations import create_configuration
from components.services.jobs import create_job
from tests.builders import finish_job, make_component, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
CURRENCY = "/components/ex-currency/"


@pytest.fixture
def editor(client: Client) -> User:
    user = make_user(role="Editor", name="eve")
    client.force_login(user)
    return user


def make(name: str, key: str = "ex-currency") -> Configuration:
    return create_configuration(Component.objects.get(key=key), user=None, name=name)


def test_the_catalogue_lists_components_by_type_and_counts_what_is_used(
    client: Client, editor: User
) -> None:
    make("Rates")
    gone = make("Old")
    Configuration.objects.filter(pk=gone.pk).update(deleted_at=timezone.now())
    make_component("test-off", name="Switched off", is_active=False)
    text = text_of(client.get("/components/"))
    places = [text.index(f" {t} ") for t in ("Database", "SQL transformation", "HTTP call")]
    assert places == sorted(places)
    assert "ECB currency rates Loads the reference exchange rates" in text
    assert text.count("1 configuration ") == 1
    assert "Switched off" not in text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=currency", ["ECB currency rates"]),
        ("q=Weekly+rep", ["ECB currency rates"]),
        ("type=transformation", ["SQL transformation"]),
        ("q=currency&type=writer", []),
        ("q=nothing+like+it", []),
    ],
)
def test_the_catalogue_is_searched_by_component_and_configuration(
    client: Client, editor: User, query: str, names: list[str]
) -> None:
    make("Weekly report")
    answer = client.get(f"/components/?{query}", headers=HTMX)
    found = re.findall(r'shelf-link" href="[^"]+">([^<]+)<', answer.content.decode())
    assert found == names
    assert ("Nothing found" in text_of(answer)) is (names == [])


def test_a_component_shows_its_configurations_with_their_last_runs(
    client: Client, editor: User
) -> None:
    ran = make("Rates")
    make("Unused")
    make("Elsewhere", "ex-http")
    finish_job(create_job(ran, user=editor))
    page = client.get(CURRENCY)
    table = page.content.decode().split("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)[1:]
    words = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).split()[:2] for row in rows]
    assert words == [["Rates", "Success"], ["Unused", "Never"]]
    assert "Documentation" in text_of(page)


def test_a_component_without_configurations_offers_the_next_step(
    client: Client, editor: User
) -> None:
    offer = f'<a class="btn btn-primary" href="{CURRENCY}new/">New configuration</a>'
    assert offer in client.get(CURRENCY).content.decode()
    client.force_login(make_user(role="Viewer"))
    page = client.get(CURRENCY)
    assert "No configurations yet" in text_of(page)
    assert "/new/" not in page.content.decode()


def test_a_new_configuration_needs_a_name_and_leads_to_its_page(
    client: Client, editor: User
) -> None:
    where = reverse("configuration-new", args=["ex-currency"])
    assert "New configuration of ECB currency rates" in text_of(client.get(where, headers=HTMX))
    bad = client.post(where, {"name": " ", "description": "kept"}, headers=HTMX)
    assert bad.status_code == 422
    assert "Give the configuration a name." in text_of(bad)
    assert "kept" in text_of(bad)
    nul = client.post(where, {"name": "a\0b"})
    assert nul.status_code == 422
    answer = client.post(where, {"name": "Rates", "description": "Daily"}, headers=HTMX)
    made = Configuration.objects.get()
    assert answer["HX-Redirect"] == made.get_absolute_url()
    assert (made.name, made.description, made.created_by) == ("Rates", "Daily", editor)
    plain = client.post(where, {"name": "Second"})
    assert plain["Location"] == Configuration.objects.get(name="Second").get_absolute_url()


def test_a_component_that_is_switched_off_takes_no_new_configuration(
    client: Client, editor: User
) -> None:
    Component.objects.filter(key="ex-currency").update(is_active=False)
    assert client.post(f"{CURRENCY}new/", {"name": "Rates"}).status_code == 404
    assert "New configuration" not in text_of(client.get(CURRENCY))
    assert Configuration.objects.count() == 0


def test_tables_are_found_by_every_word(client: Client, editor: User) -> None:
    bucket = Bucket.objects.create(key="in.c-shop", stage="in", name="shop")
    for name in ("orders", "order-lines", "people"):
        Table.objects.create(bucket=bucket, key=f"in.c-shop.{name}", name=name)
    found = client.get(reverse("table-options"), {"q": "ORDER shop"}).json()
    keys = ["in.c-shop.order-lines", "in.c-shop.orders"]
    assert found == {"options": [{"value": key, "text": key} for key in keys]}


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("get", "/components/", "Viewer"),
        ("get", CURRENCY, "Viewer"),
        ("get", "/configurations/tables/", "Viewer"),
        ("get", f"{CURRENCY}new/", "Editor"),
        ("post", f"{CURRENCY}new/", "Editor"),
    ],
)
def test_each_call_is_for_its_roles_only(
    client: Client, method: str, path: str, least: str
) -> None:
    login = getattr(client, method)(path)
    assert login["Location"].startswith("/accounts/login/")
    roles = ["Viewer", "Operator", "Editor", "Admin"]
    for role in [None, *roles]:
        client.force_login(make_user(role=role))
        allowed = role is not None and roles.index(role) >= roles.index(least)
        assert (getattr(client, method)(path).status_code == 403) is not allowed
    if "new" not in path:
        assert client.post(path).status_code == 405
    if "ex-currency" in path:
        assert client.get(path.replace("ex-currency", "no-such")).status_code == 404


@pytest.mark.parametrize("path", ["/components/", CURRENCY])
def test_lists_cost_the_same_with_one_row_and_with_three(
    client: Client, editor: User, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make("First")
    client.get(path)
    expected = {"/components/": 5, CURRENCY: 7}[path]
    for _ in range(2):
        with django_assert_num_queries(expected):
            client.get(path)
        create_job(make("Second"))
        create_job(make("Third"))
