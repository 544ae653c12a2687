"""Many beats at once on real row locks."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from orchestrations.enums import Overlap, SlotOutcome
from orchestrations.models import Calendar, Run, Schedule, Slot
from orchestrations.scheduling import slots
from orchestrations.scheduling.slots import FireReport, fire_due
from orchestrations.services import schedules
from tests.builders import make_empty_orchestration, make_schedule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
pytestmark = [pytest.mark.postgres_database, pytest.mark.django_db(transaction=True)]


def fire_until_done(now: datetime, barrier: threading.Barrier, batch: int) -> int:
    """Be one beat: fire until nothing is due; return the runs made by this one."""
    runs = 0
    try:
        barrier.wait(timeout=10)
        while Schedule.objects.filter(next_fire_at__lte=now).exists():
            runs += fire_due(now, batch=batch).runs
    finally:
        connection.close()
    return runs


@pytest.mark.parametrize("beats", [2, 4])
def test_many_beats_decide_each_moment_once(beats: int) -> None:
    made = [make_schedule(NOON - 2 * HOUR) for _ in range(60)]
    barrier = threading.Barrier(beats)

    with ThreadPoolExecutor(beats) as pool:
        futures = [pool.submit(fire_until_done, NOON, barrier, 3) for _ in range(beats)]
        runs = [future.result(timeout=60) for future in futures]

    written = Counter(Slot.objects.values_list("schedule_id", "due_at"))
    assert written == {(s.pk, NOON - n * HOUR): 1 for s in made for n in range(3)}
    assert sum(runs) == Run.objects.count() == 60
    assert sorted(Run.objects.values_list("schedule_id", flat=True)) == sorted(s.pk for s in made)
    # Held rows were left out rather than waited for: more than one beat had its share.
    assert sum(1 for share in runs if share) >= 2


def test_many_beats_judge_overlap_of_one_orchestration_one_at_a_time() -> None:
    orchestrations = [make_empty_orchestration() for _ in range(10)]
    for orchestration in orchestrations:
        for _ in range(6):
            make_schedule(NOON, orchestration=orchestration, overlap=Overlap.SKIP)
    barrier = threading.Barrier(4)

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(fire_until_done, NOON, barrier, 1) for _ in range(4)]
        runs = [future.result(timeout=60) for future in futures]

    assert sum(runs) == 10
    assert Counter(Run.objects.values_list("orchestration_id", flat=True)) == {
        orchestration.pk: 1 for orchestration in orchestrations
    }
    assert Slot.objects.filter(outcome=SlotOutcome.SKIPPED).count() == 50


def in_thread(pool: ThreadPoolExecutor, now: datetime) -> Future[FireReport]:
    def work() -> FireReport:
        try:
            return fire_due(now)
        finally:
            connection.close()

    return pool.submit(work)


def wait_until_blocked() -> None:
    """Wait until some session of this database waits for a lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while datetime.now(UTC) < deadline:
        with connection.cursor() as cursor:
            # Within a transaction the view stays as it was first read.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(query)
            if cursor.fetchone() == (1,):
                return
    pytest.fail("nobody waits for a lock")


def test_a_slot_written_by_somebody_without_the_lock_is_read_again() -> None:
    schedule, other = make_schedule(NOON), make_schedule(NOON)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Slot.objects.create(schedule=schedule, due_at=NOON, outcome=SlotOutcome.REJECTED)
            future = in_thread(pool, NOON)
            wait_until_blocked()
        report = future.result(timeout=10)

    assert report == FireReport(schedules=2, slots=1, runs=1, more=False)
    assert Counter(Slot.objects.values_list("schedule_id", "outcome")) == {
        (schedule.pk, "rejected"): 1,
        (other.pk, "fired"): 1,
    }
    assert list(Run.objects.values_list("schedule_id", flat=True)) == [other.pk]


def test_who_waited_for_a_schedule_decides_by_the_calendar_as_it_is_now() -> None:
    """PostgreSQL reads a locked row again, and not the rows that were joined to it."""
    calendar = Calendar.objects.create(name="Closed")
    schedule = make_schedule(NOON, calendar=calendar)

    def fire() -> FireReport:
        try:
            return fire_due(NOON, only=schedule.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Schedule.objects.select_for_update(no_key=True).get(pk=schedule.pk)
            future = pool.submit(fire)
            wait_until_blocked()
            calendar.dates = [{"on": "2026-06-01", "name": ""}]
            calendar.save()
            Schedule.objects.update(variables={"changed": "meanwhile"})
        assert future.result(timeout=10).runs == 0

    assert Slot.objects.get().outcome == SlotOutcome.HELD


def test_a_held_schedule_is_left_out_and_the_others_fire() -> None:
    held, free = make_schedule(NOON), make_schedule(NOON)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Schedule.objects.select_for_update().get(pk=held.pk)
            report = in_thread(pool, NOON).result(timeout=10)
            assert report == FireReport(schedules=1, slots=1, runs=1, more=False)
            assert list(Slot.objects.values_list("schedule_id", flat=True)) == [free.pk]
        assert in_thread(pool, NOON).result(timeout=10).runs == 1

    assert Slot.objects.filter(schedule=held).count() == 1


def test_runs_of_the_orchestration_may_be_made_while_it_fires() -> None:
    """Firing must not hold up a run started by hand, which refers to the same rows."""
    schedule = make_schedule(NOON)

    with transaction.atomic():
        slots.fire_due(NOON)
        with ThreadPoolExecutor(1) as pool:

            def start_by_hand() -> int:
                try:
                    version = schedule.orchestration.versions.get()
                    return Run.objects.create(
                        orchestration=schedule.orchestration, version=version, started_by="manual"
                    ).pk
                finally:
                    connection.close()

            assert pool.submit(start_by_hand).result(timeout=10) > 0


def test_a_stalled_beat_loses_its_locks() -> None:
    make_schedule(NOON)

    with transaction.atomic():
        fire_due(NOON)
        with connection.cursor() as cursor:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            assert cursor.fetchone() == (slots.STALL_LIMIT,)
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("0",)


def test_edits_in_the_second_of_firing_lose_and_double_nothing() -> None:
    """Four beats fire while two people change the time of the same schedules."""
    now = datetime.now(UTC)
    minute = now.replace(second=0, microsecond=0)
    made = [make_schedule(minute, cron="* * * * *") for _ in range(24)]
    barrier = threading.Barrier(6)

    def edit(some: list[Schedule]) -> int:
        try:
            barrier.wait(timeout=10)
            for schedule in some:
                schedules.update_schedule(schedule, cron="30 4 * * *")
        finally:
            connection.close()
        return 0

    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(fire_until_done, now, barrier, 2) for _ in range(4)]
        futures += [pool.submit(edit, made[:12]), pool.submit(edit, made[12:][::-1])]
        for future in futures:
            future.result(timeout=60)

    # Every schedule fired its old moment exactly once, whoever came first.
    counts = Counter(Slot.objects.filter(due_at=minute).values_list("schedule_id", flat=True))
    assert counts == {schedule.pk: 1 for schedule in made}
    assert Counter(
        Run.objects.filter(scheduled_for=minute).values_list("schedule_id", flat=True)
    ) == {schedule.pk: 1 for schedule in made}
    for schedule in Schedule.objects.all():
        assert schedule.cron == "30 4 * * *"
        assert schedule.next_fire_at is not None
        assert f"{schedule.next_fire_at:%H:%M}" == "04:30"


def test_switching_orchestrations_and_editing_their_schedules_at_once_does_not_deadlock() -> None:
    orchestration = make_empty_orchestration()
    made = [make_schedule(NOON + 900 * 24 * HOUR, orchestration=orchestration) for _ in range(4)]
    barrier = threading.Barrier(3)

    def switch() -> None:
        try:
            barrier.wait(timeout=10)
            for enabled in (False, True) * 8:
                with transaction.atomic():
                    type(orchestration).objects.filter(pk=orchestration.pk).update(
                        is_enabled=enabled
                    )
                    fresh = type(orchestration).objects.get(pk=orchestration.pk)
                    schedules.on_orchestration_changed(fresh)
        finally:
            connection.close()

    def edit(some: list[Schedule]) -> None:
        try:
            barrier.wait(timeout=10)
            for schedule in some * 4:
                schedules.update_schedule(schedule, cron="0 1 * * *")
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(switch), pool.submit(edit, made), pool.submit(edit, made[::-1])]
        for future in futures:
            future.result(timeout=60)

    assert Schedule.objects.filter(next_fire_at__isnull=False, cron="0 1 * * *").count() == 4
