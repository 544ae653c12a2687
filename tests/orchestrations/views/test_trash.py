from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from components.models import Configuration
from components.services import configurations
from orchestrations.models import Orchestration
from orchestrations.services.orchestrations import move_to_trash
from orchestrations.services.schedules import create_schedule
from tests.builders import make_configuration, make_orchestration, make_run, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
TRASH, RESTORE, PURGE = "trash", "trash-restore", "trash-purge"


def throw(*items: Configuration | Orchestration) -> None:
    user = make_user()
    for item in items:
        if isinstance(item, Configuration):
            configurations.move_to_trash(item, user=user)
        else:
            move_to_trash(item, user=user)


def names(response: object) -> list[str]:
    html = response.content.decode()  # type: ignore[attr-defined]
    return re.findall(r'class="trash-name"><strong>([^<]+)', html)


def key(item: Configuration | Orchestration) -> str:
    return f"{type(item).__name__.lower()}:{item.pk}"


def test_it_lists_what_was_thrown_away_and_nothing_else(editor: Client) -> None:
    assert "The trash is empty" in text_of(editor.get(reverse(TRASH)))
    gone = make_configuration("ex-http", name="Gone")
    make_configuration("ex-http", name="Kept")
    nightly = make_orchestration([[gone]], name="Nightly")
    make_orchestration([], name="Daily")
    create_schedule(nightly, cron="0 5 * * *", timezone="UTC", user=None)
    throw(gone, nightly)
    answer = editor.get(reverse(TRASH))
    assert names(answer) == ["Nightly", "Gone"]
    text = text_of(answer)
    assert "Orchestration, 1 task" in text
    assert "1 schedule" in text
    assert "It is a task of “Nightly”; remove it there first." in text


def test_it_is_searched_and_told_apart_by_kind(editor: Client) -> None:
    throw(
        make_configuration("ex-http", name="Orders of Brno"),
        make_orchestration([], name="Orders every night"),
        make_orchestration([], name="Clients"),
    )
    found = editor.get(reverse(TRASH), {"q": "orders"})
    assert names(found) == ["Orders every night", "Orders of Brno"]
    assert "All 2 Orchestrations 1 Configurations 1" in text_of(found)
    assert names(editor.get(reverse(TRASH), {"kind": "configuration"})) == ["Orders of Brno"]
    assert names(editor.get(reverse(TRASH), {"kind": "nonsense", "q": "\0clients"})) == ["Clients"]
    nothing = editor.get(reverse(TRASH), {"q": "none like it"}, headers=HTMX)
    assert nothing.content.decode().split("\n", 1)[1].lstrip().startswith('<div id="trash-list"')
    assert "Nothing in the trash matches" in text_of(nothing)


def test_it_is_paged(editor: Client) -> None:
    throw(*[make_orchestration([], name=f"O{number:02}") for number in range(51)])
    assert len(names(editor.get(reverse(TRASH)))) == 50
    assert names(editor.get(reverse(TRASH), {"page": "2"})) == ["O00"]


@pytest.mark.parametrize("name", [TRASH, PURGE])
def test_it_costs_the_same_for_many(editor: Client, name: str) -> None:
    def queries() -> int:
        configuration = make_configuration("ex-http")
        throw(configuration, make_orchestration([[configuration]]))
        with CaptureQueriesContext(connection) as found:
            editor.get(reverse(name), {"all": "1"})
        return len(found)

    editor.get(reverse(TRASH))
    first = queries()
    queries()
    assert queries() == first


def test_it_restores_one_and_says_what_came_along(editor: Client) -> None:
    nightly = make_orchestration([], name="Nightly")
    create_schedule(nightly, cron="0 5 * * *", timezone="UTC", user=None)
    throw(nightly)
    answer = editor.post(reverse(RESTORE), {"item": key(nightly)}, follow=True)
    assert Orchestration.objects.get().deleted_at is None
    assert "“Nightly” is back where it was, with 1 schedule." in text_of(answer)


def test_it_restores_several_and_warns_of_what_is_missing(editor: Client) -> None:
    orders, clients = make_configuration(name="Orders"), make_configuration(name="Clients")
    nightly = make_orchestration([[orders, clients]], name="Nightly")
    throw(orders, clients, nightly)
    answer = editor.post(reverse(RESTORE), {"item": [key(nightly), key(orders)]}, follow=True)
    text = text_of(answer)
    assert "2 are back where they were." in text
    assert "“Nightly” has tasks that fail: “Clients” is in the trash." in text
    assert list(Configuration.objects.filter(deleted_at=None)) == [orders]
    nothing = editor.post(reverse(RESTORE), {"item": ["x:1", "orchestration:y"]}, follow=True)
    assert "Choose what is to come back." in text_of(nothing)


def test_deleting_for_good_says_what_goes_and_asks(editor: Client) -> None:
    nightly = make_orchestration([[make_configuration("ex-http")]], name="Nightly")
    make_run(nightly, status="success")
    make_run(nightly, status="error")
    throw(nightly)
    asked = editor.get(reverse(PURGE), {"item": key(nightly)}, headers=HTMX)
    assert "Delete Nightly for good?" in text_of(asked)
    assert "with 2 runs and 1 version" in text_of(asked)
    again = editor.post(reverse(PURGE), {"item": key(nightly)})
    assert "Delete Nightly for good?" in text_of(again)
    assert Orchestration.objects.count() == 1
    done = editor.post(reverse(PURGE), {"item": key(nightly), "confirmed": "yes"}, follow=True)
    assert "“Nightly” is deleted for good." in text_of(done)
    assert not Orchestration.objects.exists()


def test_what_is_needed_cannot_be_deleted(editor: Client) -> None:
    used = make_configuration("ex-http", name="Used")
    nightly = make_orchestration([[used]], name="Nightly")
    throw(used)
    asked = editor.get(reverse(PURGE), {"item": key(used)})
    assert "Nothing can be deleted" in text_of(asked)
    assert "confirmed" in asked.content.decode()
    done = editor.post(reverse(PURGE), {"item": key(used), "confirmed": "yes"}, follow=True)
    assert "“Used” stays: It is a task of “Nightly”; remove it there first." in text_of(done)
    make_run(nightly)
    throw(nightly)
    asked = editor.get(reverse(PURGE), {"item": key(nightly)})
    assert "A run of it has not ended yet." in text_of(asked)
    nothing = editor.post(reverse(PURGE), follow=True)
    assert "Choose what is to be deleted." in text_of(nothing)


def test_emptying_deletes_what_can_be_and_keeps_the_rest(editor: Client) -> None:
    used, alone, kept = (make_configuration("ex-http", name=name) for name in ("U", "A", "K"))
    inner = make_orchestration([[alone]], name="Inner")
    outer = make_orchestration([[inner]], name="Outer")
    make_orchestration([[used]], name="Above")
    throw(used, alone, inner, outer)
    asked = editor.get(reverse(PURGE), {"all": "1"})
    text = text_of(asked)
    assert "Empty the trash?" in text
    assert "These stay U It is a task of “Above”; remove it there first." in text
    assert Orchestration.objects.count() == 3
    answer = editor.post(reverse(PURGE), {"all": "1", "confirmed": "yes"}, follow=True)
    assert set(Configuration.objects.all()) == {used, kept}
    assert [o.name for o in Orchestration.objects.all()] == ["Above"]
    assert "3 are deleted for good." in text_of(answer)
    assert "“U” stays: It is a task of “Above”; remove it there first." in text_of(answer)


def test_a_viewer_sees_it_and_changes_nothing() -> None:
    viewer = Client()
    viewer.force_login(make_user(role="Viewer"))
    nightly = make_orchestration([], name="Nightly")
    throw(nightly)
    answer = viewer.get(reverse(TRASH))
    assert names(answer) == ["Nightly"]
    assert '<button type="submit" class="btn btn-sm"' not in answer.content.decode()
    assert viewer.post(reverse(RESTORE), {"item": key(nightly)}).status_code == 403


@pytest.mark.parametrize("name", [RESTORE, PURGE])
def test_it_touches_only_what_lies_in_it(editor: Client, name: str) -> None:
    outside, nightly = make_configuration("ex-http"), make_orchestration([])
    items = [key(outside), key(nightly), "table:1", f"configuration:{10**30}"]
    editor.post(reverse(name), {"item": items, "confirmed": "yes"})
    assert Configuration.objects.get() == outside
    assert Orchestration.objects.get() == nightly
