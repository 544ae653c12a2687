from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrations.insights.gantt import Axis, Part, Span, Try, bars, spans, ticks

T0 = datetime(2026, 11, 25, 12, tzinfo=UTC)
PRAGUE = ZoneInfo("Europe/Prague")


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def one(
    created: float,
    started: float | None = None,
    ended: float | None = None,
    status: str = "success",
) -> Try:
    return Try(
        at(created),
        None if started is None else at(started),
        None if ended is None else at(ended),
        status,
        status.capitalize(),
    )


def drawn(found: list[Span]) -> list[tuple[str, float, float | None]]:
    def number(moment: datetime | None) -> float | None:
        return None if moment is None else (moment - T0).total_seconds()

    return [(span.part.value, number(span.start) or 0, number(span.end)) for span in found]


CASES = {
    "nothing yet": (spans([]), []),
    "queued": (spans([one(0)]), [("queued", 0, None)]),
    "cancelled while queued": (spans([one(0, None, 3)]), [("queued", 0, 3)]),
    "processing": (spans([one(0, 2)]), [("queued", 0, 2), ("attempt", 2, None)]),
    "ended": (spans([one(0, 2, 5)]), [("queued", 0, 2), ("attempt", 2, 5)]),
    "delayed": (
        spans([one(10, 11, 12)], delay=10),
        [("delay", 0, 10), ("queued", 10, 11), ("attempt", 11, 12)],
    ),
    "in its delay": (spans([], delay=10, not_before=at(10)), [("delay", 0, None)]),
    "tried twice": (
        spans([one(0, 1, 2, "error"), one(7, 8, 9)]),
        [
            ("queued", 0, 1),
            ("attempt", 1, 2),
            ("pause", 2, 7),
            ("queued", 7, 8),
            ("attempt", 8, 9),
        ],
    ),
    "in its pause": (
        spans([one(0, 1, 2, "error")], not_before=at(60)),
        [("queued", 0, 1), ("attempt", 1, 2), ("pause", 2, None)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_how_a_task_spent_its_time(name: str) -> None:
    found, expected = CASES[name]
    assert drawn(found) == expected


def test_attempts_are_numbered_where_there_are_several() -> None:
    alone = spans([one(0, 1, 2)])
    several = spans([one(0, 1, 2, "error"), one(2, 3, 4)])
    assert [s.text for s in alone if s.part == Part.ATTEMPT] == ["Success"]
    texts = [s.text for s in several if s.part == Part.ATTEMPT]
    assert texts == ["Attempt 1: Error", "Attempt 2: Success"]


def test_bars_lie_on_the_axis_in_per_cent() -> None:
    axis = Axis(T0, at(100))
    found = bars(spans([one(0, 20, 70)]), axis, now=at(100))
    assert [(b.part, b.x, b.width) for b in found] == [("queued", 0, 20), ("attempt", 20, 50)]
    assert [b.text for b in found] == ["Queued, 20 sec", "Success, 50 sec"]


def test_a_bar_that_goes_on_reaches_to_now() -> None:
    span = Span(Part.ATTEMPT, at(50), None, "processing", "Processing")
    [bar] = bars([span], Axis(T0, at(80)), now=at(80))
    assert (bar.x, bar.width, bar.text) == (62.5, 37.5, "Processing, 30 sec so far")


def test_a_short_attempt_can_still_be_seen_and_stays_on_the_axis() -> None:
    axis = Axis(T0, at(1000))
    span = Span(Part.ATTEMPT, at(1000), at(1000), "success", "Success")
    [bar] = bars([span], axis, now=at(1000))
    assert (bar.x, bar.width) == (99.65, 0.35)
    assert bars([Span(Part.QUEUED, at(5), at(6))], axis, now=at(1000)) == []


def test_what_lies_outside_of_a_zoom_is_not_drawn() -> None:
    axis = Axis(at(50), at(60))
    left = Span(Part.ATTEMPT, at(0), at(40), "success", "Success")
    over = Span(Part.ATTEMPT, at(40), at(55), "success", "Success")
    assert [(b.x, b.width) for b in bars([left, over], axis, now=at(60))] == [(0, 50)]


@pytest.mark.parametrize(
    ("start", "seconds", "labels"),
    [
        (0, 5, ["13:00:00", "13:00:01", "13:00:02", "13:00:03", "13:00:04", "13:00:05"]),
        (3, 40, ["13:00:10", "13:00:20", "13:00:30", "13:00:40"]),
        (0, 600, ["13:00", "13:02", "13:04", "13:06", "13:08", "13:10"]),
        (0, 7200, ["13:00", "13:30", "14:00", "14:30", "15:00"]),
        (36_000, 14_400, ["23:00", "26 Nov 00:00", "01:00", "02:00", "03:00"]),
        (0, 400_000, ["26 Nov", "27 Nov", "28 Nov", "29 Nov", "30 Nov"]),
    ],
)
def test_the_axis_has_round_times_of_the_viewers_zone(
    start: float, seconds: float, labels: list[str]
) -> None:
    found = ticks(Axis(at(start), at(start + seconds)), PRAGUE)
    assert [tick.label for tick in found] == labels


def test_a_run_of_no_length_has_an_axis() -> None:
    axis = Axis(T0, T0)
    assert [tick.x for tick in ticks(axis, UTC)] == [0]
    assert axis.place(at(5)) == 100
