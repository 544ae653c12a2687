"""Invariant I3 at length: 1,000 random schedules over three years, fired by the real scheduler.

The clock jumps by minutes to days, as if the installation slept; every missed moment is run, so
that what fires is what the preview shows, all of it and nothing else, page after page.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from orchestrations.enums import GapPolicy, HeldPolicy, Misfire, Overlap, RepeatPolicy
from orchestrations.models import Calendar, Run, Schedule, Slot
from orchestrations.scheduling.beat import SlotScheduler
from orchestrations.scheduling.preview import MOST_PREVIEWED, Limits, preview
from orchestrations.scheduling.slots import upcoming
from orchestrator_site.celery import app
from orchestrator_site.lib import cron as crons
from tests.builders import make_empty_orchestration

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
SCHEDULES, SEED = 1000, 20261126
ZONES = [
    *("Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"),
    *("America/Santiago", "Asia/Kolkata", "Pacific/Apia", "UTC"),
]
CALENDARS: list[dict[str, Any]] = [
    {"country": "CZ"},
    {"country": "US", "weekdays": [5, 6]},
    {"weekdays": [4]},
    {"dates": [{"on": f"{year}-03-29", "name": "Own"} for year in (2026, 2027, 2028)]},
    {"windows": [{"begins": "2027-03-01T22:00", "ends": "2027-03-03T04:00", "name": "Move"}]},
]
# Among them the hours in which clocks change.
TIMES = ["0 2", "30 2", "0 0", "30 1", "0 3", "15 12", "0 23", "5 1-2"]
DAYS = ["1 * *", "L * *", "* * 0", "* 3 *", "29 2 *", "* * 1#2", "28-31 3,10 *", "25-31 10 0"]
OFTEN = [
    *("*/7 1-3 * * *", "0 * * * *", "*/30 1-4 * * *", "10-50/20 0-5 * * *", "30 2 * * 1-5"),
    "@every 5 hours from 2026-01-01 00:00",
]

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]


def random_schedule(rng: random.Random, calendars: list[Calendar]) -> Schedule:
    """One of any kind; what fires often is valid for the days around a clock change only."""
    zone = rng.choice(ZONES if rng.random() < 0.7 else crons.zone_names())
    schedule = Schedule(
        orchestration=make_empty_orchestration(),
        timezone=zone,
        cron=f"{rng.choice(TIMES)} {rng.choice(DAYS)}",
        gap=rng.choice(list(GapPolicy)),
        repeat=rng.choice(list(RepeatPolicy)),
        calendar=rng.choice([None, None, *calendars]),
        on_held=rng.choice(list(HeldPolicy)),
        overlap=Overlap.QUEUE_ALL,
        misfire=Misfire.ALL,
        misfire_limit=1000,
    )
    if rng.random() < 0.3:
        month = rng.choice([3, 4, 9, 10, 11])
        begin = datetime(rng.choice([2026, 2027, 2028]), month, rng.randint(1, 28), tzinfo=UTC)
        schedule.cron = rng.choice(OFTEN)
        schedule.valid_from = begin
        schedule.valid_to = begin + timedelta(days=rng.randint(1, 2), minutes=rng.randint(0, 99))
    elif rng.random() < 0.1:
        anchor = BEGIN + timedelta(minutes=rng.randrange(60 * 24 * 300))
        length = f"{rng.randint(1, 9)} {rng.choice(['days', 'weeks'])}"
        schedule.cron = f"@every {length} from {anchor:%Y-%m-%d %H:%M}"
    schedule.next_fire_at = upcoming(schedule, BEGIN)
    return schedule


def shown(schedule: Schedule) -> list[tuple[datetime, str, bool]]:
    """All that the preview shows: each moment, its kind, and whether it is held."""
    limits = Limits(schedule.valid_from, schedule.valid_to)
    found: list[tuple[datetime, str, bool]] = []
    after = BEGIN
    while True:
        page = preview(
            schedule.cron,
            schedule.timezone,
            n=MOST_PREVIEWED,
            after=after,
            rules=schedule.rules,
            limits=limits,
        ).occurrences
        found += [(m.at, m.kind, m.is_held) for m in page if m.at <= END]
        if len(page) < MOST_PREVIEWED or page[-1].at > END:
            return found
        after = page[-1].at


def test_the_preview_is_what_fires_of_a_thousand_schedules_over_three_years() -> None:
    rng = random.Random(SEED)
    calendars = [Calendar.objects.create(name=f"C{n}", **c) for n, c in enumerate(CALENDARS)]
    schedules = [random_schedule(rng, calendars) for _ in range(SCHEDULES)]
    Schedule.objects.bulk_create(schedules)
    scheduler = SlotScheduler(app=app)
    now = BEGIN
    while now < END:
        step = timedelta(minutes=rng.choice([1, 29, 60 * 7, 60 * 31, 60 * 24 * 5]))
        now = min(now + step, END)
        with time_machine.travel(now, tick=False):
            while scheduler.firing.work() == 0.0:
                pass

    fired: dict[int, list[tuple[datetime, str, bool]]] = defaultdict(list)
    slots = Slot.objects.order_by("due_at").values_list("schedule", "due_at", "kind", "outcome")
    for pk, due_at, kind, outcome in slots:
        assert outcome in {"fired", "queued", "held"}
        fired[pk].append((due_at, kind, outcome == "held"))
    for schedule in schedules:
        assert fired[schedule.pk] == shown(schedule), f"{schedule} {schedule.rules}"
    ran = sum(not is_held for moments in fired.values() for *_, is_held in moments)
    assert Run.objects.count() == ran
    kinds = {kind for moments in fired.values() for _, kind, _ in moments}
    assert kinds == {"normal", "gap", "fold", "moved"}
