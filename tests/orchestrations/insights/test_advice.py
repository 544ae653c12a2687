"""What is said of a schedule before it is saved."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrations.enums import Overlap
from orchestrations.insights.advice import Load, Offer, advise, quiet_times
from orchestrations.insights.forecast import Start, Usual, replay
from orchestrator_site.lib import cron

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def every(minutes: int, n: int = 200) -> list[datetime]:
    return [NOON + k * minutes * MINUTE for k in range(n)]


def usual(p50: int, p90: int | None = None) -> Usual:
    return Usual(p50 * MINUTE, (p90 or p50) * MINUTE)


def busy(*minutes: int) -> Load:
    return Load(tuple(int(m in minutes) for m in range(1440)))


def test_the_example_of_a_run_of_58_minutes_every_half_hour() -> None:
    first_quarter = [h * 60 + m for h in range(24) for m in range(20)]
    found = advise(every(30), usual(58), Overlap.SKIP, busy(*first_quarter))

    assert found is not None
    assert found.text == (
        "A run usually takes 58 min, and it starts every 30 min: every second slot will be skipped."
    )
    assert found.offers == [Offer("hourly at :20", "20 * * * *")]


TABLE = [
    (10, 25, Overlap.SKIP, "two of three slots will be skipped"),
    (30, 100, Overlap.SKIP, "three of four slots will be skipped"),
    (30, 58, Overlap.QUEUE_ONE, "48 % of the slots will be skipped"),
    (30, 40, Overlap.TERMINATE, "100 % of the slots will be terminated by the next one"),
    (30, 45, Overlap.QUEUE_ALL, "they queue up, after 4 days 3 hr each waits 2 days 1 hr"),
]


@pytest.mark.parametrize(("gap", "takes", "overlap", "happens"), TABLE)
def test_what_happens_is_said_for_each_policy(
    gap: int, takes: int, overlap: Overlap, happens: str
) -> None:
    found = advise(every(gap), usual(takes), overlap, Load())

    assert found is not None
    assert found.text.partition(": ")[2] == f"{happens}."


@pytest.mark.parametrize(("gap", "takes"), [(30, 30), (60, 5), (1440, 600)])
def test_nothing_is_said_where_runs_end_before_the_next(gap: int, takes: int) -> None:
    assert advise(every(gap), usual(takes), Overlap.SKIP, Load()) is None
    assert advise([NOON], usual(600), Overlap.SKIP, Load()) is None


@pytest.mark.parametrize(
    ("p50", "p90", "offer"),
    [
        (6, 9, Offer("every 10 minutes", "*/10 * * * *")),
        (8, 14, Offer("every 15 minutes", "*/15 * * * *")),
        (50, 55, Offer("hourly at :00", "0 * * * *")),
        (50, 61, Offer("every 2 hours at :00", "0 */2 * * *")),
        (700, 800, Offer("daily at 00:00", "0 0 * * *")),
    ],
)
def test_what_is_offered_is_long_enough_for_nine_of_ten(p50: int, p90: int, offer: Offer) -> None:
    found = advise(every(5), usual(p50, p90), Overlap.SKIP, Load())

    assert found is not None
    assert found.offers == [offer]
    cron.parse(offer.cron)


def test_nothing_is_offered_where_no_period_of_a_day_is_long_enough() -> None:
    found = advise(every(60), usual(2000), Overlap.SKIP, Load())

    assert found is not None
    assert found.offers == []


def test_the_load_is_that_of_the_local_day() -> None:
    starts = [Start(NOON, 1, 1), Start(NOON + timedelta(hours=11), 2, 2)]
    expected = replay(starts, {1: usual(2), 2: usual(90)})
    load = Load.of(expected, ZoneInfo("Europe/Prague"))  # two hours ahead in June

    assert [m for m in range(1440) if load.minutes[m]] == [*range(60, 150), 840, 841]


def test_quiet_times_are_an_hour_apart_and_in_order() -> None:
    load = busy(*range(600), *range(700, 1440))

    # Two fit into the gap; the third is as loud as any other.
    assert quiet_times(30 * MINUTE, load) == [time(0, 0), time(10, 0), time(11, 0)]
    times = quiet_times(30 * MINUTE, Load(), taken=[30])
    assert times == [time(1, 30), time(2, 30), time(3, 30)]
