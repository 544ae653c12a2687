from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrations.models import Schedule, Slot
from orchestrations.queries import schedules as queries
from orchestrations.scheduling.slots import fire_due
from tests.builders import make_empty_orchestration, make_schedule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
pytestmark = pytest.mark.django_db


def test_a_schedule_that_cannot_be_read_is_shown_as_it_is_stored() -> None:
    assert queries.words(make_schedule(None, cron="61 * * * *")) == "61 * * * * (UTC)"


def test_coming_merges_the_moments_of_all_schedules() -> None:
    often = make_schedule(NOON, cron="*/20 * * * *")
    hourly = make_schedule(NOON)
    ending = make_schedule(NOON, cron="*/30 * * * *", valid_to=NOON + 30 * MINUTE)
    paused = make_schedule(NOON, cron="*/10 * * * *", paused_until=NOON + 35 * MINUTE)
    make_schedule(None)
    make_schedule(NOON, deleted_at=NOON)
    make_schedule(NOON, orchestration=make_empty_orchestration(deleted_at=NOON))

    found = [((c.at - NOON) / MINUTE, c.schedule) for c in queries.coming(9)]

    assert found == [
        (0, often),
        (0, hourly),
        (0, ending),
        (20, often),
        (30, ending),
        (40, often),
        (40, paused),
        (50, paused),
        (60, often),
    ]


def test_coming_costs_the_same_for_one_and_for_thirty() -> None:
    counts = []
    for n in (1, 30):
        for _ in range(n):
            make_schedule(NOON, cron="* * * * *")
        with CaptureQueriesContext(connection) as captured:
            assert len([c.schedule.orchestration.name for c in queries.coming(10)]) == 10
        counts.append(len(captured))

    assert counts == [2, 2]


def test_the_next_run_comes_after_a_pause() -> None:
    assert queries.next_run_of(make_schedule(None)) is None
    assert queries.next_run_of(make_schedule(NOON)) == NOON
    paused = make_schedule(NOON, paused_until=NOON + 90 * MINUTE)
    assert queries.next_run_of(paused) == NOON + 2 * HOUR
    ended = make_schedule(NOON, paused_until=NOON + HOUR, valid_to=NOON + MINUTE)
    assert queries.next_run_of(ended) is None


def test_lag_is_the_age_of_the_earliest_undecided_moment() -> None:
    assert queries.overdue(NOON) == timedelta()
    make_schedule(NOON)
    make_schedule(NOON - HOUR)

    assert queries.overdue(NOON + MINUTE) == HOUR + MINUTE
    fire_due(NOON + MINUTE)
    assert queries.overdue(NOON + MINUTE) == timedelta()


def changed_at(schedule: Schedule, moment: datetime) -> Schedule:
    Schedule.objects.filter(pk=schedule.pk).update(updated_at=moment)
    return Schedule.objects.get(pk=schedule.pk)


def test_the_check_finds_each_moment_without_a_slot() -> None:
    schedule = changed_at(make_schedule(NOON - 5 * HOUR), NOON - 5 * HOUR - MINUTE)
    fire_due(NOON)
    schedule.refresh_from_db()
    back = timedelta(days=1)
    assert queries.slot_count(schedule, NOON + MINUTE, back=back).missing == []

    Slot.objects.filter(due_at__in=[NOON - 3 * HOUR, NOON - HOUR]).delete()

    now = NOON + 5 * MINUTE
    assert queries.slot_count(schedule, now, back=back).missing == [NOON - 3 * HOUR, NOON - HOUR]
    assert queries.slot_count(schedule, now, back=2 * HOUR).missing == [NOON - HOUR]
    after_change = changed_at(schedule, NOON - 2 * HOUR)
    assert queries.slot_count(after_change, now, back=back).missing == [NOON - HOUR]
    after_change.next_fire_at = None
    assert queries.slot_count(after_change, now, back=back).missing == []


def test_the_check_gives_beat_two_minutes_and_keeps_to_the_ends() -> None:
    schedule = changed_at(make_schedule(NOON), NOON - HOUR)
    back = timedelta(days=1)

    # Not decided yet is late, and no missing slot.
    assert queries.slot_count(schedule, NOON + 2 * MINUTE, back=back).missing == []
    schedule.next_fire_at = NOON + HOUR
    assert queries.slot_count(schedule, NOON + MINUTE, back=back).missing == []
    assert queries.slot_count(schedule, NOON + 2 * MINUTE, back=back).missing == [NOON]
    schedule.valid_from = NOON + MINUTE
    assert queries.slot_count(schedule, NOON + 2 * MINUTE, back=back).missing == []
    schedule.valid_from, schedule.valid_to = None, NOON - MINUTE
    assert queries.slot_count(schedule, NOON + 2 * MINUTE, back=back).missing == []
