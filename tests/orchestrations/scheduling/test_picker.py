from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrations.scheduling import picker
from orchestrations.scheduling.picker import Picked, from_cron, to_cron
from orchestrator_site.lib import cron

EVERYTHING = Picked("year", (5,), (6,), (7,), (8,), (2,))


def test_the_periods_and_their_fields_in_order() -> None:
    assert picker.PERIODS == ("hour", "day", "week", "month", "year")
    assert [label for _, label in picker.PERIOD_CHOICES] == ["Hour", "Day", "Week", "Month", "Year"]
    assert picker.FIELDS_OF == {
        "hour": ("minutes",),
        "day": ("hours", "minutes"),
        "week": ("weekdays", "hours", "minutes"),
        "month": ("days", "hours", "minutes"),
        "year": ("days", "months", "hours", "minutes"),
    }


def test_the_placeholders() -> None:
    assert picker.PLACEHOLDERS == {
        "minutes": "-- Every Minute --",
        "hours": "-- Every Hour --",
        "weekdays": "-- Every Week Day --",
        "days": "-- Every Day --",
        "months": "-- Every Month --",
    }


def test_the_choices_of_each_field() -> None:
    choices = picker.CHOICES
    assert choices["minutes"] == tuple((n, f"{n:02d}") for n in range(60))
    assert choices["hours"] == tuple((n, f"{n:02d}") for n in range(24))
    assert choices["days"] == tuple((n, str(n)) for n in range(1, 32))
    assert choices["months"][0] == (1, "January")
    assert choices["months"][11] == (12, "December")
    assert len(choices["months"]) == 12
    assert choices["weekdays"] == (
        (1, "Monday"),
        (2, "Tuesday"),
        (3, "Wednesday"),
        (4, "Thursday"),
        (5, "Friday"),
        (6, "Saturday"),
        (0, "Sunday"),
    )


@pytest.mark.parametrize(
    ("picked", "expression"),
    [
        (Picked("hour"), "* * * * *"),
        (Picked("hour", minutes=(30, 0, 30)), "0,30 * * * *"),
        (picker.DEFAULT, "0 0 * * *"),
        (Picked("day", minutes=(0, 30), hours=(17, 5)), "0,30 5,17 * * *"),
        (Picked("day", hours=(2,)), "* 2 * * *"),
        (Picked("week", minutes=(0,), hours=(6,), weekdays=(5, 1, 0)), "0 6 * * 0,1,5"),
        (Picked("month", minutes=(0,), hours=(6,), days=(15, 1)), "0 6 1,15 * *"),
        (Picked("month", minutes=(0,), hours=(6,)), "0 6 * * *"),
        (Picked("year", (0,), (6,), (29,), (2,)), "0 6 29 2 *"),
        (Picked("year", months=(2,)), "* * * 2 *"),
    ],
)
def test_to_cron(picked: Picked, expression: str) -> None:
    assert to_cron(picked) == expression


@pytest.mark.parametrize(
    ("period", "expression"),
    [
        ("hour", "5 * * * *"),
        ("day", "5 6 * * *"),
        ("week", "5 6 * * 2"),
        ("month", "5 6 7 * *"),
        ("year", "5 6 7 8 *"),
    ],
)
def test_another_period_drops_the_fields_that_it_lacks(
    period: picker.Period, expression: str
) -> None:
    changed = picker.with_period(EVERYTHING, period)
    assert changed.period == period
    kept = [name for name in picker.PLACEHOLDERS if getattr(changed, name)]
    assert sorted(kept) == sorted(picker.FIELDS_OF[period])
    assert to_cron(changed) == expression


def test_to_cron_leaves_out_what_the_period_lacks() -> None:
    assert to_cron(Picked("hour", (5,), (6,), (7,), (8,), (2,))) == "5 * * * *"
    assert to_cron(EVERYTHING) == "5 6 7 8 *"


@pytest.mark.parametrize(
    ("picked", "field"),
    [
        (Picked("hour", minutes=(60,)), "minute"),
        (Picked("day", hours=(24,)), "hour"),
        (Picked("week", weekdays=(8,)), "weekday"),
        (Picked("month", days=(32,)), "day"),
        (Picked("year", months=(13,)), "month"),
        (Picked("year", days=(30,), months=(2,)), "day"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(picked: Picked, field: str) -> None:
    with pytest.raises(cron.CronError) as caught:
        to_cron(picked)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("expression", "picked"),
    [
        ("* * * * *", Picked("hour")),
        ("*/1 * * * *", Picked("hour")),
        ("*/15 * * * *", Picked("hour", minutes=(0, 15, 30, 45))),
        ("0-2,30 * * * *", Picked("hour", minutes=(0, 1, 2, 30))),
        ("0 0 * * *", Picked("day", minutes=(0,), hours=(0,))),
        ("0 9-11 * * *", Picked("day", minutes=(0,), hours=(9, 10, 11))),
        ("* 2 * * *", Picked("day", hours=(2,))),
        ("0 6 * * MON-FRI", Picked("week", (0,), (6,), weekdays=(1, 2, 3, 4, 5))),
        ("0 6 * * 6-7", Picked("week", (0,), (6,), weekdays=(0, 6))),
        ("0 6 * * */2", Picked("week", (0,), (6,), weekdays=(0, 2, 4, 6))),
        ("0 6 1,15 * *", Picked("month", (0,), (6,), days=(1, 15))),
        ("0 6 */10 * *", Picked("month", (0,), (6,), days=(1, 11, 21, 31))),
        ("0 6 29 2 *", Picked("year", (0,), (6,), (29,), (2,))),
        ("0 6 * JUL *", Picked("year", (0,), (6,), months=(7,))),
        ("* * 1 * *", Picked("month", days=(1,))),
        ("@hourly", Picked("hour", minutes=(0,))),
    ],
)
def test_from_cron(expression: str, picked: Picked) -> None:
    assert from_cron(expression) == picked


@pytest.mark.parametrize(
    "expression",
    [
        "0 6 L * *",
        "0 6 1,L * *",
        "0 6 LW * *",
        "0 6 * * 5L",
        "0 6 * * 1#2",
        "0 6 1 * 1",
        "0 6 * 7 1",
        "0 6 1 7 1",
        "0 6 30 2 1",
        "0 6 */2 * 1",
        "0 */6 * * *",
        "*/15 9 * * *",
        "*/15 9-17 * * 1-5",
    ],
)
def test_what_the_picker_cannot_show(expression: str) -> None:
    assert from_cron(expression) is None


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(cron.CronError):
        from_cron("61 * * * *")


def values(low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.sets(st.integers(low, high), max_size=5).map(lambda found: tuple(sorted(found)))


PICKED = st.builds(
    Picked,
    period=st.sampled_from(picker.PERIODS),
    minutes=values(0, 59),
    hours=values(0, 23),
    days=values(1, 28),
    months=values(1, 12),
    weekdays=values(0, 6),
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(PICKED)
def test_whatever_is_picked_is_shown_again(picked: Picked) -> None:
    expression = to_cron(picked)
    shown = from_cron(expression)
    assert shown is not None
    assert to_cron(shown) == expression
    kept = picker.with_period(picked, picked.period)
    for name in picker.PLACEHOLDERS:
        assert getattr(shown, name) == getattr(kept, name)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    bounds = st.tuples(number, number).map(sorted)
    return st.one_of(
        st.just("*"),
        st.just("*"),
        number.map(str),
        bounds.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.integers(1, 12).map(lambda step: f"*/{step}"),
        st.tuples(bounds, st.integers(1, 5)).map(
            lambda made: f"{made[0][0]}-{made[0][1]}/{made[1]}"
        ),
    )


EXPRESSIONS = st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(EXPRESSIONS.map(" ".join))
def test_what_is_shown_fires_at_the_same_moments(expression: str) -> None:
    try:
        picked = from_cron(expression)
    except cron.CronError:
        return
    if picked is None:
        return
    # From the last Saturday of March over both clock changes of Prague, gap and fold.
    for after in (datetime(2027, 3, 27, tzinfo=UTC), datetime(2027, 10, 30, tzinfo=UTC)):
        again = cron.occurrences(to_cron(picked), "Europe/Prague", after, 60)
        assert again == cron.occurrences(expression, "Europe/Prague", after, 60)
