from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.services.notifications import save_notifications
from orchestrations.services.orchestrations import save_orchestration
from orchestrations.services.schedules import create_schedule, delete_schedule
from orchestrations.services.triggers import create_trigger
from tests.builders import make_configuration, make_orchestration, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
KINDS = re.compile(r'<li class="difference is-(\w+)">.*?<strong>([^<]+)', re.DOTALL)


def at(name: str, orchestration: Orchestration, *args: int) -> str:
    return reverse(f"orchestration-{name}", args=[orchestration.pk, *args])


def renamed(*names: str) -> Orchestration:
    """An orchestration that bob renamed again and again."""
    orchestration = make_orchestration([[make_configuration("ex-http", name="First")]], name="Old")
    bob = make_user(name="bob")
    for name in names:
        save_orchestration(
            orchestration, user=bob, expected_version=orchestration.version, name=name
        )
    return orchestration


def with_schedule() -> Orchestration:
    """Version 2 has a schedule, version 3 none and another name."""
    orchestration = renamed()
    schedule = create_schedule(
        orchestration, cron="0 5 * * *", timezone="UTC", user=None, name="Mornings"
    )
    delete_schedule(schedule)
    orchestration.refresh_from_db()
    save_orchestration(orchestration, user=None, expected_version=3, name="New")
    return orchestration


def test_the_list_names_what_changed_by_whom(viewer: Client) -> None:
    orchestration = renamed("New", "Newer")
    html = viewer.get(at("versions", orchestration)).content.decode()
    assert re.findall(r'class="row-link"[^>]*>([^<]+)', html) == ["#3", "#2", "#1"]
    chosen = re.findall(r'name="(from|to)" value="(\d)"[^>]* checked', html)
    assert chosen == [("to", "3"), ("from", "2")]
    assert "Renamed to “Newer”." in html
    assert "Restore" not in text_of(viewer.get(at("versions", orchestration)))


def test_the_list_is_filtered_by_words_and_by_person(viewer: Client) -> None:
    orchestration = renamed("New", "Newer")
    path = at("versions", orchestration)

    def shown(**query: str) -> list[str]:
        html = viewer.get(path, query).content.decode()
        return re.findall(r'class="row-link"[^>]*>([^<]+)', html)

    assert shown(q="renamed newer") == ["#3"]
    assert shown(by="bob") == ["#3", "#2"]
    assert shown(q="created", by="bob") == []
    assert "No version matches" in text_of(viewer.get(path, {"q": "\0nothing"}))
    fragment = viewer.get(path, {"q": "newer"}, headers=HTMX).content.decode()
    assert fragment.lstrip().startswith('<div id="orchestration-versions"')


@pytest.mark.parametrize("name", ["versions", "compare"])
def test_pages_cost_the_same_for_many_versions(viewer: Client, name: str) -> None:
    def queries(orchestration: Orchestration) -> int:
        with CaptureQueriesContext(connection) as found:
            viewer.get(at(name, orchestration))
        return len(found)

    one, three = renamed("New"), make_orchestration([[make_configuration()]])
    for number in range(3):
        save_orchestration(three, user=None, expected_version=three.version, name=f"N{number}")
    assert queries(one) == queries(three)


def test_any_two_versions_are_compared(viewer: Client) -> None:
    orchestration = renamed("New")
    save_orchestration(orchestration, user=None, expected_version=2, phases=[])
    path = at("compare", orchestration)
    latest = viewer.get(path).content.decode()
    assert KINDS.findall(latest) == [("removed", "Phase 1"), ("removed", "First")]
    first = viewer.get(path, {"from": "1", "to": "2"})
    assert KINDS.findall(first.content.decode()) == [("changed", "Name")]
    assert "Old → is now New" in text_of(first)
    back = viewer.get(path, {"from": "2", "to": "1"})
    assert "New → is now Old" in text_of(back)
    assert "No difference" in text_of(viewer.get(path, {"from": "2", "to": "2"}))
    assert viewer.get(path, {"from": "1", "to": "9"}).status_code == 404


def test_one_version_is_shown_whole(viewer: Client) -> None:
    orders = make_configuration("ex-http", name="Orders")
    orchestration = make_orchestration(
        [
            [{"configuration": orders.pk, "retries": 2, "parameters": {"#key": "hush"}}],
            [make_orchestration(name="Inner")],
        ],
        waits=[None, []],
        name="Shop",
        description="All of it",
        variables={"day": "1"},
    )
    create_schedule(orchestration, cron="0 5 * * *", timezone="UTC", user=None, name="Mornings")
    create_trigger(orchestration, tables=["in.c-shop.orders"], user=None)
    save_notifications(orchestration, [{"event": "error", "address": "ann@example.com"}], user=None)
    text = text_of(viewer.get(at("version", orchestration, 4)))
    for part in (
        *("Version 4 latest", "Shop", "All of it", "2 tasks in 2 phases", "day 1"),
        *("Orders Retries 2, after 1 min, doubling", "#key a secret", "Inner"),
        *("waits for nothing, it starts at once", "Mornings Every day at 05:00, UTC"),
        *("When updated: in.c-shop.orders", "Errors to ann@example.com by E-mail"),
    ):
        assert part in text
    assert "hush" not in text
    early = text_of(viewer.get(at("version", orchestration, 1)))
    assert "Mornings" not in early
    Orchestration.objects.filter(name="Inner").update(name="Renamed")
    save_orchestration(orchestration, user=None, expected_version=4, phases=[])
    orders.delete()
    assert "Something deleted" in text_of(viewer.get(at("version", orchestration, 1)))
    assert viewer.get(at("version", orchestration, 9)).status_code == 404


def test_the_restore_dialog_says_what_will_change(editor: Client) -> None:
    orchestration = with_schedule()
    answer = editor.get(at("restore", orchestration, 2), headers=HTMX)
    html = answer.content.decode()
    assert re.findall(r'name="part" value="(\w+)" checked', html) == ["details", "schedules"]
    assert KINDS.findall(html) == [("changed", "Name"), ("added", "Mornings")]
    same = editor.get(at("restore", orchestration, 4))
    assert "there is nothing to restore" in text_of(same)


def test_it_restores_what_was_chosen(editor: Client) -> None:
    orchestration = with_schedule()
    answer = editor.post(
        at("restore", orchestration, 2), {"part": ["schedules"], "latest": "4"}, follow=True
    )
    orchestration.refresh_from_db()
    assert (orchestration.name, orchestration.version) == ("New", 5)
    assert orchestration.schedules.get().deleted_at is None
    assert "Restored schedules of version 2. It is version 5 now." in text_of(answer)
    version = orchestration.versions.get(number=5)
    assert version.created_by is not None
    assert version.created_by.username == "ada"
    by_htmx = editor.post(
        at("restore", orchestration, 2), {"part": ["details"], "latest": "5"}, headers=HTMX
    )
    assert by_htmx["HX-Redirect"] == orchestration.get_absolute_url()


def test_nothing_chosen_and_a_version_made_meanwhile_are_told(editor: Client) -> None:
    orchestration = with_schedule()
    nothing = editor.post(at("restore", orchestration, 2), {"latest": "4"}, headers=HTMX)
    assert nothing.status_code == 422
    assert "Choose at least one part to restore." in text_of(nothing)
    old = editor.post(at("restore", orchestration, 2), {"part": ["details"], "latest": "3"})
    assert old.status_code == 422
    assert "Version 4 was saved meanwhile. This is the difference to it." in text_of(old)
    assert 'value="details" checked' in old.content.decode()
    assert orchestration.versions.count() == 4


def test_a_version_whose_tasks_are_gone_offers_its_other_parts(editor: Client) -> None:
    orchestration = renamed("New")
    save_orchestration(orchestration, user=None, expected_version=2, phases=[])
    Configuration.objects.all().delete()
    html = editor.get(at("restore", orchestration, 1)).content.decode()
    choices = re.findall(r'name="part" value="(\w+)"( checked)?( disabled)?', html)
    assert choices == [("details", " checked", ""), ("tasks", "", " disabled")]
    sentence = "in phase “Phase 1” was deleted for good, so its tasks cannot come back."
    assert sentence in html
    answer = editor.post(at("restore", orchestration, 1), {"part": ["tasks"], "latest": "3"})
    assert answer.status_code == 422
    assert f"Version 1: The configuration or orchestration of a task {sentence}" in text_of(answer)


def test_a_configuration_in_the_trash_is_warned_of(editor: Client) -> None:
    orchestration = renamed("New")
    save_orchestration(orchestration, user=None, expected_version=2, phases=[])
    assert "In the trash" not in text_of(editor.get(at("restore", orchestration, 1)))
    Configuration.objects.update(deleted_at=orchestration.created_at)
    assert "until it is restored: “First”" in text_of(editor.get(at("restore", orchestration, 1)))


def test_the_copy_dialog_offers_what_there_is(editor: Client) -> None:
    orchestration = with_schedule()
    html = editor.get(at("copy", orchestration), {"version": "2"}, headers=HTMX).content.decode()
    assert html.count("disabled") == 2
    assert "1 schedule" in html
    assert "switched off until you switch it on" in html
    assert editor.get(at("copy", orchestration), {"version": "9"}).status_code == 404


def test_it_copies_a_version(editor: Client) -> None:
    orchestration = with_schedule()
    answer = editor.post(
        at("copy", orchestration), {"version": "2", "name": "Mine", "part": ["schedules"]}
    )
    copy = Orchestration.objects.get(name="Mine")
    assert answer["Location"] == copy.get_absolute_url()
    assert (copy.schedules.get().name, copy.schedules.get().is_enabled) == ("Mornings", False)
    editor.post(at("copy", orchestration))
    assert Orchestration.objects.get(name="Copy of New").schedules.count() == 0


def test_a_bad_name_of_a_copy_keeps_what_was_typed(editor: Client) -> None:
    orchestration = renamed()
    answer = editor.post(at("copy", orchestration), {"name": "a\0b", "part": ["schedules"]})
    assert answer.status_code == 422
    long = editor.post(at("copy", orchestration), {"name": "x" * 201}, headers=HTMX)
    assert long.status_code == 422
    assert "Use 200 characters or fewer." in text_of(long)
    assert f'value="{"x" * 201}"' in long.content.decode()
    assert Orchestration.objects.count() == 1
