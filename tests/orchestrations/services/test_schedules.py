from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from celery.schedules import schedule as celery_interval
from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

from orchestrations.enums import Misfire, Overlap, SlotOutcome
from orchestrations.exceptions import InvalidSchedule, NotAllowed
from orchestrations.models import Calendar, Orchestration, Run, Schedule, Slot
from orchestrations.scheduling.slots import fire_due
from orchestrations.services import schedules
from orchestrations.services.arming import CatchUp, missed_of
from orchestrations.services.orchestrations import move_to_trash, restore_from_trash
from orchestrator_site.lib import cron as crons
from tests.builders import make_empty_orchestration, make_schedule, make_user

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
pytestmark = pytest.mark.django_db


def create(
    orchestration: Orchestration | None = None, *, cron: str = "0 * * * *", **fields: Any
) -> Schedule:
    return schedules.create_schedule(
        orchestration or make_empty_orchestration(),
        cron=cron,
        timezone=fields.pop("timezone", "UTC"),
        user=None,
        **fields,
    )


def fresh(schedule: Schedule) -> Schedule:
    return Schedule.objects.get(pk=schedule.pk)


def shadow(schedule: Schedule) -> PeriodicTask:
    return PeriodicTask.objects.get(name=f"orchestrations.schedule.{schedule.pk}")


def outcomes(schedule: Schedule) -> list[tuple[datetime, str]]:
    return list(schedule.slots.order_by("due_at").values_list("due_at", "outcome"))


@time_machine.travel(NOON, tick=False)
def test_a_new_schedule_is_due_after_now_and_has_a_shadow() -> None:
    user, orchestration = make_user(), make_empty_orchestration(name="Sales")
    schedule = schedules.create_schedule(
        orchestration,
        cron=" 30  6 * * mon ",
        timezone="Europe/Prague",
        user=user,
        name=" Weekly ",
        overlap=Overlap.SKIP,
        misfire=Misfire.ALL,
        misfire_limit=3,
        variables={"a": "1"},
    )

    stored = fresh(schedule)
    assert (stored.cron, stored.timezone, stored.name) == (
        "30 6 * * mon",
        "Europe/Prague",
        "Weekly",
    )
    assert (stored.overlap, stored.misfire, stored.misfire_limit) == ("skip", "all", 3)
    assert (stored.variables, stored.created_by, stored.is_enabled) == ({"a": "1"}, user, True)
    assert stored.next_fire_at == datetime(2026, 6, 8, 4, 30, tzinfo=UTC)
    task = shadow(schedule)
    assert (task.task, json.loads(task.args)) == (
        "orchestrations.tasks.fire_schedule",
        [schedule.pk],
    )
    assert task.enabled is True
    assert task.description == "Schedule of “Sales”. Change it there, not here."
    crontab = task.crontab
    assert (crontab.minute, crontab.hour, crontab.day_of_month) == ("30", "6", "*")
    assert (crontab.month_of_year, crontab.day_of_week) == ("*", "1")
    assert str(crontab.timezone) == "Europe/Prague"


@time_machine.travel(NOON, tick=False)
def test_defaults_are_queue_one_and_the_last_missed() -> None:
    schedule = fresh(create())

    assert (schedule.overlap, schedule.misfire) == (Overlap.QUEUE_ONE, Misfire.LAST)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"cron": "0 0 30 2 *"}, {"cron"}),
        ({"cron": "61 * * * *"}, {"cron"}),
        ({"cron": ""}, {"cron"}),
        ({"timezone": "Mars/Olympus"}, {"timezone"}),
        ({"cron": "x", "timezone": ""}, {"cron", "timezone"}),
        ({"name": "n" * 201}, {"name"}),
        ({"misfire_limit": 0}, {"misfire_limit"}),
        ({"misfire_limit": 101}, {"misfire_limit"}),
        ({"overlap": "often"}, {"overlap"}),
        ({"misfire": "never"}, {"misfire"}),
        ({"valid_from": NOON, "valid_to": NOON}, {"valid_to"}),
    ],
)
def test_wrong_input_is_refused_at_its_field_and_changes_nothing(
    fields: dict[str, Any], wrong: set[str]
) -> None:
    schedule = create()
    before = Schedule.objects.values().get()

    with pytest.raises(InvalidSchedule) as creating:
        create(**fields)
    with pytest.raises(InvalidSchedule) as updating:
        schedules.update_schedule(schedule, **fields)

    assert set(creating.value.fields) == set(updating.value.fields) == wrong
    assert all(message.endswith(".") for message in creating.value.fields.values())
    assert Schedule.objects.values().get() == before
    assert PeriodicTask.objects.filter(name__startswith="orchestrations.schedule.").count() == 1


def test_a_change_of_time_counts_from_now_and_decides_what_was_due_as_it_was() -> None:
    with time_machine.travel(NOON - HOUR + MINUTE, tick=False):
        schedule = create()
    with time_machine.travel(NOON + timedelta(milliseconds=300), tick=False):
        changed = schedules.update_schedule(schedule, cron="15 4 * * *", timezone="Asia/Tokyo")

    assert outcomes(schedule) == [(NOON, SlotOutcome.FIRED)]
    assert Run.objects.get().scheduled_for == NOON
    assert changed.next_fire_at == datetime(2026, 6, 1, 19, 15, tzinfo=UTC)
    assert fresh(schedule).next_fire_at == changed.next_fire_at
    crontab = shadow(schedule).crontab
    assert (crontab.minute, crontab.hour, str(crontab.timezone)) == ("15", "4", "Asia/Tokyo")


def test_a_new_name_leaves_the_next_moment_and_the_shadow_alone() -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create()
    last_change = PeriodicTasks.last_change()
    with time_machine.travel(NOON + MINUTE, tick=False):
        schedules.update_schedule(schedule, name="New", overlap=Overlap.SKIP)

    stored = fresh(schedule)
    assert (stored.name, stored.overlap, stored.next_fire_at) == ("New", "skip", NOON + HOUR)
    assert PeriodicTasks.last_change() == last_change


def test_switched_off_it_starts_nothing_not_even_what_is_due() -> None:
    with time_machine.travel(NOON - MINUTE, tick=False):
        schedule = create()
    with time_machine.travel(NOON + timedelta(milliseconds=300), tick=False) as now:
        schedules.set_enabled(schedule, enabled=False)
        fire_due(NOON + 5 * HOUR)

    assert outcomes(schedule) == [(NOON, SlotOutcome.PAUSED)]
    assert Run.objects.count() == 0
    stored = fresh(schedule)
    assert (stored.is_enabled, stored.next_fire_at) == (False, None)
    assert stored.off_since == NOON + timedelta(milliseconds=300)
    assert shadow(schedule).enabled is False
    assert now is not None


F, Q, C, M = SlotOutcome.FIRED, SlotOutcome.QUEUED, SlotOutcome.COALESCED, SlotOutcome.MISSED
OFF = "It was switched off from 2026-06-01 12:00:00 to 17:30:00 UTC."


@pytest.mark.parametrize(
    ("misfire", "became"),
    [
        (Misfire.SKIP, [M, M, M, M, M]),
        (Misfire.LAST, [C, C, C, C, F]),
        (Misfire.ALL, [M, M, M, F, Q]),
    ],
)
@pytest.mark.parametrize("asked", [False, True])
def test_switched_on_again_what_was_missed_is_decided_at_once(
    misfire: Misfire, became: list[SlotOutcome], *, asked: bool
) -> None:
    """By the schedule's own policy, or by what was chosen in its place."""
    other = Misfire.SKIP if misfire != Misfire.SKIP else Misfire.ALL
    own: dict[str, Any] = {"misfire": other if asked else misfire, "misfire_limit": 2}
    with time_machine.travel(NOON, tick=False):
        schedule = create(overlap=Overlap.QUEUE_ALL, **own)
        schedules.set_enabled(schedule, enabled=False)
    with time_machine.travel(NOON + 5 * HOUR + 30 * MINUTE, tick=False):
        catch_up = CatchUp(misfire, 2) if asked else None
        schedules.set_enabled(schedule, enabled=True, catch_up=catch_up)

    assert outcomes(schedule) == [(NOON + n * HOUR, became[n - 1]) for n in range(1, 6)]
    assert all(OFF in slot.reason for slot in schedule.slots.all())
    assert Run.objects.count() == sum(outcome in (F, Q) for outcome in became)
    stored = fresh(schedule)
    assert (stored.next_fire_at, stored.off_since) == (NOON + 6 * HOUR, None)
    assert stored.misfire == own["misfire"]
    assert shadow(schedule).enabled is True


def test_a_slot_says_who_switched_the_schedule_off() -> None:
    ada = make_user(name="ada")
    with time_machine.travel(NOON, tick=False):
        schedule = create(misfire=Misfire.SKIP)
    with time_machine.travel(NOON + HOUR + timedelta(seconds=1), tick=False):
        schedules.set_enabled(schedule, enabled=False, user=ada)
    with time_machine.travel(NOON + 2 * HOUR + MINUTE, tick=False):
        schedules.set_enabled(schedule, enabled=True)

    first, second = schedule.slots.order_by("due_at")
    assert first.reason == "The schedule was switched off by ada before this could start."
    assert second.reason == (
        "It was switched off by ada from 2026-06-01 13:00:01 to 14:01:00 UTC. "
        "Missed moments are skipped."
    )
    assert fresh(schedule).off_by is None


def test_of_a_long_time_off_only_what_runs_gets_a_slot() -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create(cron="* * * * *", overlap=Overlap.QUEUE_ALL)
        schedules.set_enabled(schedule, enabled=False)
    now = NOON + timedelta(days=365)
    missed = missed_of(fresh(schedule), now)
    assert missed is not None
    assert (missed.count, missed.is_more) == (1000, True)
    with time_machine.travel(now, tick=False):
        schedules.set_enabled(schedule, enabled=True, catch_up=CatchUp(Misfire.ALL, 3))

    # The one of this very moment runs besides.
    assert [due for due, _ in outcomes(schedule)] == [now - n * MINUTE for n in (2, 1, 0)]


def test_what_was_missed_is_counted_without_what_a_calendar_holds() -> None:
    calendar = Calendar.objects.create(
        name="Closed",
        windows=[{"begins": "2026-06-01T13:30", "ends": "2026-06-01T15:30", "name": ""}],
    )
    with time_machine.travel(NOON, tick=False):
        schedule = create(calendar=calendar)
        schedules.set_enabled(schedule, enabled=False)

    missed = missed_of(fresh(schedule), NOON + 5 * HOUR + MINUTE)
    assert missed is not None
    assert (missed.count, missed.is_more, missed.last) == (3, False, NOON + 5 * HOUR)
    assert missed_of(fresh(schedule), NOON + MINUTE) is None


def test_switching_twice_is_the_same_as_once() -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create()
        schedules.set_enabled(schedule, enabled=False)
    with time_machine.travel(NOON + HOUR, tick=False):
        schedules.set_enabled(schedule, enabled=False)

    assert fresh(schedule).off_since == NOON


def test_an_orchestrations_switch_rests_and_wakes_its_schedules() -> None:
    orchestration = make_empty_orchestration()
    with time_machine.travel(NOON, tick=False):
        on = create(orchestration)
        off = create(orchestration, enabled=False)
        orchestration.is_enabled = False
        orchestration.save()
        schedules.on_orchestration_changed(orchestration)
    rested = [fresh(on), fresh(off)]
    assert [s.next_fire_at for s in rested] == [None, None]
    assert [shadow(s).enabled for s in rested] == [False, False]
    with time_machine.travel(NOON + 90 * MINUTE, tick=False):
        orchestration.is_enabled = True
        orchestration.save()
        schedules.on_orchestration_changed(orchestration)
        schedules.on_orchestration_changed(orchestration)

    assert outcomes(on) == [(NOON + HOUR, F)]  # missed meanwhile, and the policy runs the last
    assert fresh(on).next_fire_at == NOON + 2 * HOUR
    assert fresh(off).next_fire_at is None
    assert [shadow(on).enabled, shadow(off).enabled] == [True, False]


def test_out_of_the_trash_it_goes_on_from_now() -> None:
    orchestration = make_empty_orchestration()
    with time_machine.travel(NOON, tick=False):
        schedule = create(orchestration)
        move_to_trash(orchestration, user=None)
    assert fresh(schedule).next_fire_at is None
    with time_machine.travel(NOON + 90 * MINUTE, tick=False):
        restore_from_trash(orchestration)

    assert fresh(schedule).next_fire_at == NOON + 2 * HOUR
    assert not Slot.objects.exists()


def test_one_that_was_off_before_the_trash_misses_nothing_in_it() -> None:
    orchestration = make_empty_orchestration()
    ann = make_user(name="ann")
    with time_machine.travel(NOON, tick=False):
        schedule = create(orchestration)
        schedules.set_enabled(schedule, enabled=False, user=ann)
        move_to_trash(orchestration, user=None)
    with time_machine.travel(NOON + 5 * HOUR, tick=False):
        restore_from_trash(orchestration)
    row = fresh(schedule)
    assert (row.off_since, row.off_by) == (NOON + 5 * HOUR, ann)
    with time_machine.travel(NOON + 6.5 * HOUR, tick=False):
        schedules.set_enabled(row, enabled=True)

    assert list(Slot.objects.values_list("due_at", flat=True)) == [NOON + 6 * HOUR]


@time_machine.travel(NOON, tick=False)
def test_a_schedule_of_a_resting_orchestration_sleeps_from_the_start() -> None:
    schedule = create(make_empty_orchestration(is_enabled=False))

    assert fresh(schedule).next_fire_at is None
    assert shadow(schedule).enabled is False


def test_a_removed_schedule_keeps_its_slots_and_loses_its_shadow() -> None:
    with time_machine.travel(NOON - MINUTE, tick=False):
        schedule = create()
    fire_due(NOON)
    with time_machine.travel(NOON + HOUR + MINUTE, tick=False):
        schedules.delete_schedule(schedule)
        schedules.delete_schedule(schedule)

    stored = fresh(schedule)
    assert (stored.deleted_at, stored.next_fire_at) == (NOON + HOUR + MINUTE, None)
    assert outcomes(schedule) == [(NOON, SlotOutcome.FIRED), (NOON + HOUR, SlotOutcome.PAUSED)]
    assert PeriodicTask.objects.filter(name__startswith="orchestrations.schedule.").count() == 0
    assert CrontabSchedule.objects.count() == 0
    with pytest.raises(NotAllowed):
        schedules.update_schedule(schedule, name="Back")
    with pytest.raises(NotAllowed):
        schedules.set_enabled(schedule, enabled=False)


@time_machine.travel(NOON, tick=False)
def test_no_two_schedules_share_a_crontab() -> None:
    first, second = create(), create()
    schedules.update_schedule(first, cron="5 * * * *")

    assert shadow(second).crontab.minute == "0"
    schedules.delete_schedule(first)
    assert shadow(second).crontab.minute == "0"


@time_machine.travel(NOON, tick=False)
def test_shadows_go_before_an_orchestration_is_purged() -> None:
    orchestration = make_empty_orchestration()
    create(orchestration)
    kept = create()

    schedules.remove_schedules(orchestration)

    assert list(PeriodicTask.objects.filter(name__startswith="orchestrations.schedule.")) == [
        shadow(kept)
    ]


EXPRESSIONS = [
    # cron, what celery gets
    ("*/5 * * * *", "*/5 * * * *"),
    ("1 */6 * * *", "1 */6 * * *"),
    ("0 5,17 * * *", "0 5,17 * * *"),
    ("0 9-17/2 * * MON-FRI", "0 9-17/2 * * 1-5"),
    ("0 0 * * 7", "0 0 * * 0"),
    ("5/20 * * * *", "5,25,45 * * * *"),
    ("0 0 1 JAN,JUL *", "0 0 1 1,7 *"),
    ("0 0 L * *", "0 0 * * *"),
    ("0 0 * * 5L", "0 0 * * *"),
    ("0 0 * * 1#2", "0 0 * * *"),
    ("0 0 13 * 5", "0 0 * * *"),
    ("0 0 */2 * 1", "0 0 */2 * 1"),
    ("@daily", "0 0 * * *"),
]


@pytest.mark.parametrize(("cron", "expected"), EXPRESSIONS)
@time_machine.travel(NOON, tick=False)
def test_the_shadow_fires_whenever_the_schedule_does(cron: str, expected: str) -> None:
    crontab = shadow(create(cron=cron)).crontab

    fields = (crontab.minute, crontab.hour, crontab.day_of_month)
    assert " ".join((*fields, crontab.month_of_year, crontab.day_of_week)) == expected
    celery = crontab.schedule
    for occurrence in crons.occurrences(cron, "UTC", NOON, 40):
        at = occurrence.at
        assert at.minute in celery.minute
        assert at.hour in celery.hour
        assert at.day in celery.day_of_month
        assert at.month in celery.month_of_year
        assert at.isoweekday() % 7 in celery.day_of_week


@time_machine.travel(NOON, tick=False)
def test_every_zone_can_be_projected() -> None:
    schedule = create()
    refused = []
    for zone in crons.zone_names():
        schedules.update_schedule(schedule, timezone=zone)
        if str(shadow(schedule).crontab.timezone) != zone:
            refused.append(zone)

    assert refused == []


def test_the_projected_task_fires_what_is_due_and_only_that() -> None:
    due, other = make_schedule(NOON), make_schedule(NOON)
    with time_machine.travel(NOON, tick=False):
        schedules.fire_schedule(due.pk)
        schedules.fire_schedule(due.pk)

    assert outcomes(due) == [(NOON, SlotOutcome.FIRED)]
    assert outcomes(other) == []


def test_a_projected_task_without_its_schedule_takes_itself_away() -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create()
    Schedule.objects.all().delete()

    schedules.fire_schedule(schedule.pk)

    assert PeriodicTask.objects.filter(name__startswith="orchestrations.schedule.").count() == 0


def test_housekeeping_is_made_once_and_an_administrators_changes_stay() -> None:
    PeriodicTask.objects.all().delete()
    schedules.ensure_housekeeping()
    PeriodicTask.objects.filter(name="components.tasks.sweep_storage").update(enabled=False)
    schedules.ensure_housekeeping()

    tasks = {task.name: task for task in PeriodicTask.objects.all()}
    assert {name: (task.task, task.enabled) for name, task in tasks.items()} == {
        "components.tasks.recover_jobs": ("components.tasks.recover_jobs", True),
        "orchestrations.tasks.recover_runs": ("orchestrations.tasks.recover_runs", True),
        "orchestrations.tasks.deliver_messages": ("orchestrations.tasks.deliver_messages", True),
        "orchestrations.tasks.watch_runs": ("orchestrations.tasks.watch_runs", True),
        "orchestrations.tasks.sweep_triggers": ("orchestrations.tasks.sweep_triggers", True),
        "orchestrations.tasks.apply_retention": ("orchestrations.tasks.apply_retention", True),
        "orchestrations.tasks.watch_files": ("orchestrations.tasks.watch_files", True),
        "orchestrations.tasks.check_slots": ("orchestrations.tasks.check_slots", True),
        "components.tasks.compact_tables": ("components.tasks.compact_tables", True),
        "components.tasks.sweep_storage": ("components.tasks.sweep_storage", False),
    }
    every = {name: task.schedule for name, task in tasks.items()}
    assert {name: found.run_every for name, found in every.items()} == {
        "components.tasks.recover_jobs": timedelta(seconds=10),
        "orchestrations.tasks.recover_runs": timedelta(seconds=10),
        "orchestrations.tasks.deliver_messages": timedelta(seconds=15),
        "orchestrations.tasks.watch_runs": timedelta(seconds=60),
        "orchestrations.tasks.sweep_triggers": timedelta(seconds=10),
        "orchestrations.tasks.apply_retention": timedelta(days=1),
        "orchestrations.tasks.watch_files": timedelta(seconds=10),
        "orchestrations.tasks.check_slots": timedelta(days=1),
        "components.tasks.compact_tables": timedelta(hours=1),
        "components.tasks.sweep_storage": timedelta(hours=1),
    }
    assert all(isinstance(found, celery_interval) for found in every.values())


@time_machine.travel(NOON, tick=False)
def test_the_preview_says_when_in_words_and_in_both_zones() -> None:
    found = schedules.preview("0 0 * * *", "UTC", n=2, viewer_zone="Asia/Tokyo")

    assert found.words == "Every day at 00:00, UTC"
    assert [o.at for o in found.occurrences] == [
        datetime(2026, 6, 2, tzinfo=UTC),
        datetime(2026, 6, 3, tzinfo=UTC),
    ]
    assert [o.viewer.isoformat() for o in found.occurrences] == [
        "2026-06-02T09:00:00+09:00",
        "2026-06-03T09:00:00+09:00",
    ]
    assert [(o.kind, o.note) for o in found.occurrences] == [("normal", None)] * 2


def test_the_preview_marks_clock_changes() -> None:
    after = datetime(2027, 3, 27, 12, tzinfo=UTC)
    (gap,) = schedules.preview("30 2 * * *", "Europe/Prague", n=1, after=after).occurrences
    after = datetime(2027, 10, 30, 12, tzinfo=UTC)
    (fold,) = schedules.preview("30 2 * * *", "Europe/Prague", n=1, after=after).occurrences

    assert (gap.kind, gap.note) == (
        "gap",
        "02:30 does not exist on 28 March 2027, runs at 03:00",
    )
    assert gap.local.isoformat() == "2027-03-28T03:00:00+02:00"
    assert (fold.kind, fold.note) == (
        "fold",
        "02:30 comes twice on 31 October 2027, runs at the first",
    )


@pytest.mark.parametrize(("n", "shown"), [(0, 1), (5, 5), (100, 100), (5000, 100)])
def test_the_preview_is_bounded(n: int, shown: int) -> None:
    assert len(schedules.preview("* * * * *", "UTC", n=n).occurrences) == shown


def test_the_preview_refuses_at_the_field() -> None:
    with pytest.raises(InvalidSchedule) as refused:
        schedules.preview("0 0 31 4 *", "Nowhere/Land")

    assert set(refused.value.fields) == {"cron", "timezone"}
