from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from components.enums import JobStatus
from orchestrations.enums import Misfire, RunStatus, StartedBy
from orchestrations.models import Calendar, Delivery, Orchestration, Run, Schedule, Slot
from orchestrations.scheduling.slots import fire_due
from orchestrations.services.notices import watch_runs
from orchestrations.services.notifications import save_notifications
from orchestrations.services.ready_by import retime
from orchestrations.services.runs import start_run
from orchestrations.services.schedules import (
    create_schedule,
    on_calendar_changed,
    update_schedule,
)
from tests.builders import make_configuration, make_orchestration, make_run
from tests.control import Control

pytestmark = pytest.mark.django_db
NIGHT = datetime(2026, 6, 1, 22, tzinfo=UTC)
SEVEN = datetime(2026, 6, 2, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def orchestration() -> Orchestration:
    return make_orchestration([[make_configuration(name="Orders")]], name="Shop")


def took(orchestration: Orchestration, *lengths: int) -> None:
    """Runs that ended, of so many minutes."""
    for minutes in lengths:
        run = make_run(orchestration, status=RunStatus.SUCCESS, started_by=StartedBy.API)
        Run.objects.filter(pk=run.pk).update(started_at=NIGHT - minutes * MINUTE, ended_at=NIGHT)


def ready_at_seven(orchestration: Orchestration, confidence: int = 90) -> Schedule:
    return create_schedule(
        orchestration, cron="0 7 * * *", timezone="UTC", user=None, confidence=confidence
    )


def test_it_starts_as_long_before_as_it_takes(orchestration: Orchestration) -> None:
    took(orchestration, *range(1, 11))
    with time_machine.travel(NIGHT, tick=False):
        schedule = ready_at_seven(orchestration)
    assert (schedule.lead, schedule.next_fire_at) == (9 * 60, SEVEN - 9 * MINUTE)
    assert schedule.next_due_at == SEVEN


def test_without_a_history_it_starts_an_hour_before(orchestration: Orchestration) -> None:
    with time_machine.travel(NIGHT, tick=False):
        schedule = ready_at_seven(orchestration)
    assert schedule.next_fire_at == SEVEN - 60 * MINUTE


def test_its_moment_is_the_time_that_it_must_be_ready(orchestration: Orchestration) -> None:
    took(orchestration, 20)
    with time_machine.travel(NIGHT, tick=False):
        schedule = ready_at_seven(orchestration)
    assert fire_due(SEVEN - 21 * MINUTE).runs == 0
    assert fire_due(SEVEN - 20 * MINUTE).runs == 1
    slot = Slot.objects.get()
    assert (slot.due_at, slot.lead, slot.outcome, slot.reason) == (SEVEN, 1200, "fired", "")
    assert slot.run is not None
    assert slot.run.scheduled_for == SEVEN
    schedule.refresh_from_db()
    assert schedule.next_due_at == SEVEN + timedelta(days=1)


@pytest.mark.parametrize("length", [5, 45])
def test_history_moves_the_start_and_never_the_moment(
    orchestration: Orchestration, length: int
) -> None:
    took(orchestration, 20)
    with time_machine.travel(NIGHT, tick=False):
        schedule = ready_at_seven(orchestration, confidence=50)
    fire_due(SEVEN - 20 * MINUTE)  # decided: the next one is tomorrow's, whatever the lead becomes
    took(orchestration, length, length)
    with time_machine.travel(SEVEN - 20 * MINUTE, tick=False):
        assert retime(orchestration.pk) == 1
        assert retime(orchestration.pk) == 0
    schedule.refresh_from_db()
    tomorrow = SEVEN + timedelta(days=1)
    assert schedule.next_fire_at == tomorrow - length * MINUTE
    assert fire_due(SEVEN).slots == 0
    assert fire_due(tomorrow - length * MINUTE).runs == 1
    assert [slot.due_at for slot in Slot.objects.order_by("due_at")] == [SEVEN, tomorrow]


def test_the_end_of_a_run_moves_the_start(control: Control, orchestration: Orchestration) -> None:
    with time_machine.travel(NIGHT, tick=False) as clock:
        schedule = ready_at_seven(orchestration)
        with control.capture(execute=True):
            run = start_run(orchestration, started_by=StartedBy.API)
        control.deliver()
        clock.shift(25 * MINUTE)
        control.end(run, "t1", JobStatus.SUCCESS)
    assert control.retimed == [orchestration.pk]
    with time_machine.travel(NIGHT + 25 * MINUTE, tick=False):
        retime(orchestration.pk)
    schedule.refresh_from_db()
    assert (schedule.lead, schedule.next_fire_at) == (25 * 60, SEVEN - 25 * MINUTE)


@pytest.mark.parametrize("how", ["history", "valid_to", "confidence", "calendar"])
def test_a_lead_that_grows_past_now_starts_the_next_moment_at_once(
    orchestration: Orchestration, how: str
) -> None:
    took(orchestration, *range(1, 11))
    calendar = Calendar.objects.create(name="Open")
    with time_machine.travel(NIGHT, tick=False):
        schedule = ready_at_seven(orchestration, confidence=50)
        schedule = update_schedule(schedule, calendar=calendar, misfire=Misfire.SKIP)
    now = SEVEN - 6 * MINUTE  # a minute before its start
    with time_machine.travel(now, tick=False):
        if how != "confidence":
            took(orchestration, *[30] * 20)
        if how == "history":
            retime(orchestration.pk)
        elif how == "calendar":
            on_calendar_changed(calendar)
        elif how == "confidence":
            update_schedule(schedule, confidence=99)
        else:
            update_schedule(schedule, valid_to=SEVEN + timedelta(days=9))
    fire_due(now)

    assert list(Slot.objects.values_list("due_at", flat=True)) == [SEVEN]
    schedule.refresh_from_db()
    assert schedule.next_due_at == SEVEN + timedelta(days=1)


def test_one_that_only_starts_has_no_lead(orchestration: Orchestration) -> None:
    took(orchestration, 20)
    with time_machine.travel(NIGHT, tick=False):
        schedule = ready_at_seven(orchestration)
        plain = update_schedule(schedule, confidence=None)
    assert (plain.lead, plain.next_fire_at) == (0, SEVEN)
    assert retime(orchestration.pk) == 0


def late_run(orchestration: Orchestration, *, begun: datetime) -> Run:
    """A run that was to be ready by seven and began at `begun`; they take twenty minutes."""
    took(orchestration, 20)
    with time_machine.travel(NIGHT, tick=False):
        ready_at_seven(orchestration)
    fire_due(SEVEN - 20 * MINUTE)
    run = Run.objects.get(started_by=StartedBy.SCHEDULE)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.PROCESSING, started_at=begun)
    save_notifications(orchestration, [{"event": "late", "address": "ann@example.com"}], user=None)
    return run


def test_who_watches_is_told_once_that_a_run_will_be_late(orchestration: Orchestration) -> None:
    run = late_run(orchestration, begun=SEVEN - 15 * MINUTE)
    assert watch_runs(SEVEN - 14 * MINUTE) == 1
    assert watch_runs(SEVEN - 13 * MINUTE) == 0
    told = Delivery.objects.get()
    assert (told.run, told.event, told.payload["title"]) == (run, "late", "Shop: Will be late")
    assert told.payload["text"] == (
        "“Shop” was to be ready by 2026-06-02 07:00 UTC and is expected at 07:05 UTC, 5 min late."
    )


def test_nobody_is_told_while_it_is_in_time(orchestration: Orchestration) -> None:
    late_run(orchestration, begun=SEVEN - 20 * MINUTE)
    assert watch_runs(SEVEN - 14 * MINUTE) == 0
    assert watch_runs(SEVEN + MINUTE) == 1


def test_a_run_that_waits_too_long_is_told_of(orchestration: Orchestration) -> None:
    run = late_run(orchestration, begun=SEVEN)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.WAITING, started_at=None)
    assert watch_runs(SEVEN - 20 * MINUTE) == 0
    assert watch_runs(SEVEN - 19 * MINUTE) == 1


def test_the_page_of_a_run_says_whether_it_will_be_in_time(
    control: Control, admin_client: Client, orchestration: Orchestration
) -> None:
    took(orchestration, 20)
    with time_machine.travel(NIGHT, tick=False) as clock:
        ready_at_seven(orchestration)
        clock.move_to(SEVEN - 20 * MINUTE)
        fire_due(SEVEN - 20 * MINUTE)
        run = Run.objects.get(started_by=StartedBy.SCHEDULE)
        control.advance(run)
        page = admin_client.get(run.get_absolute_url()).content.decode()
        assert "in time for" in page
        assert "ready by 2026-06-02 07:00 UTC" in page
        clock.move_to(SEVEN + 10 * MINUTE)
        page = admin_client.get(run.get_absolute_url()).content.decode()
        assert "10 min too late for" in page
