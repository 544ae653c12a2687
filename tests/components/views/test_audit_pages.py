from __future__ import annotations

import csv
import html
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from components.enums import AuditAction
from components.models import AuditEntry
from components.services import audit
from components.services.audit import Subject
from components.services.configurations import move_to_trash, update_configuration
from orchestrator_site.lib.actor import Actor, acting
from tests.builders import make_configuration, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client) -> Any:
    user = make_user(role="Admin", name="root")
    client.force_login(user)
    AuditEntry.objects.all().delete()
    return user


def entry(name: str, *, actor: Actor | None = None, **changes: tuple[Any, Any]) -> None:
    with acting(actor or Actor("page", user=make_user(name=f"by-{name}"))):
        audit.record(AuditAction.CHANGED, Subject("thing", "1", name), dict(changes))


def names(response: Any) -> list[str]:
    """The names of the things on the page, in order."""
    return re.findall(r"thing “(\w+)”", text_of(response))


def test_it_says_who_changed_what_from_where(client: Client, admin: Any) -> None:
    configuration = make_configuration(name="Orders", description="Old")
    with acting(Actor("api", user=admin, address="192.0.2.7", token="nightly")):
        update_configuration(configuration, user=admin, description="New")
    page = client.get(reverse("audit"))
    text = text_of(page)
    assert "root changed configuration “Orders”" in text
    assert "API, token “nightly” · from 192.0.2.7" in text
    assert "Description Old → is now New" in text
    assert f'href="{configuration.get_absolute_url()}"' in page.content.decode()


def test_some_changes_have_words_of_their_own(client: Client, admin: Any) -> None:
    configuration = make_configuration(name="Orders")
    with acting(Actor("page", user=admin)):
        move_to_trash(configuration, user=admin)
    entry("flow", On=("yes", "no"))
    text = text_of(client.get(reverse("audit")))
    assert "root moved configuration “Orders” to the trash" in text
    assert "by-flow switched thing “flow” off" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["third", "second", "first"]),
        ("q=FIRST", ["first"]),
        ("q=žluť", ["second"]),
        ("q=nothing-like-it", []),
        ("person=by-th", ["third"]),
        ("channel=api", ["third"]),
        ("channel=rubbish&action=rubbish&after=rubbish", ["third", "second", "first"]),
        ("type=thing&id=1", ["third", "second", "first"]),
        ("type=other", []),
        ("from=2026-11-21&to=2026-11-21", ["second"]),
        ("from=2026-11-21", ["third", "second"]),
        ("to=2026-11-20", ["first"]),
        ("from=2026-02-31&to=9999-12-31", ["third", "second", "first"]),
        ("about=thing:1&action=changed", ["third", "second", "first"]),
    ],
)
def test_it_filters(client: Client, admin: Any, query: str, found: list[str]) -> None:
    for day, name in ((20, "first"), (21, "second"), (22, "third")):
        with time_machine.travel(datetime(2026, 11, day, 12, tzinfo=UTC), tick=False):
            actor = Actor("api", user=make_user(name="by-third")) if name == "third" else None
            entry(name, actor=actor, Colour=("red", "žlutý" if name == "second" else "blue"))
    AuditEntry.objects.exclude(object_type="thing").delete()
    query = query.replace("žluť", "žlut")
    assert names(client.get(f"{reverse('audit')}?{query}")) == found
    part = client.get(f"{reverse('audit')}?{query}", headers=HTMX)
    assert (names(part), "<html" in part.content.decode()) == (found, False)


def test_it_pages_by_key_and_keeps_the_filters(client: Client, admin: Any) -> None:
    actor = Actor("page", user=admin)
    for number in range(55):
        entry(f"n{number}", actor=actor, Colour=("red", "blue"))
    page = client.get(f"{reverse('audit')}?type=thing")
    assert names(page) == [f"n{n}" for n in range(54, 4, -1)]
    (older,) = set(re.findall(r'rel="next" href="([^"]+)"', page.content.decode()))
    assert "type=thing" in older
    assert names(client.get(f"{reverse('audit')}{html.unescape(older)}")) == [
        f"n{n}" for n in range(4, -1, -1)
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_it_costs_the_same_for_any_number(
    client: Client, admin: Any, count: int, django_assert_num_queries: Any
) -> None:
    for number in range(count):
        update_configuration(make_configuration(name=f"c{number}"), user=None, description="x")
    client.get(reverse("audit"))
    with django_assert_num_queries(8):
        assert text_of(client.get(reverse("audit"))).count("changed configuration") == count


def test_what_is_gone_is_not_linked(client: Client, admin: Any) -> None:
    configuration = make_configuration(name="Orders")
    address = configuration.get_absolute_url()
    configuration.delete()
    page = client.get(reverse("audit"))
    assert "deleted configuration “Orders”" in text_of(page)
    assert address not in page.content.decode()


def test_values_are_escaped(client: Client, admin: Any) -> None:
    entry("x", actor=Actor("page", user=admin), Colour=("<script>", "<b>bold</b>"))
    page = client.get(reverse("audit")).content.decode()
    assert ("<b>bold" in page, "&lt;b&gt;bold&lt;/b&gt;" in page) == (False, True)


def test_it_exports_what_the_filters_leave(client: Client, admin: Any) -> None:
    actor = Actor("page", user=admin, address="192.0.2.7")
    entry("first", actor=actor, Colour=("red", "=HYPERLINK(1)"), Size=("žluť", None))
    entry("second", actor=actor, Colour=("red", "blue"))
    answer = client.get(f"{reverse('audit-export')}?q=first")
    text = b"".join(answer).decode()
    assert text.startswith("\ufeffat,actor,channel")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row[1:] for row in rows[1:]] == [
        ["root", "page", "192.0.2.7", "", "changed", "thing", "1", "first", place, before, after]
        for place, before, after in (("Colour", "red", "'=HYPERLINK(1)"), ("Size", "žluť", ""))
    ]
    assert re.search(r'filename="changes-[\d-]+\.csv"', answer["Content-Disposition"])


def test_an_objects_own_changes_are_for_everybody_but_where_from(client: Client) -> None:
    ada = make_user(name="ada")
    mine, other = make_configuration(name="Mine"), make_configuration(name="Other")
    with acting(Actor("page", user=ada, address="192.0.2.7")):
        update_configuration(mine, user=ada, description="New")
        update_configuration(other, user=ada, description="Not here")
    address = reverse("audit-object", args=["configuration", mine.pk])
    for role, sees_address in (("Viewer", False), ("Admin", True)):
        client.force_login(make_user(role=role))
        text = text_of(client.get(address))
        assert "ada changed configuration “Mine”" in text
        assert ("192.0.2.7" in text, "Not here" in text) == (sees_address, False)
        assert address in client.get(mine.get_absolute_url()).content.decode()
    assert client.get(reverse("audit-object", args=["configuration", 999])).status_code == 404
    assert client.get(reverse("audit-object", args=["user", ada.pk])).status_code == 404


def test_who_may_not(client: Client) -> None:
    address = reverse("audit-object", args=["configuration", make_configuration().pk])
    assert client.get(reverse("audit"))["Location"] == "/accounts/login/?next=/audit/"
    for role in (None, "Viewer", "Operator", "Editor"):
        client.force_login(make_user(role=role))
        codes = [client.get(reverse(name)).status_code for name in ("audit", "audit-export")]
        assert codes == [403, 403]
    client.force_login(make_user())
    assert client.get(address).status_code == 403


def test_the_admin_panel_leads_to_the_changes_of_a_row(client: Client, admin: Any) -> None:
    configuration = make_configuration()
    change = reverse("admin:components_configuration_change", args=[configuration.pk])
    page = client.get(change).content.decode()
    assert f"/audit/?type=configuration&amp;id={configuration.pk}" in page
    entries = client.get(reverse("admin:components_auditentry_changelist"))
    assert "configuration" in text_of(entries)
    first = AuditEntry.objects.latest("pk")
    shown = client.get(reverse("admin:components_auditentry_change", args=[first.pk]))
    assert (shown.status_code, 'name="_save"' in shown.content.decode()) == (200, False)
