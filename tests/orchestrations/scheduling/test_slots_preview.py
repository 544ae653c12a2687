"""Invariant I3: what the preview shows is what fires, over years, zones and clock changes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from orchestrations.scheduling.preview import preview
from orchestrations.scheduling.slots import fire_due, upcoming
from orchestrator_site.lib import cron as crons
from tests.builders import make_schedule

MOMENTS = 12
# Where clocks change in unusual ways, besides zones drawn at random.
ODD_ZONES = [
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Santiago",
    "Africa/Cairo",
    "Antarctica/Troll",
    "Europe/Prague",
    "America/New_York",
    "America/Havana",
]


def random_field(rng: random.Random, low: int, high: int) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return "*"
    if kind == 1:
        return f"*/{rng.randint(2, max(2, (high - low) // 2))}"
    if kind == 2:
        first = rng.randint(low, high - 1)
        return f"{first}-{rng.randint(first + 1, high)}"
    values = sorted({rng.randint(low, high) for _ in range(rng.randint(1, 3))})
    return ",".join(map(str, values))


def random_schedule(seed: int) -> tuple[str, str, datetime]:
    """A cron expression, a zone, and a moment within a day of a clock change or anywhere."""
    rng = random.Random(seed)
    zone = rng.choice(ODD_ZONES if seed % 2 else crons.zone_names())
    fields = [random_field(rng, 0, 59), random_field(rng, 0, 23)]
    fields += [rng.choice(["*", "*", "1", "15", "L", "28-31"]), rng.choice(["*", "*", "3,10"])]
    fields.append(rng.choice(["*", "*", "0", "1-5", "5L"]))
    start = datetime(rng.randint(2025, 2031), rng.choice([3, 4, 9, 10, 11]), 1, tzinfo=UTC)
    return " ".join(fields), zone, start + timedelta(minutes=rng.randrange(60 * 24 * 30))


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(60))
def test_the_preview_is_what_fires(seed: int) -> None:
    cron, zone, after = random_schedule(seed)
    rng = random.Random(-seed)
    shown = [o.at for o in preview(cron, zone, n=MOMENTS, after=after).occurrences]
    schedule = make_schedule(None, cron=cron, timezone=zone)
    schedule.next_fire_at = upcoming(schedule, after)
    schedule.save()

    for _ in range(MOMENTS):
        schedule.refresh_from_db()
        assert schedule.next_fire_at is not None
        lateness = timedelta(seconds=rng.uniform(0, 40))
        fire_due(schedule.next_fire_at + lateness, only=schedule.pk)

    fired = list(schedule.slots.order_by("due_at").values_list("due_at", flat=True))
    assert fired[:MOMENTS] == shown
    assert len(shown) == MOMENTS


@pytest.mark.parametrize(
    ("cron", "usual", "gaps"),
    [
        ("0 6 * * *", 24, [None, 24, 24, 24, 24]),
        ("0 6 * * 1-5", 24, [None, 72, 24, 24, 24]),
        ("0 6 1,3,9,20 * *", None, [None, 48, 144, 264, 288]),
    ],
)
def test_the_usual_distance_is_one_that_comes_twice(
    cron: str, usual: float | None, gaps: list[float | None]
) -> None:
    found = preview(cron, "UTC", after=datetime(2026, 11, 26, 12, tzinfo=UTC))
    hours = [moment.gap and moment.gap / timedelta(hours=1) for moment in found.occurrences]
    assert hours == gaps
    assert (found.usual_gap and found.usual_gap / timedelta(hours=1)) == usual
