"""Bars on the axis of the timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrations.insights.timeline import Axis, Mark, bars

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AXIS = Axis(NOON, NOON + 10 * HOUR)  # a hundred units an hour


def mark(hours: float, length: float = 1, kind: str = "success", late: float = 0) -> Mark:
    begin = NOON + hours * HOUR
    end = begin + length * HOUR
    return Mark(begin, end, kind, f"at {hours}", "/runs/1/", end + late * HOUR if late else None)


def test_a_bar_lies_where_its_time_is() -> None:
    (bar,) = bars(AXIS, [mark(2, 1.5, late=0.5)])

    assert (bar.x, bar.width, bar.late, bar.url) == (200, 150, 50, "/runs/1/")


def test_what_reaches_beyond_the_axis_is_cut_off() -> None:
    first, last = bars(AXIS, [mark(-3, 4), mark(9, 4)])

    assert (first.x, first.width) == (0, 100)
    assert (last.x, last.width) == (900, 100)


def test_the_shortest_can_still_be_seen() -> None:
    (bar,) = bars(AXIS, [mark(1, 0)])

    assert bar.width == 2


def test_those_that_would_touch_are_drawn_as_one_and_others_are_not() -> None:
    close = [mark(1 + n / 100, 0.005, "expected-runs") for n in range(50)]
    dense, other, far = bars(AXIS, [*close, mark(1.51, 0.005, "expected-skipped"), mark(3)])

    assert dense.text == "50 in 29 min 42 sec, the first: at 1.0"
    assert (dense.x, dense.width, dense.css) == (100, 49.5, "is-expected-runs")
    assert dense.url == ""
    assert other.css == "is-expected-skipped"
    assert far.css == "status-success"


def test_lines_stay_at_local_midnight_when_the_clock_changes() -> None:
    begin = datetime(2026, 10, 24, tzinfo=UTC)
    axis = Axis(begin, begin + 8 * DAY)
    days = [tick for tick in axis.ticks(ZoneInfo("Europe/Prague")) if tick.is_day]

    assert [tick.label for tick in days][:3] == ["Sun 25 Oct", "Mon 26 Oct", "Tue 27 Oct"]
    assert days[0].x == axis.x(datetime(2026, 10, 24, 22, tzinfo=UTC))
    assert days[1].x == axis.x(datetime(2026, 10, 25, 23, tzinfo=UTC))
