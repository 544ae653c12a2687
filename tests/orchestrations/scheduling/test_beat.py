from __future__ import annotations

import logging
import math
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import OperationalError, connection
from django_celery_beat.models import PeriodicTask
from kombu import Connection
from pytest_django import DjangoAssertNumQueries

from orchestrations.enums import Misfire
from orchestrations.models import Outage, Process, Run, Schedule, Slot
from orchestrations.queries.health import last_scheduler, silence
from orchestrations.scheduling.beat import IDLE, Duty, SlotScheduler
from orchestrations.scheduling.outages import ClockWatch
from orchestrations.scheduling.slots import TICKING
from orchestrations.services.schedules import create_schedule, ensure_housekeeping
from orchestrator_site.celery import app
from tests.builders import make_empty_orchestration, make_schedule
from tests.sent_tasks import broker, sent

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def queue() -> Iterator[Connection]:
    """A broker in memory, where what was sent can be counted."""
    with broker("memory://") as link:
        yield link


@pytest.fixture
def scheduler() -> Iterator[SlotScheduler]:
    made = SlotScheduler(app=app)
    yield made
    made.close()


def keep_house(*names: str) -> None:
    PeriodicTask.objects.all().delete()
    ensure_housekeeping()
    PeriodicTask.objects.exclude(name__in=names).delete()


@pytest.mark.django_db(transaction=True)
def test_a_tick_fires_what_is_due_and_rings(scheduler: SlotScheduler, queue: Connection) -> None:
    PeriodicTask.objects.all().delete()
    schedule = make_schedule(NOON)

    with time_machine.travel(NOON, tick=False):
        assert scheduler.tick() == 0.0

    assert list(Slot.objects.values_list("schedule", "due_at")) == [(schedule.pk, NOON)]
    assert Run.objects.count() == 1
    assert sent(queue) == ["orchestrations.tasks.advance_runs"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("seconds", "sleeps"), [(0.25, 0.25), (0.999, 0.999), (5, IDLE), (86400, IDLE)]
)
def test_it_sleeps_until_the_next_moment_but_a_second_at_most(
    scheduler: SlotScheduler, seconds: float, sleeps: float
) -> None:
    PeriodicTask.objects.all().delete()
    make_schedule(NOON + seconds * SECOND)

    with time_machine.travel(NOON, tick=False):
        assert scheduler.tick() == pytest.approx(sleeps, abs=1e-6)


@pytest.mark.django_db(transaction=True)
def test_it_sleeps_a_second_where_there_is_nothing(scheduler: SlotScheduler) -> None:
    PeriodicTask.objects.all().delete()

    assert scheduler.tick() == IDLE


@pytest.mark.django_db(transaction=True)
def test_an_idle_second_costs_one_query(
    scheduler: SlotScheduler,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ensure_housekeeping()
    make_schedule(NOON)
    with time_machine.travel(NOON - timedelta(hours=1), tick=False):
        while scheduler.tick() < IDLE / 2:
            pass
        scheduler.firing.wake_at = -math.inf
        scheduler.being_seen.wake_at = math.inf
        with django_assert_num_queries(1):
            scheduler.tick()


@pytest.mark.django_db(transaction=True)
def test_ordinary_periodic_tasks_are_sent_and_projected_ones_are_not(
    scheduler: SlotScheduler, queue: Connection
) -> None:
    with time_machine.travel(NOON, tick=False):
        keep_house("components.tasks.recover_jobs")
        create_schedule(make_empty_orchestration(), cron="* * * * *", timezone="UTC", user=None)
        Schedule.objects.update(next_fire_at=None)
        scheduler.tick()
    with time_machine.travel(NOON + 301 * SECOND, tick=False):
        for _ in range(5):
            scheduler.sending.wake_at = -math.inf
            scheduler.tick()

    assert sent(queue) == ["components.tasks.recover_jobs"]
    assert list(scheduler.schedule) == ["components.tasks.recover_jobs"]


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db(transaction=True)
def test_it_is_seen_from_its_first_tick_on(scheduler: SlotScheduler) -> None:
    with time_machine.travel(NOON, tick=False):
        scheduler.tick()

    seen = Process.objects.get()
    assert (seen.kind, seen.started_at, seen.seen_at, seen.pid) == (
        "scheduler",
        NOON,
        NOON,
        os.getpid(),
    )
    assert last_scheduler() == seen
    assert silence(NOON + 30 * SECOND) is None
    assert silence(NOON + 31 * SECOND) == (NOON, "No scheduler was seen.")


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db(transaction=True)
def test_a_scheduler_that_stops_says_so() -> None:
    scheduler = SlotScheduler(app=app)
    with time_machine.travel(NOON, tick=False):
        scheduler.tick()
        scheduler.close()

    assert Process.objects.get().stopped_at == NOON
    assert silence(NOON + 31 * SECOND) == (NOON, "The scheduler was told to stop.")


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db(transaction=True)
def test_one_that_comes_back_writes_down_that_nothing_fired(scheduler: SlotScheduler) -> None:
    schedule = make_schedule(NOON, cron="* * * * *", misfire=Misfire.SKIP)
    began = NOON - 10 * SECOND
    Process.objects.create(
        key="gone", kind="scheduler", host="h", pid=1, started_at=began, seen_at=began
    )
    with time_machine.travel(NOON + 130 * SECOND, tick=False):
        while scheduler.tick() == 0.0:
            pass
        scheduler.being_seen.wake_at = -math.inf
        scheduler.tick()

    outage = Outage.objects.get()
    assert (outage.began_at, outage.ended_at) == (began, NOON + 130 * SECOND)
    assert outage.reason == "No scheduler was seen."
    first = schedule.slots.get(due_at=NOON)
    assert (first.outcome, first.reason) == (
        "missed",
        "Nothing fired from 2026-06-01 11:59:50 to 12:02:10 UTC. Missed moments are skipped.",
    )


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db(transaction=True)
def test_another_scheduler_was_there_and_so_nothing_was_missed(scheduler: SlotScheduler) -> None:
    for key, at in (("gone", NOON - timedelta(hours=1)), ("there", NOON - 3 * SECOND)):
        Process.objects.create(
            key=key, kind="scheduler", host="h", pid=1, started_at=at, seen_at=at
        )
    with time_machine.travel(NOON, tick=False):
        scheduler.tick()

    assert not Outage.objects.exists()


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (2, "jumped forward by 2 hr: it was set, or the machine slept."),
        (-2, "was set back by 2 hr."),
    ],
)
def test_a_clock_that_jumps_is_written_down(
    scheduler: SlotScheduler, hours: int, words: str
) -> None:
    for at in (NOON, NOON + timedelta(hours=hours)):
        with time_machine.travel(at, tick=False):
            scheduler.being_seen.wake_at = -math.inf
            scheduler.tick()

    outage = Outage.objects.get()
    assert (outage.kind, outage.reason.partition(socket.gethostname())[2].strip()) == (
        "clock",
        words,
    )
    assert outage.ended_at is not None
    assert outage.ended_at - outage.began_at == pytest.approx(
        timedelta(hours=2), abs=timedelta(seconds=5)
    )


@pytest.mark.parametrize(
    ("now", "before", "after", "expected"),
    [
        (NOON + 60 * SECOND, 160, 160, None),
        (NOON + 65 * SECOND, 160, 160, None),
        (NOON + 66 * SECOND, 160, 160, NOON + 60 * SECOND),
        (NOON + 54 * SECOND, 160, 160, NOON + 60 * SECOND),
        # The answer took ten seconds, and may be as old.
        (NOON + 60 * SECOND, 160, 170, None),
        (NOON + 70 * SECOND, 160, 170, None),
        (NOON + 54 * SECOND, 160, 170, NOON + 70 * SECOND),
    ],
)
def test_a_jump_is_told_from_an_answer_that_took_long(
    now: datetime, before: float, after: float, expected: datetime | None
) -> None:
    watch = ClockWatch()
    assert watch.jumped_from(NOON, 100, 100) is None

    assert watch.jumped_from(now, before, after) == expected


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db(transaction=True)
def test_a_machine_that_slept_was_not_silent(scheduler: SlotScheduler) -> None:
    for at in (NOON, NOON + timedelta(hours=8)):
        with time_machine.travel(at, tick=False):
            scheduler.being_seen.wake_at = -math.inf
            scheduler.tick()

    assert list(Outage.objects.values_list("kind", flat=True)) == ["clock"]


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db(transaction=True)
def test_a_backlog_that_is_worked_off_ends_a_silence(scheduler: SlotScheduler) -> None:
    schedule = make_schedule(NOON - timedelta(hours=2), cron="* * * * *")
    began = NOON - timedelta(hours=2)
    Outage.objects.create(kind="silence", began_at=began, reason="No scheduler was seen.")
    Slot.objects.create(
        schedule=schedule, due_at=began, outcome="missed", decided_at=NOON - 20 * SECOND
    )
    with time_machine.travel(NOON, tick=False):
        scheduler.tick()

    assert Outage.objects.get().ended_at == NOON


@pytest.mark.usefixtures("queue")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_was_away_is_why_nothing_fired(scheduler: SlotScheduler) -> None:
    with time_machine.travel(NOON, tick=False):
        scheduler.tick()
    scheduler.firing.failed = True
    Process.objects.update(seen_at=NOON - 60 * SECOND)
    with time_machine.travel(NOON, tick=False):
        scheduler.being_seen.wake_at = -math.inf
        scheduler.tick()

    assert Outage.objects.get().reason == "The database could not be reached."


@pytest.mark.django_db(transaction=True)
def test_a_beat_that_starts_again_and_again_still_lets_the_work_come(
    scheduler: SlotScheduler, queue: Connection
) -> None:
    keep_house(TICKING)
    PeriodicTask.objects.filter(name=TICKING).update(last_run_at=NOON - timedelta(seconds=11))
    with time_machine.travel(NOON, tick=False):
        scheduler.tick()
    assert sent(queue) == [TICKING]


@pytest.mark.django_db(transaction=True)
def test_a_clock_that_was_set_back_silences_no_periodic_task(
    scheduler: SlotScheduler, queue: Connection
) -> None:
    with time_machine.travel(NOON, tick=False):
        keep_house("components.tasks.recover_jobs")
        scheduler.tick()
    before = NOON - timedelta(days=30)
    # Also after the five minutes at which beat reads all again.
    for at in (NOON + 11 * SECOND, before, before + 11 * SECOND, before + 400 * SECOND):
        with time_machine.travel(at, tick=False):
            for _ in range(3):
                scheduler.sending.wake_at = -math.inf
                scheduler.tick()

    assert sent(queue) == ["components.tasks.recover_jobs"] * 3


@pytest.mark.django_db(transaction=True)
def test_a_clock_that_was_set_back_fires_nothing_twice(
    scheduler: SlotScheduler, queue: Connection
) -> None:
    schedule = make_schedule(NOON)
    for at in (NOON, NOON - timedelta(hours=1), NOON, NOON + timedelta(hours=1)):
        with time_machine.travel(at, tick=False):
            scheduler.firing.wake_at = -math.inf
            scheduler.tick()

    due = list(schedule.slots.order_by("due_at").values_list("due_at", flat=True))
    assert due == [NOON, NOON + timedelta(hours=1)]
    assert sent(queue).count("orchestrations.tasks.advance_runs") == 2


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_delays_neither_slots_nor_periodic_tasks(
    scheduler: SlotScheduler,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_schedule(NOON + 60 * SECOND, cron="* * * * *")
    with time_machine.travel(NOON, tick=False):
        keep_house("components.tasks.recover_jobs")
        scheduler.tick()
    with (
        broker("redis://127.0.0.1:1/0"),
        caplog.at_level(logging.WARNING),
        time_machine.travel(NOON + 60 * SECOND, tick=False),
    ):
        for duty in scheduler.duties:
            duty.wake_at = -math.inf
        scheduler.tick()

    assert Run.objects.count() == 1
    assert [message.split(":")[0].split(" (")[0] for message in caplog.messages] == [
        "The broker cannot be reached",
        "Couldn't apply scheduled task components.tasks.recover_jobs",
    ]
    with broker("memory://") as link, time_machine.travel(NOON + 90 * SECOND, tick=False):
        scheduler.sending.wake_at = -math.inf
        scheduler.tick()
        assert sent(link) == ["components.tasks.recover_jobs"]


def test_a_duty_backs_off_while_the_database_is_away_and_recovers() -> None:
    failing = [OperationalError("away")] * 6
    done = []

    def work() -> float:
        if failing:
            raise failing.pop()
        done.append(True)
        return 0.5

    duty = Duty("Working", work)
    delays = []
    for _ in range(7):
        duty.wake_at = -math.inf
        delays.append(duty.attend())

    assert delays == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 0.5]
    assert (done, duty.failures) == ([True], 0)
    assert 0 < duty.attend() <= 0.5
    assert done == [True]


def test_anything_but_the_database_failing_is_not_hidden() -> None:
    def work() -> float:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Duty("Working", work).attend()


def test_it_starts_without_a_database() -> None:
    """pytest-django refuses any query here."""
    assert SlotScheduler(app=app).producer is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres_database
def test_a_connection_cut_by_the_server_costs_one_tick(
    scheduler: SlotScheduler, queue: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    make_schedule(NOON)
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()

    with time_machine.travel(NOON, tick=False), caplog.at_level(logging.WARNING):
        scheduler.tick()
        for duty in scheduler.duties:
            duty.wake_at = -math.inf
        scheduler.tick()

    assert any(m.startswith("Being seen failed, again in 0.5 s") for m in caplog.messages)
    assert Run.objects.count() == 1
    assert sent(queue).count("orchestrations.tasks.advance_runs") == 1
