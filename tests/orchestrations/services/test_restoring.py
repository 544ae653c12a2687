from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from components.models import Configuration
from orchestrations.enums import Misfire, VersionPart
from orchestrations.exceptions import InvalidOrchestration, InvalidSchedule, NotAllowed
from orchestrations.models import Calendar, Orchestration, Run, Schedule, Slot
from orchestrations.models.orchestration import Definition
from orchestrations.scheduling.slots import fire_due
from orchestrations.services import schedules, triggers
from orchestrations.services.notifications import save_notifications
from orchestrations.services.orchestrations import move_to_trash, save_orchestration
from orchestrations.services.restoring import copy_orchestration, restore_version
from orchestrator_site.lib.database_clock import database_now
from tests.builders import make_configuration, make_orchestration, make_user

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECRET_URL = "https://hooks.slack.com/services/T0/B0/abcdefgh"  # made up
pytestmark = pytest.mark.django_db


def definition(orchestration: Orchestration, number: int | None = None) -> Definition:
    version = orchestration.versions.get(number=number or orchestration.version)
    found: Definition = version.definition
    return found


def full() -> Orchestration:
    """An orchestration with one of each; version 4 is the first that holds all."""
    orchestration = make_orchestration(
        [[make_configuration(name="Orders")]],
        name="Shop",
        description="All",
        variables={"day": "1"},
    )
    schedules.create_schedule(
        orchestration, cron="0 5 * * *", timezone="UTC", user=None, name="Mornings"
    )
    triggers.create_trigger(orchestration, tables=["in.c-shop.orders"], user=None)
    save_notifications(
        orchestration,
        [
            {"event": "error", "address": "ann@example.com"},
            {"event": "success", "address": SECRET_URL},
        ],
        user=None,
    )
    return orchestration


def empty(orchestration: Orchestration) -> None:
    """Take all away again, change by change."""
    for schedule in orchestration.schedules.filter(deleted_at=None):
        schedules.delete_schedule(schedule)
    for trigger in orchestration.triggers.filter(deleted_at=None):
        triggers.delete_trigger(trigger)
    save_notifications(orchestration, [], user=None)
    orchestration.refresh_from_db()
    save_orchestration(
        orchestration,
        user=None,
        expected_version=orchestration.version,
        name="Empty",
        description="",
        variables={},
        phases=[],
    )


def test_a_restored_version_equals_it_in_one_new_version() -> None:
    orchestration, user = full(), make_user()
    wanted = definition(orchestration)
    empty(orchestration)
    assert orchestration.version == 8
    version = restore_version(orchestration, 4, user=user)
    assert (version.number, version.change) == (9, "Restored version 4.")
    assert version.created_by == user
    assert definition(orchestration) == wanted
    assert (orchestration.version, orchestration.name) == (9, "Shop")
    assert [s.name for s in orchestration.schedules.filter(deleted_at=None)] == ["Mornings"]
    assert [t.tables.get().table_key for t in orchestration.triggers.filter(deleted_at=None)] == [
        "in.c-shop.orders"
    ]
    assert sorted(n.recipient for n in orchestration.notifications.all()) == [
        "ann@example.com",
        "https://hooks.slack.com/…efgh",
    ]
    assert SECRET_URL not in str(list(orchestration.versions.values()))


def test_what_a_version_does_not_hold_is_removed() -> None:
    orchestration = full()
    wanted = definition(orchestration, 1)
    restore_version(orchestration, 1, user=None)
    assert definition(orchestration) == wanted
    assert not orchestration.schedules.filter(deleted_at=None).exists()
    assert not orchestration.triggers.filter(deleted_at=None).exists()
    assert not orchestration.notifications.exists()


def test_restoring_what_is_there_makes_no_version() -> None:
    orchestration = full()
    assert restore_version(orchestration, orchestration.version, user=None).number == 4
    assert orchestration.versions.count() == 4


@pytest.mark.parametrize("part", list(VersionPart))
def test_one_part_alone(part: VersionPart) -> None:
    orchestration = full()
    old = definition(orchestration)
    empty(orchestration)
    before = definition(orchestration)
    version = restore_version(orchestration, 4, user=None, parts=[part])
    fields = {
        VersionPart.DETAILS: ["name", "description"],
        VersionPart.TASKS: ["phases"],
    }.get(part, [part.value])
    assert definition(orchestration) == {**before, **{f: old[f] for f in fields}}  # type: ignore[literal-required]
    assert version.number == 9
    assert version.change == f"Restored {part.label.lower()} of version 4."


def test_several_parts_are_named() -> None:
    orchestration = full()
    empty(orchestration)
    parts = [VersionPart.SCHEDULES, VersionPart.TASKS, VersionPart.VARIABLES]
    version = restore_version(orchestration, 4, user=None, parts=parts)
    assert version.change == "Restored variables, tasks and schedules of version 4."


def test_schedules_go_on_from_now_without_making_up_for_anything() -> None:
    with time_machine.travel(NOON, tick=False):
        orchestration = make_orchestration([[make_configuration()]])
        kept = schedules.create_schedule(orchestration, cron="0 * * * *", timezone="UTC", user=None)
        off = schedules.create_schedule(orchestration, cron="0 * * * *", timezone="UTC", user=None)
        gone = schedules.create_schedule(
            orchestration, cron="0 * * * *", timezone="UTC", user=None, misfire=Misfire.ALL
        )
        schedules.set_enabled(off, enabled=False)
        schedules.delete_schedule(gone)
    later = NOON + timedelta(days=30, minutes=30)
    with time_machine.travel(later, tick=False):
        restore_version(orchestration, 4, user=None)
        due = [s.next_fire_at for s in Schedule.objects.filter(pk__in=[off.pk, gone.pk])]
        assert due == [later + timedelta(minutes=30)] * 2
        fire_due(later)
    # the one that was on all along makes up as its own policy says, and only once
    assert list(Run.objects.values_list("schedule", flat=True)) == [kept.pk]


def test_a_schedule_that_is_off_in_the_version_rests() -> None:
    orchestration = make_orchestration()
    schedule = schedules.create_schedule(
        orchestration, cron="0 5 * * *", timezone="UTC", user=None, enabled=False
    )
    schedules.set_enabled(schedule, enabled=True)
    restore_version(orchestration, 2, user=None)
    schedule.refresh_from_db()
    assert (schedule.is_enabled, schedule.next_fire_at) == (False, None)
    assert schedule.off_since is not None


def test_who_switched_a_schedule_by_restoring_and_what_it_missed_is_said() -> None:
    ann, bob = make_user(name="ann"), make_user(name="bob")
    with time_machine.travel(NOON, tick=False):
        orchestration = make_orchestration([[make_configuration()]])
        schedule = schedules.create_schedule(
            orchestration, cron="0 * * * *", timezone="UTC", user=ann, misfire=Misfire.ALL
        )
        schedules.set_enabled(schedule, enabled=False, user=ann)
    with time_machine.travel(NOON + timedelta(hours=2, minutes=30), tick=False):
        restore_version(orchestration, 2, user=bob)
    reasons = list(Slot.objects.values_list("outcome", "reason"))
    assert [outcome for outcome, _ in reasons] == ["missed", "missed"]
    assert all("It was switched off by ann" in reason for _, reason in reasons)
    with time_machine.travel(NOON + timedelta(hours=3, minutes=1), tick=False):
        fire_due(database_now())
        restore_version(orchestration, 3, user=bob)
    schedule.refresh_from_db()
    assert (schedule.off_by, schedule.off_since) == (bob, NOON + timedelta(hours=3, minutes=1))


def test_restoring_something_else_leaves_a_schedule_that_is_off_as_it_is() -> None:
    ann, bob = make_user(name="ann"), make_user(name="bob")
    with time_machine.travel(NOON, tick=False):
        orchestration = make_orchestration([[make_configuration()]])
        schedule = schedules.create_schedule(
            orchestration, cron="0 * * * *", timezone="UTC", user=ann
        )
        schedules.set_enabled(schedule, enabled=False, user=ann)
        schedules.update_schedule(schedule, user=ann, name="Renamed")
    restore_version(orchestration, 3, user=bob)
    schedule.refresh_from_db()
    assert (schedule.name, schedule.off_by, schedule.off_since) == ("", ann, NOON)


def test_a_pause_that_comes_back_is_of_who_brought_it_back() -> None:
    ann, bob = make_user(name="ann"), make_user(name="bob")
    orchestration = make_orchestration([[make_configuration()]])
    until = timezone.now() + timedelta(days=1)
    schedule = schedules.create_schedule(
        orchestration, cron="0 * * * *", timezone="UTC", user=ann, paused_until=until
    )
    schedules.update_schedule(schedule, user=ann, paused_until=None)
    restore_version(orchestration, 2, user=bob)
    schedule.refresh_from_db()
    assert (schedule.paused_until, schedule.paused_by) == (until, bob)


@time_machine.travel(NOON, tick=False)
def test_an_unchanged_schedule_keeps_its_next_moment() -> None:
    orchestration = make_orchestration([[make_configuration()]])
    schedule = schedules.create_schedule(orchestration, cron="0 5 * * *", timezone="UTC", user=None)
    Schedule.objects.update(next_fire_at=NOON + timedelta(minutes=1))
    orchestration.refresh_from_db()
    save_orchestration(orchestration, user=None, expected_version=2, phases=[])
    restore_version(orchestration, 2, user=None)
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON + timedelta(minutes=1)


def test_a_version_whose_configuration_was_deleted_for_good() -> None:
    orders, clients = make_configuration(name="Orders"), make_configuration(name="Clients")
    orchestration = make_orchestration([[orders], [clients]], name="One")
    save_orchestration(orchestration, user=None, expected_version=1, name="Two", phases=[])
    Configuration.objects.all().delete()
    with pytest.raises(InvalidOrchestration) as error:
        restore_version(orchestration, 1, user=None)
    assert error.value.message == (
        "Version 1: The configurations or orchestrations of 2 tasks in phases “Phase 1” and "
        "“Phase 2” were deleted for good, so its tasks cannot come back."
    )
    assert (orchestration.versions.count(), orchestration.name) == (2, "Two")
    with pytest.raises(InvalidOrchestration):
        copy_orchestration(orchestration, user=None, number=1)
    restore_version(orchestration, 1, user=None, parts=[VersionPart.DETAILS])
    assert orchestration.name == "One"


def test_a_version_that_would_make_a_circle_changes_nothing() -> None:
    inner = make_orchestration(name="Inner")
    outer = make_orchestration([[inner]], name="Outer")
    save_orchestration(outer, user=None, expected_version=1, phases=[])
    save_orchestration(
        inner, user=None, expected_version=1, phases=[{"tasks": [{"orchestration": outer.pk}]}]
    )
    with pytest.raises(InvalidOrchestration) as error:
        restore_version(outer, 1, user=None)
    assert list(error.value.fields) == ["phases.0.tasks.0.orchestration"]
    assert outer.versions.count() == 2


def test_no_such_version_and_the_trash() -> None:
    orchestration = make_orchestration()
    with pytest.raises(InvalidOrchestration) as error:
        restore_version(orchestration, 9, user=None)
    assert error.value.fields == {"version": "This orchestration has no version 9."}
    move_to_trash(orchestration, user=None)
    with pytest.raises(NotAllowed):
        restore_version(orchestration, 1, user=None)


def test_copying_the_latest_version() -> None:
    orchestration, user = full(), make_user()
    copy = copy_orchestration(orchestration, user=user)
    assert (copy.name, copy.description, copy.created_by) == ("Copy of Shop", "All", user)
    assert copy.versions.get().change == "Copied from “Shop”, version 4."
    wanted: dict[str, Any] = {"name": "Copy of Shop", "schedules": [], "triggers": []}
    assert definition(copy) == {**definition(orchestration), **wanted, "notifications": []}
    assert copy_orchestration(orchestration, user=user, name=" Mine ").name == "Mine"


def test_copying_with_all_that_surrounds_it() -> None:
    orchestration = full()
    parts = [VersionPart.SCHEDULES, VersionPart.TRIGGERS, VersionPart.NOTIFICATIONS]
    copy = copy_orchestration(orchestration, user=None, parts=parts)
    assert copy.versions.count() == 1
    schedule, trigger = copy.schedules.get(), copy.triggers.get()
    assert (schedule.name, schedule.is_enabled, schedule.next_fire_at) == ("Mornings", False, None)
    assert (trigger.is_enabled, trigger.tables.get().table_key) == (False, "in.c-shop.orders")
    old, new = definition(orchestration), definition(copy)
    assert new["notifications"] == old["notifications"]
    assert new["schedules"] == [{**old["schedules"][0], "id": schedule.pk, "is_enabled": False}]
    assert new["triggers"] == [{**old["triggers"][0], "id": trigger.pk, "is_enabled": False}]


def test_copying_an_earlier_version() -> None:
    orchestration = full()
    empty(orchestration)
    copy = copy_orchestration(
        orchestration, user=None, number=4, name="Old", parts=[VersionPart.SCHEDULES]
    )
    assert copy.versions.get().change == "Copied from “Empty”, version 4."
    assert [task.key for phase in copy.phases.all() for task in phase.tasks.all()] == ["t1"]
    assert copy.schedules.get().name == "Mornings"


def test_a_version_whose_calendar_is_gone_is_refused() -> None:
    orchestration = full()
    calendar = Calendar.objects.create(name="House")
    schedule = Schedule.objects.get()
    schedules.update_schedule(schedule, calendar=calendar)
    held = orchestration.versions.latest("number").number
    schedules.update_schedule(schedule, calendar=None)
    calendar.delete()
    with pytest.raises(InvalidSchedule, match="There is no calendar “House” any more"):
        restore_version(orchestration, held, user=None)
    Calendar.objects.create(name="House")
    restore_version(orchestration, held, user=None)
    schedule.refresh_from_db()
    assert schedule.calendar == Calendar.objects.get()
