from __future__ import annotations

import contextlib
import time

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_site.lib import cron, cron_expression


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("0 0 * * *", "0 0 * * *"),
        ("  05\t09  * *   * ", "5 9 * * *"),
        ("0 0 * jan,Feb mon-FRI", "0 0 * 1,2 1-5"),
        ("0 0 * * SUN", "0 0 * * 0"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 5-7", "0 0 * * 5-7"),
        ("*/1 */1 */1 */1 */1", "* * * * *"),
        ("*/05 1-1 * * *", "*/5 1 * * *"),
        ("5-5/2 * * * *", "5 * * * *"),
        ("0 0 l * *", "0 0 L * *"),
        ("0 0 lw * *", "0 0 LW * *"),
        ("0 0 * * fril", "0 0 * * 5L"),
        ("0 0 * * mon#2", "0 0 * * 1#2"),
        ("@hourly", "0 * * * *"),
        ("@DAILY", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        (" @weekly ", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_the_text_is_normalised(written: str, text: str) -> None:
    parsed = cron_expression.parse(written)
    assert parsed.text == text
    assert parsed.fields == tuple(text.split())
    assert cron.parse(text) == parsed


def test_what_an_expression_means() -> None:
    parsed = cron_expression.parse("*/20 8-10 1,15,L 3 MON,7")
    assert (parsed.minutes, parsed.hours) == ((0, 20, 40), (8, 9, 10))
    assert (set(parsed.days), set(parsed.months)) == ({1, 15, CronSim.LAST}, {3})
    assert set(parsed.weekdays) == {0, 1}
    assert (parsed.follows_clock, parsed.both_days) == (True, False)
    assert parsed.times == tuple(h * 60 + m for h in (8, 9, 10) for m in (0, 20, 40))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("0,30 * * * *", "*/30 * * * *", True),
        ("0 0 * * 0", "0 0 * * 7", True),
        ("0 0 * * 0L", "0 0 * * 7L", True),
        ("0 0 1-3 * *", "0 0 1,2,3 * *", True),
        ("0 0,12 * * *", "0 */12 * * *", False),
        ("0-59 2 * * *", "* 2 * * *", False),
        ("0 0 1-31 * 1", "0 0 * * 1", False),
        ("0 0 * * *", "1 0 * * *", False),
        ("0 0 * * *", "0 1 * * *", False),
        ("0 0 1 * *", "0 0 2 * *", False),
        ("0 0 1 1 *", "0 0 1 2 *", False),
        ("0 0 * * 1", "0 0 * * 2", False),
    ],
)
def test_expressions_that_fire_alike(one: str, other: str, alike: bool) -> None:  # noqa: FBT001
    assert cron.parse(one).fires_like(cron.parse(other)) is alike


MINUTE_HELP = "use 0 to 59, *, a list such as 1,5, a range such as 1-5 or a step such as */5."
FIVE = "it needs 5: minute, hour, day of the month, month and day of the week."


@pytest.mark.parametrize(
    ("expression", "field", "message"),
    [
        ("", "expression", "Write a cron expression, for example 30 6 * * 1-5."),
        (" \n ", "expression", "Write a cron expression, for example 30 6 * * 1-5."),
        ("5", "expression", f"The cron expression has 1 field, {FIVE}"),
        ("* * * *", "expression", f"The cron expression has 4 fields, {FIVE}"),
        ("0 0 0 * * *", "expression", f"The cron expression has 6 fields, {FIVE}"),
        (
            "*" * 501,
            "expression",
            "The cron expression has 501 characters, 500 are allowed.",
        ),
        (
            "é * * * *",
            "expression",
            "The cron expression may contain only plain letters, digits and * , - / # signs.",
        ),
        (
            "@reboot",
            "expression",
            (
                "“@reboot” is not known, use one of "
                "@hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually."
            ),
        ),
        ("61 * * * *", "minute", "61 is not a minute, use 0 to 59."),
        ("60 * * * *", "minute", "60 is not a minute, use 0 to 59."),
        ("1-60 * * * *", "minute", "60 is not a minute, use 0 to 59."),
        ("99/5 * * * *", "minute", "99 is not a minute, use 0 to 59."),
        ("abc * * * *", "minute", f"“ABC” is not a minute, {MINUTE_HELP}"),
        ("-5 * * * *", "minute", f"“-5” is not a minute, {MINUTE_HELP}"),
        ("1.5 * * * *", "minute", f"“1.5” is not a minute, {MINUTE_HELP}"),
        ("*/x * * * *", "minute", f"“*/X” is not a minute, {MINUTE_HELP}"),
        ("MON * * * *", "minute", f"“MON” is not a minute, {MINUTE_HELP}"),
        ("L * * * *", "minute", f"“L” is not a minute, {MINUTE_HELP}"),
        (f"{'z' * 60} * * * *", "minute", f"“{'Z' * 23}…” is not a minute, {MINUTE_HELP}"),
        ("1,,2 * * * *", "minute", "The minute field has a comma with no value beside it: 1,,2."),
        ("*/0 * * * *", "minute", "A step of 0 never moves on, in “*/0” use 1 or more."),
        ("0 24 * * *", "hour", "24 is not an hour, use 0 to 23."),
        ("0 , * * *", "hour", "The hour field has a comma with no value beside it: ,."),
        ("0 0 0 * *", "day", "0 is not a day of the month, use 1 to 31."),
        ("0 0 32 * *", "day", "32 is not a day of the month, use 1 to 31."),
        (
            "0 0 ? * *",
            "day",
            (
                "“?” is not a day of the month, use 1 to 31, *, a list such as 1,5, "
                "a range such as 1-5 or a step such as */5."
            ),
        ),
        ("0 0 * 13 *", "month", "13 is not a month, use 1 to 12."),
        ("0 0 * 0 *", "month", "0 is not a month, use 1 to 12."),
        ("0 0 * * 8", "weekday", "8 is not a day of the week, use 0 to 7."),
        (
            "0 0 * * FRI-MON",
            "weekday",
            "The range “FRI-MON” runs backwards, write it as two ranges or as a list.",
        ),
    ],
)
def test_what_is_refused_and_why(expression: str, field: str, message: str) -> None:
    with pytest.raises(cron.CronError) as caught:
        cron.parse(expression)
    assert (caught.value.field, str(caught.value)) == (field, message)


@pytest.mark.parametrize(
    "text", ["L/2", "LWL", "1L", "1#2", "W", "15W", "1--2", "1-2-3", "1/2/3", "/5", "*-5", "**"]
)
def test_a_day_that_is_not_understood(text: str) -> None:
    with pytest.raises(cron.CronError) as caught:
        cron.parse(f"0 0 {text} * *")
    assert caught.value.field == "day"


@pytest.mark.parametrize("text", ["L", "8L", "1#0", "1#6", "1#", "#1", "1#2#3", "MON#2-3", "JAN"])
def test_a_weekday_that_is_not_understood(text: str) -> None:
    with pytest.raises(cron.CronError) as caught:
        cron.parse(f"0 0 * * {text}")
    assert caught.value.field == "weekday"


@pytest.mark.parametrize(
    "expression",
    ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30,31 FEB *", "* * 31 4 */1", "0 0 30 2 */2"],
)
def test_a_date_that_never_comes(expression: str) -> None:
    with pytest.raises(cron.CronError) as caught:
        cron.parse(expression)
    assert caught.value.field == "day"
    assert str(caught.value) == "None of the chosen months has such a day, so this would never run."


@pytest.mark.parametrize(
    "expression",
    ["0 0 */31 * MON#5", "0 0 */31 * 5L", "0 0 */31 2 1#2", "0 0 */28 4 1#3"],
)
def test_a_day_and_a_weekday_that_never_meet(expression: str) -> None:
    with pytest.raises(cron.CronError) as caught:
        cron.parse(expression)
    assert caught.value.field == "weekday"
    assert str(caught.value) == (
        "This day of the month and day of the week never fall together, so this would never run."
    )


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 29 2 *",
        "0 0 29 2 */7",
        "0 0 30 2 MON",
        "0 0 30 2 1#5",
        "0 0 31 2,3 *",
        "0 0 L 2 *",
        "0 0 */28 2 1#5",
    ],
)
def test_a_date_that_comes_rarely_is_accepted(expression: str) -> None:
    assert cron.parse(expression).text.split()[3][0] == "2"


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.text(alphabet="0123456789*,-/#@ LWJANMONSU.?\t", max_size=60) | st.text(max_size=60))
def test_nonsense_is_refused_or_understood_but_never_breaks(expression: str) -> None:
    try:
        parsed = cron_expression.parse(expression)
    except cron.CronError as error:
        # A sentence of bounded length, however long the nonsense.
        assert len(str(error)) < 200  # noqa: PT017
        return
    assert cron.parse(parsed.text) == parsed
    assert cron.describe(expression, "UTC").endswith(", UTC")


@pytest.mark.parametrize(
    "expression",
    [
        "9" * 499,
        "*/" + "9" * 490,
        "1-" * 250,
        "," * 500,
        ("1," * 200) + "1 * * * *",
        "*/999999999 * * * *",
        "0 0 */31 * " + ",".join(["1#5"] * 100),
        "x" * 10_000_000,
        "@" + "x" * 400,
    ],
)
def test_nonsense_is_never_slow(expression: str) -> None:
    started = time.process_time()
    with contextlib.suppress(cron.CronError):
        cron.parse(expression)
    assert time.process_time() - started < 0.2


def test_everything_chosen_fits_into_the_length() -> None:
    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
    longest = " ".join(",".join(map(str, range(low, high + 1))) for low, high in ranges)
    assert cron.parse(longest).text == longest
