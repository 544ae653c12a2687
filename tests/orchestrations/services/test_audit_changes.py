from __future__ import annotations

from typing import Any

import pytest

from components.models import AuditEntry
from orchestrations.enums import NotificationEvent
from orchestrations.services.automation import automate
from orchestrations.services.notifications import save_notifications, signing_secret
from orchestrations.services.orchestrations import (
    move_to_trash,
    purge,
    restore_from_trash,
    save_orchestration,
    set_enabled,
)
from orchestrations.services.restoring import copy_orchestration
from orchestrations.services.schedules import (
    create_schedule,
    delete_schedule,
    update_schedule,
)
from orchestrations.services.triggers import create_trigger, delete_trigger, update_trigger
from orchestrator_site.lib.actor import Actor, acting
from orchestrator_site.lib.differences import STEP
from tests.builders import make_configuration, make_orchestration, make_user

pytestmark = pytest.mark.django_db
HOOK = "https://hooks.example.com/services/T0/secret-path-of-it"


@pytest.fixture(autouse=True)
def fresh_record() -> Any:
    AuditEntry.objects.all().delete()


def told() -> list[tuple[str, str, str]]:
    """What was done, to which kind of object, and its name; oldest first, then forgotten."""
    rows = AuditEntry.objects.exclude(object_type__in=["configuration", "component", "user"])
    found = [(e.action, e.object_type, e.object_name) for e in rows.order_by("pk")]
    AuditEntry.objects.all().delete()
    return found


def last() -> dict[str, Any]:
    return dict(AuditEntry.objects.latest("pk").changes)


def test_an_orchestration_is_told_with_its_phases_and_tasks() -> None:
    orders = make_configuration(name="Orders")
    orchestration = make_orchestration([[orders]], name="Shop", user=make_user(name="ada"))
    assert last() == {
        "Name": ["", "Shop"],
        f"Phases{STEP}Phase 1": [None, "added with 1 task"],
        f"Tasks{STEP}Orders": [None, "added in phase “Phase 1”"],
    }
    assert told() == [("created", "orchestration", "Shop")]
    version = orchestration.versions.get()
    phases = version.definition["phases"]
    phases[0]["tasks"][0] |= {"continue_on_failure": True, "parameters": {"rows": 5}}
    save_orchestration(
        orchestration,
        user=None,
        expected_version=1,
        name="Store",
        description="All of it.",
        variables={"day": "monday"},
        phases=phases,
    )
    changes = last()
    assert changes["Name"] == ["Shop", "Store"]
    assert changes["Description"] == ["", "All of it."]
    assert changes[f"Variables{STEP}day"] == [None, "monday"]
    assert changes[f"Tasks{STEP}Orders{STEP}Continue on failure"] == ["no", "yes"]
    assert changes[f"Tasks{STEP}Orders{STEP}Parameters{STEP}rows"] == [None, "5"]
    assert told() == [("changed", "orchestration", "Store")]


def test_saving_what_is_there_tells_nothing() -> None:
    orchestration = make_orchestration(name="Shop")
    told()
    save_orchestration(orchestration, user=None, expected_version=1, name="Shop")
    set_enabled(orchestration, enabled=True)
    assert told() == []


def test_schedules_are_told_by_themselves() -> None:
    orchestration = make_orchestration(name="Shop")
    told()
    schedule = create_schedule(orchestration, cron="0 6 * * *", timezone="UTC", user=None)
    assert told() == [("created", "schedule", "Every day at 06:00, UTC of Shop")]
    update_schedule(schedule, cron="30 7 * * *", name="Morning", enabled=False)
    assert last() == {
        "Name": ["", "Morning"],
        "When": ["Every day at 06:00, UTC", "Every day at 07:30, UTC"],
        "Enabled": ["yes", "no"],
    }
    entry = AuditEntry.objects.latest("pk")
    assert (entry.object_id, entry.about) == (str(schedule.pk), f"orchestration:{orchestration.pk}")
    assert told() == [("changed", "schedule", "Morning of Shop")]
    delete_schedule(schedule)
    assert last()["Cron expression"] == ["30 7 * * *", None]
    assert told() == [("deleted", "schedule", "Morning of Shop")]


def test_automate_tells_of_the_orchestration_and_its_schedule() -> None:
    configuration, user = make_configuration(name="Orders"), make_user(name="ada")
    AuditEntry.objects.all().delete()
    with acting(Actor("page", user=user)):
        automate(configuration, name="", cron="0 6 * * *", timezone="UTC", user=user)
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {"ada"}
    assert told() == [
        ("created", "orchestration", "Automated Orders"),
        ("created", "schedule", "Every day at 06:00, UTC of Automated Orders"),
    ]


def test_triggers_are_told_with_their_tables() -> None:
    orchestration = make_orchestration(name="Shop")
    told()
    trigger = create_trigger(orchestration, tables=["in.c-a.b"], user=None)
    assert told() == [("created", "trigger", "in.c-a.b of Shop")]
    update_trigger(trigger, user=None, tables=["in.c-a.b", "in.c-a.c"], cooldown=7)
    changes = last()
    assert changes["Tables"] == ["in.c-a.b", "in.c-a.b, in.c-a.c"]
    assert len(changes) == 2
    assert told() == [("changed", "trigger", "in.c-a.b, in.c-a.c of Shop")]
    delete_trigger(trigger)
    assert told() == [("deleted", "trigger", "in.c-a.b, in.c-a.c of Shop")]


def test_notifications_are_told_without_the_address_of_a_hook() -> None:
    orchestration = make_orchestration(name="Shop")
    told()
    wanted: Any = [
        {"event": NotificationEvent.ERROR, "address": address}
        for address in ("ada@example.com", HOOK)
    ]
    save_notifications(orchestration, wanted, user=None)
    everything = str(list(AuditEntry.objects.values()))
    assert ("secret-path" in everything, "enc::" in everything) == (False, False)
    mail, hook = told()
    assert mail == ("created", "notification", "Errors to ada@example.com of Shop")
    assert hook[:2] == ("created", "notification")
    assert "hooks.example.com/…" in hook[2]
    save_notifications(orchestration, [], user=None)
    assert [row[:2] for row in told()] == [("deleted", "notification")] * 2
    first = signing_secret(orchestration)
    assert told() == []
    second = signing_secret(orchestration, renew=True)
    assert last() == {"Text": ["a secret", "another secret"]}
    assert {first in str(last()), second in str(last())} == {False}
    assert told() == [("changed", "signing secret", "Shop")]


def test_the_switch_the_trash_and_the_end_are_told() -> None:
    user = make_user()
    orchestration = make_orchestration(
        [[make_configuration(name="Orders")]], name="Shop", user=user
    )
    create_schedule(orchestration, cron="0 6 * * *", timezone="UTC", user=None)
    told()
    set_enabled(orchestration, enabled=False)
    assert last() == {"Enabled": ["yes", "no"]}
    move_to_trash(orchestration, user=user)
    assert last() == {"In the trash": [None, "yes"]}
    restore_from_trash(orchestration)
    assert last() == {"In the trash": ["yes", None]}
    assert told() == [("changed", "orchestration", "Shop")] * 3
    move_to_trash(orchestration, user=user)
    purge(orchestration)
    end = AuditEntry.objects.get(action="deleted", object_type="orchestration")
    assert f"Tasks{STEP}Orders" in end.changes
    assert f"Schedules{STEP}Every day at 06:00, UTC" in end.changes
    assert ("deleted", "token", "Orchestrator Shop") in told()


def test_a_copy_is_told_as_a_new_one() -> None:
    first = make_orchestration([[make_configuration()]], name="Shop")
    told()
    copy_orchestration(first, user=None)
    assert told() == [("created", "orchestration", "Copy of Shop")]


def test_secrets_in_the_parameters_of_tasks_are_named() -> None:
    orders = make_configuration(name="Orders")
    target: Any = {"configuration": orders.pk, "parameters": {"#password": "hunter2-value"}}
    orchestration = make_orchestration([[target]], name="Shop")
    target["parameters"] = {"#password": "another-value"}
    save_orchestration(
        orchestration,
        user=None,
        expected_version=1,
        phases=[{"key": "p1", "name": "Phase 1", "tasks": [target | {"key": "t1"}]}],
    )
    place = f"Tasks{STEP}Orders{STEP}Parameters{STEP}#password"
    assert last()[place] == ["a secret", "another secret"]
    everything = str(list(AuditEntry.objects.values()))
    for secret in ("hunter2", "another-value", "enc::"):
        assert secret not in everything
