from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from components.enums import TokenScope
from components.models import AuditEntry, Bucket, Component, Configuration, Table
from components.services import audit
from components.services.configurations import (
    create_configuration,
    move_to_trash,
    purge,
    restore_from_trash,
    update_configuration,
)
from components.services.tokens import create_token, rename_token, revoke_token
from orchestrator_site.lib import actor
from orchestrator_site.lib.actor import Actor, acting
from orchestrator_site.lib.differences import STEP
from tests.builders import make_component, make_configuration, make_user

pytestmark = pytest.mark.django_db
Told = tuple[str, str, str, str]


def told(word: str) -> list[Told]:
    """Who did what to which object of a kind, oldest first."""
    rows = AuditEntry.objects.filter(object_type=word).order_by("pk")
    return [(e.actor, e.channel, e.action, e.object_name) for e in rows]


def last(word: str) -> dict[str, Any]:
    changes = AuditEntry.objects.filter(object_type=word).latest("pk").changes
    return dict(changes)


def test_a_fresh_installation_has_no_entries() -> None:
    assert AuditEntry.objects.count() == 0
    assert Component.objects.count() > 0


def test_a_configuration_is_told_from_its_making_to_its_end() -> None:
    user, component = make_user(name="ada"), make_component("ex-test", name="Test")
    with acting(Actor("page", user=user, address="192.0.2.7")):
        made = create_configuration(component, user=user, name="Orders", parameters={"url": "a"})
        update_configuration(made, user=user, parameters={"url": "b", "rows": 5})
        assert last("configuration") == {
            f"Parameters{STEP}url": ["a", "b"],
            f"Parameters{STEP}rows": [None, "5"],
        }
        move_to_trash(made, user=user)
        move_to_trash(made, user=user)
        assert last("configuration") == {"In the trash": [None, "yes"]}
        restore_from_trash(made)
        move_to_trash(made, user=user)
        made.refresh_from_db()
        purge(made)
    assert [row[2] for row in told("configuration")] == [
        *("created", "changed", "changed", "changed", "changed", "deleted")
    ]
    entry = AuditEntry.objects.filter(object_type="configuration").latest("pk")
    assert (entry.user, entry.actor, entry.channel, entry.address) == (
        *(user, "ada", "page", "192.0.2.7"),
    )
    assert entry.changes["Component"] == ["Test", None]
    assert entry.about == f"configuration:{entry.object_id}"


def test_what_is_not_watched_makes_no_entry() -> None:
    made = make_configuration()
    before = AuditEntry.objects.count()
    made.state = {"cursor": 7}
    made.save()
    made.save(update_fields=["state", "updated_at"])
    update_configuration(made, user=None, name=made.name)
    assert AuditEntry.objects.count() == before


def test_a_save_costs_one_query_without_a_change_and_two_with_one(
    django_assert_num_queries: Any,
) -> None:
    made = make_configuration()
    with django_assert_num_queries(2):
        made.save()
    made.name = "Other"
    with django_assert_num_queries(3):
        made.save()
    with django_assert_num_queries(1):
        made.save(update_fields=["state"])
    table = Table.objects.create(bucket=Bucket.objects.create(key="in.c-a"), key="in.c-a.b")
    table.imported_at = timezone.now()
    with django_assert_num_queries(1):
        table.save(update_fields=["current", "imported_at", "last_job"])


def test_secrets_are_named_and_never_shown() -> None:
    component = make_component("ex-test")
    made = create_configuration(
        component, user=None, name="A", parameters={"login": {"#password": "hunter2-value"}}
    )
    assert last("configuration")[f"Parameters{STEP}login{STEP}#password"] == [None, "a secret"]
    update_configuration(made, user=None, parameters={"login": {"#password": "another-value"}})
    place = f"Parameters{STEP}login{STEP}#password"
    assert last("configuration") == {place: ["a secret", "another secret"]}
    update_configuration(made, user=None, parameters={})
    assert last("configuration") == {place: ["a secret", None]}
    everything = str(list(AuditEntry.objects.values()))
    assert ("hunter2" in everything, "enc::" in everything) == (False, False)
    assert "enc::" in str(made.parameters)


def test_an_entry_lives_and_dies_with_its_change() -> None:
    made = make_configuration(name="Before")
    before = AuditEntry.objects.count()
    with transaction.atomic():
        update_configuration(made, user=None, name="After")
        assert AuditEntry.objects.count() == before + 1
        transaction.set_rollback(True)
    assert (AuditEntry.objects.count(), Configuration.objects.get().name) == (before, "Before")


def test_long_texts_are_cut_and_many_places_counted() -> None:
    made = make_configuration(parameters={})
    update_configuration(made, user=None, description="x" * 5000)
    assert last("configuration")["Description"] == ["", "x" * 2000 + "…"]
    update_configuration(made, user=None, parameters={f"k{n}": n for n in range(150)})
    changes = last("configuration")
    assert (len(changes), changes["…"]) == (101, [None, "50 more places"])


def test_tokens_are_told_without_their_text() -> None:
    user = make_user(name="ada")
    token, text = create_token(user, name="nightly", scope=TokenScope.RUN)
    assert last("token") == {
        "Name": [None, "nightly"],
        "Acts as": [None, "ada"],
        "Scope": [None, "Run"],
        "Text": [None, "a secret"],
    }
    rename_token(token, name="daily ")
    assert last("token") == {"Name": ["nightly", "daily"]}
    revoke_token(token)
    assert [row[2] for row in told("token")] == ["created", "changed", "deleted"]
    assert text not in str(list(AuditEntry.objects.values()))


def test_people_and_groups_are_told_without_passwords() -> None:
    with acting(actor.command("createsuperuser")):
        user = make_user(name="ada")
    assert told("user") == [("manage.py createsuperuser", "command", "created", "ada")]
    assert last("user")["Password"] == [None, "a secret"]
    user.set_password("a new pass phrase")
    user.is_active = False
    user.save()
    assert last("user") == {"Password": ["a secret", "another secret"], "Active": ["yes", "no"]}
    editors = Group.objects.get(name="Editor")
    user.groups.add(editors, Group.objects.get(name="Viewer"))
    assert last("user") == {"Groups": [None, "Editor, Viewer"]}
    user.groups.add(editors)
    user.groups.set([editors])
    assert last("user") == {"Groups": ["Viewer", None]}
    editors.user_set.clear()
    assert last("group") == {"Members": ["ada", None]}
    user.last_login = timezone.now()
    user.save(update_fields=["last_login"])
    editors.permissions.clear()
    assert last("group")["Permissions"][0].split(", ") == [
        *("edit_project", "operate_project", "view_project")
    ]
    user.delete()
    assert [row[2] for row in told("user")] == [
        *("created", "changed", "changed", "changed", "deleted")
    ]


def test_what_the_code_brings_is_silent() -> None:
    component = make_component()
    component.max_parallel = 3
    with audit.silence():
        component.save()
    assert len(told("component")) == 1
    component.max_parallel = 4
    component.save()
    assert last("component") == {"Jobs at once": ["3", "4"]}
    assert told("component")[-1][:2] == ("system", "system")


def test_who_deletes_their_own_account_is_named_all_the_same() -> None:
    user = make_user(name="ada")
    create_token(user, name="nightly", scope=TokenScope.RUN)
    with acting(Actor("admin", user=user, address="192.0.2.7")):
        user.delete()
        make_component(name="Later")
    rows = AuditEntry.objects.filter(actor="ada").order_by("pk")
    assert [(e.action, e.object_name, e.user, e.address) for e in rows] == [
        ("deleted", "nightly", None, "192.0.2.7"),
        ("deleted", "ada", None, "192.0.2.7"),
        ("created", "Later", None, "192.0.2.7"),
    ]
