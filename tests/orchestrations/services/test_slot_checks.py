"""The nightly count of slots against the rule of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from orchestrations.models import Schedule, Slot, SlotCheck
from orchestrations.scheduling.slots import fire_due
from orchestrations.services import slot_checks
from orchestrations.services.slot_checks import check_slots
from tests.builders import make_schedule

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def hourly() -> Schedule:
    with time_machine.travel(NOON, tick=False):
        schedule = make_schedule(NOON + HOUR)
    for n in range(1, 6):
        fire_due(NOON + n * HOUR)
    return schedule


@pytest.mark.usefixtures("hourly")
def test_nothing_is_missing_where_all_was_decided() -> None:
    check = check_slots(NOON + 5.5 * HOUR)

    assert (check.schedules, check.moments, check.missing, check.examples) == (1, 5, 0, [])


def test_a_slot_that_is_gone_is_named(hourly: Schedule, caplog: pytest.LogCaptureFixture) -> None:
    Slot.objects.filter(due_at=NOON + 2 * HOUR).delete()

    check = check_slots(NOON + 5.5 * HOUR)

    assert (check.moments, check.missing) == (5, 1)
    assert check.examples == [{"schedule": hourly.pk, "due_at": "2026-06-01T14:00:00+00:00"}]
    assert caplog.messages == ["1 of 5 due moments have no slot."]


def test_a_schedule_that_cannot_be_read_counts_as_missing(hourly: Schedule) -> None:
    Schedule.objects.update(cron="nonsense")

    check = check_slots(NOON + 5.5 * HOUR)

    assert check.missing == 1
    assert check.examples[0]["schedule"] == hourly.pk
    assert check.examples[0]["error"].startswith("The cron expression has 1 field")


@pytest.mark.parametrize(("enabled", "missing"), [(True, 1), (False, 0)])
def test_one_that_sleeps_after_its_moment_was_rejected_counts_as_missing(
    *, enabled: bool, missing: int
) -> None:
    schedule = make_schedule(NOON, cron="nonsense")
    fire_due(NOON)
    Schedule.objects.update(is_enabled=enabled)

    check = check_slots(NOON + 5 * HOUR)

    assert check.missing == missing
    assert [each["schedule"] for each in check.examples] == [schedule.pk] * missing


def test_one_that_sleeps_after_an_error_that_is_mended_goes_on_where_it_stopped() -> None:
    schedule = make_schedule(NOON, cron="nonsense", misfire="all")
    fire_due(NOON)
    Schedule.objects.update(cron="0 * * * *")
    with time_machine.travel(NOON + 2.5 * HOUR, tick=False):
        check = check_slots()

    assert check.missing == 1
    slots = list(Slot.objects.filter(due_at__gt=NOON).order_by("due_at"))
    assert [(slot.due_at, slot.outcome) for slot in slots] == [
        (NOON + HOUR, "fired"),
        (NOON + 2 * HOUR, "queued"),
    ]
    assert "It slept after an error" in slots[0].reason
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON + 3 * HOUR
    with time_machine.travel(NOON + 2.6 * HOUR, tick=False):
        assert check_slots().missing == 0


def test_old_counts_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_checks, "KEPT", 2)
    for n in range(4):
        check_slots(NOON + n * HOUR)

    assert [check.began_at for check in SlotCheck.objects.all()] == [
        NOON + 3 * HOUR,
        NOON + 2 * HOUR,
    ]
