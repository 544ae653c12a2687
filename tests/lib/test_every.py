from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.lib import cron
from orchestrator_site.lib.cron_expression import parse as parse_cron
from orchestrator_site.lib.interval_advice import interval_advice

START = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "text", "words"),
    [
        (
            "@every 7 minutes from 2026-11-26 10:00",
            "@every 7 minutes from 2026-11-26 10:00",
            "Every 7 minutes from 26 November 2026 10:00",
        ),
        (
            "  @EVERY   1 Days FROM 2026-11-26T06:30 ",
            "@every 1 day from 2026-11-26 06:30",
            "Every day from 26 November 2026 06:30",
        ),
        (
            "@every 5hours from 2026-01-01 00:00",
            "@every 5 hours from 2026-01-01 00:00",
            "Every 5 hours from 1 January 2026 00:00",
        ),
        (
            "@every 2 week from 2026-01-05 00:00",
            "@every 2 weeks from 2026-01-05 00:00",
            "Every 2 weeks from 5 January 2026 00:00",
        ),
    ],
)
def test_an_interval_is_read_written_and_said(written: str, text: str, words: str) -> None:
    parsed = cron.parse(written)
    assert parsed.text == text
    assert cron.parse(text) == parsed
    assert cron.describe(written, "UTC") == f"{words}, UTC"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "@every 7 minutes",
            (
                "“@every 7 minutes” cannot be read, "
                "write it as @every 7 minutes from 2026-11-26 10:00."
            ),
        ),
        (
            "@every 0 minutes from 2026-11-26 10:00",
            "Every 0 minutes is not possible, use more than 0 and up to 366 days.",
        ),
        (
            "@every 367 days from 2026-11-26 10:00",
            "Every 367 days is not possible, use more than 0 and up to 366 days.",
        ),
        (
            "@every 7 days from 2026-02-30 10:00",
            (
                "“2026-02-30 10:00” is not a date and time, "
                "write it as @every 7 minutes from 2026-11-26 10:00."
            ),
        ),
        (
            "@every 7 days from 1800-01-01 10:00",
            "Count from a year between 1970 and 2999.",
        ),
    ],
)
def test_what_cannot_be_read_says_why(written: str, message: str) -> None:
    with pytest.raises(cron.CronError) as caught:
        cron.parse(written)
    assert (str(caught.value), caught.value.field) == (message, "expression")


def test_hours_are_real_ones_and_days_keep_the_time_of_day() -> None:
    begin = datetime(2027, 3, 26, tzinfo=UTC)
    hours = cron.occurrences("@every 36 hours from 2027-03-26 06:00", "Europe/Prague", begin, 3)
    assert [o.local.isoformat() for o in hours] == [
        "2027-03-26T06:00:00+01:00",
        "2027-03-27T18:00:00+01:00",
        "2027-03-29T07:00:00+02:00",
    ]
    days = cron.occurrences("@every 2 days from 2027-03-26 06:00", "Europe/Prague", begin, 3)
    assert [o.local.isoformat() for o in days] == [
        "2027-03-26T06:00:00+01:00",
        "2027-03-28T06:00:00+02:00",
        "2027-03-30T06:00:00+02:00",
    ]


def test_nothing_comes_before_the_anchor() -> None:
    [first] = cron.occurrences("@every 7 minutes from 2026-11-27 10:00", "UTC", START, 1)
    assert first.at == datetime(2026, 11, 27, 10, tzinfo=UTC)
    [day] = cron.occurrences("@every 3 days from 2030-11-27 10:00", "UTC", START, 1)
    assert day.at == datetime(2030, 11, 27, 10, tzinfo=UTC)


@given(
    count=st.integers(1, 2000),
    unit=st.sampled_from(["minutes", "hours", "days", "weeks"]),
    later=st.timedeltas(timedelta(), timedelta(days=20_000)),
)
def test_it_goes_on_in_even_steps_from_anywhere(count: int, unit: str, later: timedelta) -> None:
    count = min(count, {"minutes": 2000, "hours": 2000, "days": 366, "weeks": 52}[unit])
    text, anchor = f"@every {count} {unit} from 2026-11-26 10:00", START + timedelta(hours=1)
    found = [o.at for o in cron.occurrences(text, "UTC", START + later, 5)]
    step = count * timedelta(**{unit: 1})
    assert {b - a for a, b in pairwise(found)} == {step}
    assert START + later < found[0] <= max(START + later + step, anchor)
    assert (found[0] - anchor) % step == timedelta()


@pytest.mark.parametrize(
    ("expression", "offered", "part"),
    [
        ("*/7 * * * *", "@every 7 minutes from 2026-11-26 10:15", "after minute 56 it waits 4 min"),
        ("0-59/25 * * * *", "@every 25 minutes from 2026-11-26 10:15", "waits 10 min, not 25"),
        ("0 */5 * * *", "@every 5 hours from 2026-11-26 10:15", "after 20 o'clock it waits 4 hr"),
        ("0 6 */2 * *", "@every 2 days from 2026-11-26 10:15", "days 1, 3, 5 … 31"),
        # As the picker writes the same.
        (
            "0,7,14,21,28,35,42,49,56 * * * *",
            "@every 7 minutes from 2026-11-26 10:15",
            "after minute 56 it waits 4 min",
        ),
        ("0 0,5,10,15,20 * * *", "@every 5 hours from 2026-11-26 10:15", "after 20 o'clock"),
        # Longer than what begins anew.
        ("*/90 * * * *", "@every 90 minutes from 2026-11-26 10:15", "it waits 60 min, not 90."),
        ("0 */36 * * *", "@every 36 hours from 2026-11-26 10:15", "it waits 24 hr, not 36."),
        (
            "0 6 */45 * *",
            "@every 45 days from 2026-11-26 10:15",
            "the 1st of each month: only then",
        ),
    ],
)
def test_steps_that_are_no_intervals_are_told_of(expression: str, offered: str, part: str) -> None:
    advice = interval_advice(parse_cron(expression))
    assert advice is not None
    assert part in advice.text
    assert advice.every(datetime(2026, 11, 26, 10, 11, 37)).text == offered  # noqa: DTZ001


@pytest.mark.parametrize(
    "expression",
    [
        *("*/5 * * * *", "0 */6 * * *", "7 * * * *", "0 0 1,15 * *", "*/30 * * * *", "0 0 * * */2"),
        *("*/60 * * * *", "0 9,12,15 * * *", "0,12,24,36,48 * * * *", "* * * * *", "0,1,2 * * * *"),
    ],
)
def test_even_steps_are_left_alone(expression: str) -> None:
    assert interval_advice(parse_cron(expression)) is None
