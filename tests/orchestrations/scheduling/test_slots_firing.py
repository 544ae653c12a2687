from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from orchestrations.enums import Misfire, Overlap, RunStatus, SlotOutcome, StartedBy
from orchestrations.models import Calendar, OrchestrationVersion, Run, RunEvent, Schedule, Slot
from orchestrations.scheduling import slots
from orchestrations.scheduling.slots import FireReport, fire_due, latest, next_wake, upcoming
from tests.builders import make_empty_orchestration, make_schedule, make_user

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
pytestmark = pytest.mark.django_db


def outcomes(schedule: Schedule) -> list[tuple[datetime, str]]:
    return list(schedule.slots.order_by("due_at").values_list("due_at", "outcome"))


def drain(now: datetime) -> int:
    """Fire until nothing more is due; return how many calls it took."""
    calls = 1
    while fire_due(now).more:
        calls += 1
    return calls


def test_a_due_moment_makes_a_slot_a_run_and_an_event_and_moves_on() -> None:
    orchestration = make_empty_orchestration()
    first = orchestration.versions.get()
    OrchestrationVersion.objects.create(
        orchestration=orchestration, number=2, definition=first.definition, change="Later"
    )
    orchestration.version = 2
    orchestration.save()
    schedule = make_schedule(NOON, orchestration=orchestration, variables={"day": "1"}, name="Noon")

    report = fire_due(NOON + timedelta(seconds=1))

    assert report == FireReport(schedules=1, slots=1, runs=1, more=False)
    run = Run.objects.get()
    slot = Slot.objects.get()
    assert (slot.schedule, slot.due_at, slot.outcome, slot.reason, slot.run) == (
        schedule,
        NOON,
        SlotOutcome.FIRED,
        "",
        run,
    )
    assert (run.orchestration, run.version.number) == (orchestration, 2)
    assert (run.status, run.started_by) == (RunStatus.CREATED, StartedBy.SCHEDULE)
    assert (run.schedule, run.scheduled_for) == (schedule, NOON)
    assert (run.variables, run.rung_at) == ({"day": "1"}, NOON + timedelta(seconds=1))
    event = RunEvent.objects.get()
    assert (event.run, event.new_status, event.reason, event.actor) == (
        run,
        RunStatus.CREATED,
        "Due at 2026-06-01 12:00 UTC.",
        "Schedule Noon",
    )
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON + HOUR


def test_what_is_not_due_is_left_alone() -> None:
    schedule = make_schedule(NOON)
    make_schedule(None)

    assert fire_due(NOON - timedelta(microseconds=1)) == FireReport()
    assert (Slot.objects.count(), Run.objects.count()) == (0, 0)
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON


def test_firing_twice_changes_nothing() -> None:
    make_schedule(NOON)

    fire_due(NOON)
    assert fire_due(NOON) == FireReport()
    assert (Slot.objects.count(), Run.objects.count()) == (1, 1)


def test_a_batch_is_bounded_and_says_that_there_is_more() -> None:
    for _ in range(3):
        make_schedule(NOON)

    assert fire_due(NOON, batch=2) == FireReport(schedules=2, slots=2, runs=2, more=True)
    assert fire_due(NOON, batch=2) == FireReport(schedules=1, slots=1, runs=1, more=False)


def test_a_batch_costs_the_same_queries_for_one_and_for_three_schedules() -> None:
    counts = []
    for n in (1, 3):
        for _ in range(n):
            make_schedule(NOON)
        with CaptureQueriesContext(connection) as queries:
            assert fire_due(NOON).runs == n
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_one_schedule_can_be_fired_alone() -> None:
    first, second = make_schedule(NOON), make_schedule(NOON)

    assert fire_due(NOON, only=second.pk) == FireReport(schedules=1, slots=1, runs=1)
    assert fire_due(NOON, only=second.pk) == FireReport()
    assert (outcomes(first), len(outcomes(second))) == ([], 1)


def test_two_schedules_of_one_orchestration_count_each_others_runs() -> None:
    orchestration = make_empty_orchestration()
    schedules = [
        make_schedule(NOON, orchestration=orchestration, overlap=overlap)
        for overlap in (Overlap.QUEUE_ONE, Overlap.QUEUE_ONE, Overlap.SKIP, Overlap.QUEUE_ALL)
    ]

    fire_due(NOON)

    assert [s.slots.get().outcome for s in schedules] == ["fired", "queued", "skipped", "queued"]
    assert Run.objects.count() == 3


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (RunStatus.CREATED, SlotOutcome.SKIPPED),
        (RunStatus.WAITING, SlotOutcome.SKIPPED),
        (RunStatus.PROCESSING, SlotOutcome.SKIPPED),
        (RunStatus.TERMINATING, SlotOutcome.SKIPPED),
        (RunStatus.SUCCESS, SlotOutcome.FIRED),
        (RunStatus.ERROR, SlotOutcome.FIRED),
        (RunStatus.CANCELLED, SlotOutcome.FIRED),
    ],
)
def test_only_unfinished_runs_stand_in_the_way(status: RunStatus, outcome: SlotOutcome) -> None:
    schedule = make_schedule(NOON, overlap=Overlap.SKIP)
    Run.objects.create(
        orchestration=schedule.orchestration,
        version=schedule.orchestration.versions.get(),
        started_by=StartedBy.MANUAL,
        status=status,
    )

    fire_due(NOON)

    assert outcomes(schedule) == [(NOON, outcome)]


def test_terminate_marks_the_unfinished_runs_and_rings_for_old_and_new(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    schedule = make_schedule(NOON, overlap=Overlap.TERMINATE)
    version = schedule.orchestration.versions.get()
    old, done = (
        Run.objects.create(
            orchestration=schedule.orchestration,
            version=version,
            started_by=StartedBy.MANUAL,
            status=status,
        )
        for status in (RunStatus.PROCESSING, RunStatus.SUCCESS)
    )
    other = make_schedule(NOON - HOUR)
    fire_due(NOON - HOUR)
    Schedule.objects.filter(pk=other.pk).update(next_fire_at=None)

    with django_capture_on_commit_callbacks() as callbacks:
        fire_due(NOON)

    new = schedule.slots.get().run
    assert new is not None
    marked = {run.pk: run.terminate_at for run in Run.objects.all()}
    assert {pk for pk, terminate_at in marked.items() if terminate_at} == {old.pk}
    assert marked[old.pk] == NOON
    assert [callback.args[1] for callback in callbacks] == [[[old.pk], [new.pk]]]  # type: ignore[attr-defined]  # partial
    assert done.pk in marked


def test_missed_moments_are_all_written_and_the_last_one_runs() -> None:
    schedule = make_schedule(NOON - 3 * HOUR)

    fire_due(NOON - 10 * MINUTE)

    assert outcomes(schedule) == [
        (NOON - 3 * HOUR, SlotOutcome.COALESCED),
        (NOON - 2 * HOUR, SlotOutcome.COALESCED),
        (NOON - HOUR, SlotOutcome.FIRED),
    ]
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON


def test_a_long_backlog_runs_the_last_moment_at_once_and_writes_the_rest_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slots, "SLOTS_AT_ONCE", 100)
    schedule = make_schedule(NOON - 1000 * MINUTE, cron="* * * * *")

    first = fire_due(NOON)

    assert first == FireReport(schedules=1, slots=102, runs=2, more=True)
    assert list(Run.objects.order_by("pk").values_list("scheduled_for", flat=True)) == [
        NOON - MINUTE,
        NOON,
    ]
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON - 900 * MINUTE
    assert drain(NOON + 2 * MINUTE) == 10
    written = outcomes(schedule)
    assert [due for due, _ in written] == [NOON + n * MINUTE for n in range(-1000, 3)]
    ran = [due for due, outcome in written if outcome != SlotOutcome.COALESCED]
    assert ran == [NOON + n * MINUTE for n in (-1, 0, 1, 2)]
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON + 3 * MINUTE


@pytest.mark.parametrize(
    ("misfire", "runs"), [(Misfire.SKIP, 0), (Misfire.LAST, 1), (Misfire.ALL, 7)]
)
def test_a_backlog_in_parts_runs_as_many_as_its_policy_says(
    monkeypatch: pytest.MonkeyPatch, misfire: Misfire, runs: int
) -> None:
    monkeypatch.setattr(slots, "SLOTS_AT_ONCE", 30)
    schedule = make_schedule(
        NOON - 400 * MINUTE,
        cron="*/2 * * * *",
        misfire=misfire,
        misfire_limit=7,
        overlap=Overlap.QUEUE_ALL,
    )

    drain(NOON - 30 * MINUTE + timedelta(seconds=90))

    expected = [NOON - (30 + 2 * n) * MINUTE for n in reversed(range(runs))]
    assert list(Run.objects.order_by("scheduled_for").values_list("scheduled_for", flat=True)) == (
        expected
    )
    assert [due for due, _ in outcomes(schedule)] == [NOON - n * MINUTE for n in range(400, 29, -2)]


def test_schedules_on_time_come_before_those_with_a_backlog() -> None:
    behind = make_schedule(NOON - 5 * HOUR)
    on_time = make_schedule(NOON)

    fire_due(NOON, batch=1)

    assert (len(outcomes(on_time)), len(outcomes(behind))) == (1, 0)


def test_a_year_of_every_minute_starts_its_run_at_once() -> None:
    make_schedule(NOON - timedelta(days=365), cron="* * * * *")

    report = fire_due(NOON + timedelta(seconds=5))

    assert report.more
    assert report.slots == slots.SLOTS_AT_ONCE + 2
    assert Run.objects.filter(scheduled_for=NOON).count() == 1


def test_valid_to_ends_a_schedule_and_its_last_moment_is_included() -> None:
    schedule = make_schedule(NOON - HOUR, valid_to=NOON)

    fire_due(NOON - HOUR)
    fire_due(NOON + 5 * HOUR)

    assert [due for due, _ in outcomes(schedule)] == [NOON - HOUR, NOON]
    schedule.refresh_from_db()
    assert schedule.next_fire_at is None


def test_upcoming_keeps_to_valid_from_and_to() -> None:
    schedule = make_schedule(None, valid_from=NOON + HOUR, valid_to=NOON + 2 * HOUR)

    assert upcoming(schedule, NOON) == NOON + HOUR
    assert upcoming(schedule, NOON + HOUR) == NOON + 2 * HOUR
    assert upcoming(schedule, NOON + 2 * HOUR) is None


def test_latest_are_the_last_ones_in_order() -> None:
    schedule = make_schedule(None)

    def found(after: datetime, n: int) -> list[datetime]:
        return [occurrence.at for occurrence in latest(schedule, after, NOON, n)]

    assert found(NOON - 5 * HOUR, 2) == [NOON - HOUR, NOON]
    assert found(NOON - HOUR, 9) == [NOON]
    assert found(NOON, 9) == []


@pytest.mark.parametrize(
    ("schedule_fields", "orchestration_fields", "reason"),
    [
        (
            {"is_enabled": False},
            {},
            "The schedule was switched off before this could start.",
        ),
        ({"deleted_at": NOON}, {}, "The schedule was removed before this could start."),
        ({}, {"is_enabled": False}, "The orchestration is switched off."),
        ({}, {"deleted_at": NOON}, "The orchestration is in the trash."),
    ],
)
def test_a_schedule_found_off_starts_nothing_and_sleeps(
    schedule_fields: dict[str, Any], orchestration_fields: dict[str, Any], reason: str
) -> None:
    orchestration = make_empty_orchestration(**orchestration_fields)
    schedule = make_schedule(NOON, orchestration=orchestration, **schedule_fields)

    fire_due(NOON)

    slot = schedule.slots.get()
    assert (slot.outcome, slot.reason, slot.run) == (SlotOutcome.PAUSED, reason, None)
    assert Run.objects.count() == 0
    schedule.refresh_from_db()
    assert schedule.next_fire_at is None
    in_trash = orchestration.deleted_at is not None
    assert schedule.off_since == (None if in_trash else NOON)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cron": "61 * * * *"}, "The schedule cannot be read: "),
        ({"timezone": "Atlantis/Capital"}, "The schedule cannot be read: "),
    ],
)
def test_a_schedule_that_cannot_be_read_is_rejected_and_harms_no_other(
    fields: dict[str, str], reason: str
) -> None:
    broken = make_schedule(NOON, **{"cron": "0 * * * *", **fields})  # type: ignore[arg-type]  # texts
    sound = make_schedule(NOON)

    fire_due(NOON)

    slot = broken.slots.get()
    assert (slot.due_at, slot.outcome) == (NOON, SlotOutcome.REJECTED)
    assert slot.reason.startswith(reason)
    assert len(slot.reason) > len(reason)
    assert outcomes(sound) == [(NOON, SlotOutcome.FIRED)]
    broken.refresh_from_db()
    assert broken.next_fire_at is None


def test_an_orchestration_without_a_version_is_rejected_and_goes_on() -> None:
    schedule = make_schedule(NOON)
    schedule.orchestration.versions.all().delete()

    fire_due(NOON)

    slot = schedule.slots.get()
    assert (slot.outcome, slot.reason) == (
        SlotOutcome.REJECTED,
        "The orchestration has no saved version to run.",
    )
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON + HOUR


def test_a_moment_that_has_its_slot_already_is_not_decided_again() -> None:
    schedule = make_schedule(NOON)
    Slot.objects.create(schedule=schedule, due_at=NOON, outcome=SlotOutcome.MISSED)

    assert fire_due(NOON) == FireReport(schedules=1, slots=0, runs=0, more=False)
    assert outcomes(schedule) == [(NOON, SlotOutcome.MISSED)]
    schedule.refresh_from_db()
    assert schedule.next_fire_at == NOON + HOUR


def test_the_longest_names_and_expressions_fit() -> None:
    minutes = ",".join(str(n) for n in range(60))
    hours = ",".join(str(n) for n in range(24))
    days = ",".join(str(n) for n in range(1, 32))
    make_schedule(NOON, cron=f"{minutes} {hours} {days} * *")
    make_schedule(NOON, name="n" * 200)

    fire_due(NOON)

    assert [len(event.actor) for event in RunEvent.objects.order_by("pk")] == [200, 200]


def test_the_next_wake_is_the_earliest_due_moment() -> None:
    assert next_wake() is None
    make_schedule(None)
    make_schedule(NOON + HOUR)
    make_schedule(NOON)

    assert next_wake() == NOON


@pytest.mark.parametrize(
    ("n", "sizes"), [(1, [1]), (50, [1] * 50), (51, [2] * 25 + [1]), (120, [3] * 40)]
)
def test_many_runs_share_messages(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, n: int, sizes: list[int]
) -> None:
    for _ in range(n):
        make_schedule(NOON)

    with django_capture_on_commit_callbacks() as callbacks:
        fire_due(NOON)

    ((_, packs),) = [callback.args for callback in callbacks]  # type: ignore[attr-defined]  # partial
    assert [len(pack) for pack in packs] == sizes
    runs = Run.objects.order_by("pk").values_list("pk", flat=True)
    assert [pk for pack in packs for pk in pack] == list(runs)


def test_a_broker_that_is_away_is_one_line_and_the_runs_stand(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from orchestrator_site.celery import app  # noqa: PLC0415  # a connection for this test alone

    for _ in range(5):
        make_schedule(NOON)
    with app.connection_for_write("redis://127.0.0.1:1/0") as nowhere:
        amqp: Any = app.amqp
        pool = amqp.producer_pool
        amqp._producer_pool = type(pool)(nowhere.Pool(limit=1))  # noqa: SLF001  # no public way
        try:
            with (
                caplog.at_level(logging.WARNING),
                django_capture_on_commit_callbacks(execute=True),
            ):
                fire_due(NOON)
        finally:
            amqp._producer_pool = pool  # noqa: SLF001

    assert Run.objects.count() == 5
    assert len(caplog.messages) == 1
    assert "; 5 messages of orchestrations.tasks.advance_runs wait." in caplog.messages[0]


def test_a_pause_names_who_paused() -> None:
    schedule = make_schedule(NOON, paused_until=NOON + HOUR, paused_by=make_user(name="anna"))

    fire_due(NOON)

    assert schedule.slots.get().reason == (
        "The schedule is paused by anna until 2026-06-01 13:00 UTC."
    )


@pytest.mark.parametrize("broken", ["calendar", "overlap"])
def test_one_schedule_that_cannot_be_decided_leaves_the_others_alone(
    broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows that this version does not understand, as after going back to an older one."""
    bad, good = make_schedule(NOON), make_schedule(NOON)
    if broken == "calendar":
        bad.calendar = Calendar.objects.create(name="Newer", windows=[{"what": "is this"}])
        bad.save()
    else:
        Schedule.objects.filter(pk=bad.pk).update(overlap="nonsense")

    fire_due(NOON)

    assert outcomes(good) == [(NOON, SlotOutcome.FIRED)]
    slot = bad.slots.get()
    assert (slot.due_at, slot.outcome, slot.run) == (NOON, SlotOutcome.REJECTED, None)
    reference = slot.reason.removeprefix(
        "An error of ours kept this from being decided. Its reference: "
    ).rstrip(".")
    assert f"Schedule {bad.pk}, error {reference}." in caplog.text
    assert "Traceback" in caplog.text
    assert not fire_due(NOON).slots


@pytest.mark.parametrize("first", [Overlap.QUEUE_ALL, Overlap.TERMINATE])
def test_a_run_of_the_same_moment_makes_room_too(first: Overlap) -> None:
    orchestration = make_empty_orchestration()
    one = make_schedule(NOON, orchestration=orchestration, overlap=first)
    two = make_schedule(NOON, orchestration=orchestration, overlap=Overlap.TERMINATE)

    fire_due(NOON)

    ended, kept = one.slots.get().run, two.slots.get().run
    assert ended is not None
    assert kept is not None
    assert (ended.terminate_at, kept.terminate_at) == (NOON, None)
    assert two.slots.get().reason == f"Terminates run {ended.pk} to make room."


def test_moments_that_are_decided_together_name_each_others_runs_by_number() -> None:
    orchestration = make_empty_orchestration()
    one = make_schedule(NOON, orchestration=orchestration, overlap=Overlap.QUEUE_ALL)
    two = make_schedule(
        NOON - HOUR, orchestration=orchestration, misfire="all", overlap="queue_all"
    )
    fire_due(NOON + timedelta(seconds=38))

    runs = {(run.schedule_id, run.scheduled_for): run.pk for run in Run.objects.all()}
    at_noon, hour_ago = runs[one.pk, NOON], runs[two.pk, NOON - HOUR]
    reasons = {(s.schedule_id, s.due_at): s.reason for s in Slot.objects.all()}
    assert reasons == {
        (one.pk, NOON): "38 sec late.",
        (two.pk, NOON - HOUR): f"Missed, run 1 hr late. Waits behind run {at_noon}.",
        (two.pk, NOON): f"38 sec late. Waits behind run {at_noon} and run {hour_ago}.",
    }


def test_a_reason_that_is_too_long_is_cut_and_stops_nothing() -> None:
    calendar = Calendar.objects.create(
        name="C",
        windows=[{"begins": "2026-06-01T11:00", "ends": "2026-06-01T13:00", "name": "w" * 600}],
    )
    held, good = make_schedule(NOON, calendar=calendar), make_schedule(NOON)

    fire_due(NOON)

    assert len(held.slots.get().reason) == 500
    assert outcomes(good) == [(NOON, SlotOutcome.FIRED)]


def test_what_is_moved_into_a_gap_that_is_held_too_has_one_moment() -> None:
    """London, 2026-03-29: the hour from 01:00 does not exist; Saturdays are moved to that day."""
    begin = datetime(2026, 3, 28, 0, tzinfo=UTC)
    calendar = Calendar.objects.create(
        name="C",
        weekdays=[5],
        windows=[{"begins": "2026-03-29T02:00", "ends": "2026-03-29T12:00", "name": ""}],
    )
    schedule = make_schedule(
        begin,
        cron="*/30 1-3 * * *",
        timezone="Europe/London",
        calendar=calendar,
        on_held="move",
        misfire="all",
        overlap="queue_all",
    )
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)
    drain(now)

    due = [at for at, _ in outcomes(schedule)]
    assert len(due) == len(set(due)) > 0
    schedule.refresh_from_db()
    assert schedule.next_fire_at is not None
    assert schedule.next_fire_at > now
    assert not [slot for slot in schedule.slots.all() if slot.reason.count("does not exist") > 1]
