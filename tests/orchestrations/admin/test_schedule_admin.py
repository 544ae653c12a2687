"""Schedules in the admin panel: every save and switch goes through the service."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from orchestrations.enums import SlotOutcome
from orchestrations.models import Orchestration, Schedule, Slot
from orchestrations.services.schedules import create_schedule, delete_schedule
from tests.builders import make_empty_orchestration

pytestmark = pytest.mark.django_db

NAMES: dict[type[Any], str] = {
    Schedule: "orchestrations_schedule",
    Slot: "orchestrations_slot",
    PeriodicTask: "django_celery_beat_periodictask",
    CrontabSchedule: "django_celery_beat_crontabschedule",
}
NOW = datetime(2026, 11, 22, 18, 22, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_a_fixed_time() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def panel(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


@pytest.fixture
def schedule(orchestration: Orchestration) -> Schedule:
    return create_schedule(orchestration, cron="0 9 * * *", timezone="UTC", user=None, name="Nine")


def filled(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Nine",
        "cron": "0 9 * * *",
        "timezone": "UTC",
        "is_enabled": "on",
        "overlap": "queue_one",
        "misfire": "last",
        "misfire_limit": "10",
        "gap": "usual",
        "repeat": "usual",
        "on_held": "skip",
        "variables": "{}",
        **fields,
    }


def change_url(row: Any) -> str:
    return reverse(f"admin:{NAMES[type(row)]}_change", args=[row.pk])


def shadow(schedule: Schedule) -> PeriodicTask:
    return PeriodicTask.objects.get(name=f"orchestrations.schedule.{schedule.pk}")


@pytest.mark.usefixtures("schedule")
def test_it_lists_schedules_in_words(panel: Client) -> None:
    address = reverse("admin:orchestrations_schedule_changelist")
    body = html.unescape(panel.get(address, {"q": "Nightly"}).content.decode())
    assert "Every day at 09:00, UTC" in body
    assert "Every day at 09:00, UTC" not in panel.get(address, {"q": "zzz"}).content.decode()


def test_adding_arms_and_projects(panel: Client, orchestration: Orchestration) -> None:
    address = reverse("admin:orchestrations_schedule_add")
    response = panel.post(address, filled(orchestration=orchestration.pk, cron="30 7 * * *"))
    schedule = Schedule.objects.get()
    assert response.status_code == 302
    assert schedule.next_fire_at == datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
    assert schedule.created_by is not None
    assert (shadow(schedule).crontab.minute, shadow(schedule).crontab.hour) == ("30", "7")


def test_changing_moves_the_next_moment_and_the_shadow(panel: Client, schedule: Schedule) -> None:
    panel.post(change_url(schedule), filled(cron="15 20 * * *", timezone="Europe/Prague"))
    schedule.refresh_from_db()
    assert schedule.next_fire_at == datetime(2026, 11, 22, 19, 15, tzinfo=UTC)
    assert (shadow(schedule).crontab.hour, str(shadow(schedule).crontab.timezone)) == (
        "20",
        "Europe/Prague",
    )


def test_switching_off_rests_it(panel: Client, schedule: Schedule) -> None:
    fields = filled()
    del fields["is_enabled"]
    panel.post(change_url(schedule), fields)
    schedule.refresh_from_db()
    assert (schedule.is_enabled, schedule.next_fire_at, schedule.off_since) == (False, None, NOW)
    assert shadow(schedule).enabled is False


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"cron": "61 * * * *"}, "61 is not a minute, use 0 to 59."),
        ({"cron": "0 0 30 2 *"}, "None of the chosen months has such a day"),
        ({"timezone": "Mars/Base"}, "“Mars/Base” is not a time zone"),
        ({"misfire_limit": "101"}, "This takes a whole number from 1 to 100."),
        (
            {
                "valid_from_0": "2026-12-02",
                "valid_from_1": "00:00",
                "valid_to_0": "2026-12-01",
                "valid_to_1": "00:00",
            },
            "The end must come after the beginning.",
        ),
    ],
)
def test_nonsense_is_refused_at_its_field(
    panel: Client, schedule: Schedule, sent: dict[str, str], sentence: str
) -> None:
    response = panel.post(change_url(schedule), filled(name="Changed") | sent)
    schedule.refresh_from_db()
    assert response.status_code == 200
    assert sentence in html.unescape(response.content.decode())
    assert schedule.name == "Nine"


@pytest.mark.parametrize(("action", "enabled"), [("enable", True), ("disable", False)])
def test_the_actions_switch_through_the_service(
    panel: Client, orchestration: Orchestration, action: str, *, enabled: bool
) -> None:
    schedule = create_schedule(
        orchestration, cron="0 9 * * *", timezone="UTC", user=None, enabled=not enabled
    )
    panel.post(
        reverse("admin:orchestrations_schedule_changelist"),
        {"action": action, "_selected_action": [schedule.pk]},
    )
    schedule.refresh_from_db()
    assert schedule.is_enabled is enabled
    assert (schedule.next_fire_at is not None) is enabled
    assert shadow(schedule).enabled is enabled


def test_schedules_are_not_deleted_and_removed_ones_not_changed(
    panel: Client, schedule: Schedule
) -> None:
    address = reverse("admin:orchestrations_schedule_delete", args=[schedule.pk])
    assert panel.post(address, {"post": "yes"}).status_code == 403
    delete_schedule(schedule)
    assert panel.post(change_url(schedule), filled(name="Changed")).status_code == 403
    assert panel.get(change_url(schedule)).status_code == 200
    schedule.refresh_from_db()
    assert schedule.name == "Nine"


def test_slots_can_only_be_read(panel: Client, schedule: Schedule) -> None:
    slot = Slot.objects.create(
        schedule=schedule, due_at=NOW, outcome=SlotOutcome.MISSED, reason="It was off."
    )
    listed = panel.get(reverse("admin:orchestrations_slot_changelist"), {"outcome": "missed"})
    assert "It was off." in listed.content.decode()
    assert panel.get(change_url(slot)).status_code == 200
    assert panel.post(change_url(slot), {"outcome": "fired"}).status_code == 403
    assert panel.get(reverse("admin:orchestrations_slot_add")).status_code == 403
    assert (
        panel.post(
            reverse("admin:orchestrations_slot_delete", args=[slot.pk]), {"post": "yes"}
        ).status_code
        == 403
    )


def test_the_shadow_of_a_schedule_can_only_be_looked_at(panel: Client, schedule: Schedule) -> None:
    task = shadow(schedule)
    for row in (task, task.crontab):
        name = NAMES[type(row)]
        assert panel.get(change_url(row)).status_code == 200
        assert panel.post(change_url(row), {"enabled": ""}).status_code == 403
        delete = reverse(f"admin:{name}_delete", args=[row.pk])
        assert panel.post(delete, {"post": "yes"}).status_code == 403
        panel.post(
            reverse(f"admin:{name}_changelist"),
            {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"},
        )
    panel.post(
        reverse("admin:django_celery_beat_periodictask_changelist"),
        {"action": "disable_tasks", "_selected_action": [task.pk]},
    )
    assert shadow(schedule).enabled is True


def test_other_periodic_tasks_are_edited_as_ever(panel: Client) -> None:
    every = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.MINUTES)
    task = PeriodicTask.objects.create(name="mine", task="x.y", interval=every)
    lone = CrontabSchedule.objects.create(minute="3")
    panel.post(
        reverse("admin:django_celery_beat_periodictask_changelist"),
        {"action": "disable_tasks", "_selected_action": [task.pk]},
    )
    task.refresh_from_db()
    assert task.enabled is False
    panel.post(
        reverse("admin:django_celery_beat_crontabschedule_changelist"),
        {"action": "delete_selected", "_selected_action": [lone.pk], "post": "yes"},
    )
    assert CrontabSchedule.objects.filter(pk=lone.pk).count() == 0
