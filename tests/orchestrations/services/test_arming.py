"""Switched off and on again: every moment is asked about, decided once, and explained."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from orchestrations.enums import Misfire, Overlap, RunStatus, SlotOutcome, StartedBy
from orchestrations.models import Calendar, Orchestration, Run, Schedule
from orchestrations.queries.schedules import coming
from orchestrations.scheduling.slots import fire_due
from orchestrations.services import arming, schedules
from orchestrations.services.arming import CatchUp, missed_of, missed_of_all
from orchestrations.services.orchestrations import set_enabled
from orchestrations.services.ready_by import retime
from orchestrator_site.lib import cron as crons
from tests.builders import make_empty_orchestration, make_run, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ALL = CatchUp(Misfire.ALL, 1000)


def create(cron: str = "0 * * * *", **fields: Any) -> Schedule:
    orchestration = fields.pop("orchestration", None) or make_empty_orchestration()
    zone = fields.pop("timezone", "UTC")
    return schedules.create_schedule(orchestration, cron=cron, timezone=zone, user=None, **fields)


def off_at(at: datetime, schedule: Schedule) -> None:
    with time_machine.travel(at, tick=False):
        schedules.set_enabled(schedule, enabled=False)


def on_at(at: datetime, schedule: Schedule, catch_up: CatchUp | None = None) -> None:
    with time_machine.travel(at, tick=False):
        schedules.set_enabled(
            schedule, enabled=True, catch_up=catch_up, user=make_user(name="olga")
        )


def fresh(schedule: Schedule) -> Schedule:
    return Schedule.objects.get(pk=schedule.pk)


def took(orchestration: Orchestration, minutes: int, *, times: int = 60) -> None:
    """As many runs of this length as make all others forgotten."""
    for _ in range(times):
        run = make_run(orchestration, status=RunStatus.SUCCESS, started_by=StartedBy.API)
        Run.objects.filter(pk=run.pk).update(started_at=NOON - minutes * MINUTE, ended_at=NOON)


def due_of(schedule: Schedule) -> list[datetime]:
    return list(schedule.slots.order_by("due_at").values_list("due_at", flat=True))


@pytest.mark.parametrize(("before", "after"), [(10, 90), (90, 10), (30, 30)])
def test_a_lead_that_changed_meanwhile_loses_and_doubles_no_moment(before: int, after: int) -> None:
    orchestration = make_empty_orchestration()
    took(orchestration, before)
    with time_machine.travel(NOON, tick=False):
        schedule = create(orchestration=orchestration, confidence=90)
    fire_due(NOON + 2 * HOUR)
    off_at(NOON + 2 * HOUR + MINUTE, schedule)
    took(orchestration, after)
    retime(orchestration.pk)
    now = NOON + 6 * HOUR + 5 * MINUTE
    missed = missed_of(fresh(schedule), now)
    on_at(now, schedule, ALL)

    first = NOON + (HOUR if before < 60 else 2 * HOUR)
    last = now + after * MINUTE
    expected = crons.occurrences_between("0 * * * *", "UTC", first - MINUTE, last, 99)
    assert due_of(schedule) == [moment.at for moment in expected]
    assert missed is not None
    caught = schedule.slots.filter(reason__contains="olga chose")
    assert (missed.count, missed.last) == (caught.count(), expected[-1].at)
    assert fresh(schedule).next_due_at == expected[-1].at + HOUR


def test_what_was_started_early_is_not_missed() -> None:
    orchestration = make_empty_orchestration()
    took(orchestration, 90)
    with time_machine.travel(NOON, tick=False):
        schedule = create(orchestration=orchestration, confidence=90)
    fire_due(NOON + HOUR)
    assert due_of(schedule) == [NOON + 2 * HOUR]
    took(orchestration, 5)
    retime(orchestration.pk)
    off_at(NOON + HOUR + MINUTE, schedule)

    assert missed_of(fresh(schedule), NOON + 2 * HOUR + MINUTE) is None
    missed = missed_of(fresh(schedule), NOON + 3 * HOUR + MINUTE)
    assert missed is not None
    assert (missed.count, missed.last) == (1, NOON + 3 * HOUR)


@pytest.mark.parametrize("overlap", list(Overlap))
def test_what_somebody_chose_to_run_runs_whatever_the_schedule_says_of_overlap(
    overlap: Overlap,
) -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create(overlap=overlap)
    off_at(NOON, schedule)
    on_at(NOON + 4 * HOUR + MINUTE, schedule, CatchUp(Misfire.ALL, 3))

    found = list(schedule.slots.order_by("due_at").values_list("outcome", "reason"))
    assert [outcome for outcome, _ in found] == ["missed", "fired", "queued", "queued"]
    assert Run.objects.count() == 3
    assert found[1][1] == (
        "Missed, run 2 hr 1 min late. It was switched off from 2026-06-01 12:00:00 to 16:01:00 "
        "UTC. olga chose to run it."
    )
    assert fresh(schedule).overlap == overlap


def test_where_nobody_was_asked_the_schedule_says_what_becomes_of_overlap() -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create(overlap=Overlap.SKIP, misfire=Misfire.ALL)
    off_at(NOON, schedule)
    on_at(NOON + 3 * HOUR + MINUTE, schedule)

    outcomes = list(schedule.slots.order_by("due_at").values_list("outcome", flat=True))
    assert outcomes == ["fired", "skipped", "skipped"]
    assert not schedule.slots.filter(reason__contains="olga").exists()


def test_who_chose_to_run_none_is_named() -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create()
    off_at(NOON, schedule)
    on_at(NOON + HOUR + MINUTE, schedule, CatchUp(Misfire.SKIP))

    assert schedule.slots.get().reason.endswith(" UTC. olga chose to run none.")


def test_moments_behind_a_long_closure_are_found() -> None:
    """The first days of every minute are held: more moments than are looked at in one go."""
    calendar = Calendar.objects.create(
        name="Closed",
        windows=[{"begins": "2026-06-01T12:00", "ends": "2026-06-05T12:00", "name": ""}],
    )
    with time_machine.travel(NOON, tick=False):
        schedule = create("* * * * *", calendar=calendar)
    off_at(NOON, schedule)

    assert missed_of(fresh(schedule), NOON + timedelta(days=3)) is None
    now = NOON + timedelta(days=4) + 90 * MINUTE
    missed = missed_of(fresh(schedule), now)
    assert missed is not None
    assert (missed.count, missed.is_more, missed.last) == (91, False, now)
    # So far as is looked there is none; that there is one is known.
    more = missed_of(fresh(schedule), now, most=50)
    assert more is not None
    assert (more.count, more.is_more, more.last) == (1, True, now)


def test_what_falls_into_a_pause_is_not_asked_about_and_says_so() -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create(paused_until=NOON + 3 * HOUR)
    off_at(NOON, schedule)

    assert missed_of(fresh(schedule), NOON + 2 * HOUR + MINUTE) is None
    now = NOON + 4 * HOUR + MINUTE
    missed = missed_of(fresh(schedule), now)
    assert missed is not None
    assert (missed.count, missed.last) == (2, NOON + 4 * HOUR)
    on_at(now, schedule, ALL)
    outcomes = list(schedule.slots.order_by("due_at").values_list("outcome", flat=True))
    assert outcomes == ["paused", "paused", "fired", "queued"]


def test_of_many_schedules_each_is_counted_up_to_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arming, "MOST_COUNTED", 60)
    orchestrations = [make_empty_orchestration() for _ in range(3)]
    with time_machine.travel(NOON, tick=False):
        for orchestration in orchestrations:
            create("* * * * *", orchestration=orchestration)
            set_enabled(orchestration, enabled=False)
    now = NOON + HOUR
    found = missed_of_all(orchestrations, now)

    assert [(m.count, m.is_more, m.last) for m in found] == [(20, True, now)] * 3
    alone = missed_of_all(orchestrations[:1], now)
    assert [(m.count, m.is_more) for m in alone] == [(60, False)]


def test_one_that_was_never_on_has_missed_nothing() -> None:
    orchestration = make_empty_orchestration()
    with time_machine.travel(NOON, tick=False):
        schedule = create(orchestration=orchestration, enabled=False)
        set_enabled(orchestration, enabled=False)
        set_enabled(orchestration, enabled=True)

    assert missed_of(fresh(schedule), NOON + 4 * HOUR) is None
    on_at(NOON + 4 * HOUR, schedule)
    assert due_of(schedule) == []
    assert fresh(schedule).next_fire_at == NOON + 5 * HOUR


def test_where_nobody_was_asked_what_is_too_long_ago_is_not_made_up_for() -> None:
    with time_machine.travel(NOON, tick=False):
        schedule = create("0 13 * * *", misfire_window=30)
    off_at(NOON, schedule)
    on_at(NOON + 10 * HOUR, schedule)

    assert schedule.slots.get().outcome == SlotOutcome.MISSED


@pytest.mark.parametrize("broken", [{"timezone": "Atlantis/Capital"}, {"cron": "61 * * * *"}])
def test_one_that_cannot_be_read_any_more_keeps_nothing_else_from_being_switched(
    broken: dict[str, str],
) -> None:
    """As after an update of the zones, or of this software."""
    orchestration, calendar = make_empty_orchestration(), Calendar.objects.create(name="C")
    with time_machine.travel(NOON, tick=False):
        bad, good = (create(orchestration=orchestration, calendar=calendar) for _ in range(2))
        Schedule.objects.filter(pk=bad.pk).update(**broken)
        schedules.on_calendar_changed(calendar)
        set_enabled(orchestration, enabled=False)
    with time_machine.travel(NOON + HOUR, tick=False):
        assert [m.schedule for m in missed_of_all([orchestration], NOON + HOUR)] == [good]
        set_enabled(orchestration, enabled=True)
        fire_due(NOON + HOUR)
        found = coming()

    assert {each.schedule for each in found} == {good}
    assert bad.slots.latest("pk").outcome == SlotOutcome.REJECTED
    assert good.slots.get().outcome == SlotOutcome.FIRED


CRONS = ["*/10 * * * *", "0 * * * *", "30 2 * * *", "*/30 1-4 * * *", "15 0,12 * * *"]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_switched_paused_and_learned_each_moment_gets_one_slot(seed: int) -> None:
    """Histories around a clock change; the limits of the time off are not reached."""
    rng = random.Random(seed)
    orchestration = make_empty_orchestration()
    took(orchestration, rng.randint(1, 180))
    calendar = Calendar.objects.create(name="Weekend", weekdays=[5, 6])
    now = begin = datetime(2026, 10, 20, rng.randint(0, 23), rng.randint(0, 59), tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        schedule = create(
            cron := rng.choice(CRONS),
            orchestration=orchestration,
            timezone="Europe/Prague",
            calendar=rng.choice([None, calendar]),
            misfire=rng.choice(list(Misfire)),
            misfire_limit=rng.choice([1, 5, 100]),
            overlap=rng.choice(list(Overlap)),
            confidence=rng.choice([None, 90]),
        )
    first = farthest = now + schedule.ahead
    for _ in range(25):
        now += timedelta(seconds=rng.choice([1, 60, 600, 6000, 60_000]) * rng.random())
        # With the lead before and after; one that is on looks ahead by it.
        farthest = max(farthest, now + schedule.ahead) if schedule.is_enabled else farthest
        step(rng, schedule, now)
        schedule.refresh_from_db()
        farthest = max(farthest, now + schedule.ahead) if schedule.is_enabled else farthest
    with time_machine.travel(now, tick=False):
        schedules.set_enabled(schedule, enabled=True)
    while fire_due(now).more:
        pass

    schedule = fresh(schedule)
    rules = schedule.rules
    until = now + schedule.ahead
    expected = {
        m.at for m in crons.occurrences_between(cron, "Europe/Prague", first, until, 5000, rules)
    }
    got = due_of(schedule)
    assert expected <= set(got), sorted(expected - set(got))[:3]
    # A lead that shrank lets moments be missed for which it was too late when the schedule began.
    assert not [at for at in got if not begin < at <= max(farthest, until)]
    assert Run.objects.filter(schedule=schedule).count() == (
        schedule.slots.filter(outcome__in=(SlotOutcome.FIRED, SlotOutcome.QUEUED)).count()
    )


def step(rng: random.Random, schedule: Schedule, now: datetime) -> None:
    """Do one thing to a schedule."""
    with time_machine.travel(now, tick=False):
        match rng.choice(["fire", "off", "on", "on", "pause", "learn", "end"]):
            case "fire":
                while fire_due(now).more:
                    pass
            case "off":
                schedules.set_enabled(schedule, enabled=False)
            case "on":
                switch_on(schedule, now, rng.choice([None, ALL, ALL]))
            case "pause":
                until = rng.choice([None, now + timedelta(hours=rng.randint(1, 30))])
                schedules.update_schedule(fresh(schedule), paused_until=until)
            case "learn":
                took(schedule.orchestration, rng.randint(1, 180))
                retime(schedule.orchestration_id)
            case "end":
                Run.objects.filter(status=RunStatus.CREATED).update(
                    status=RunStatus.SUCCESS, started_at=now, ended_at=now + MINUTE
                )


def switch_on(schedule: Schedule, now: datetime, choice: CatchUp | None) -> None:
    """What was asked about is what runs where somebody chose to run all."""
    current, before = fresh(schedule), Run.objects.count()
    missed = missed_of(current, now)
    schedules.set_enabled(schedule, enabled=True, catch_up=choice)
    if choice is not None and not current.is_enabled:
        assert Run.objects.count() - before == (missed.count if missed else 0)
