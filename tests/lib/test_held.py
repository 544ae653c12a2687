from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_site.lib import cron
from orchestrator_site.lib.clock_effects import clock_effects
from orchestrator_site.lib.cron import Held, Rules
from orchestrator_site.lib.days import (
    DayRules,
    DaysError,
    check_country,
    countries,
    holidays_of,
    subdivisions,
)

WEEKEND = frozenset({5, 6})
CZECH = DayRules("Czech holidays", "CZ", weekdays=WEEKEND)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)


def fires(expression: str, begin: str, n: int, rules: Rules) -> list[tuple[str, str]]:
    found = cron.occurrences(expression, "UTC", datetime.fromisoformat(f"{begin}Z"), n, rules)
    return [(f"{each.at:%m-%d %H:%M}", cron.clock_note(each) or "") for each in found]


def test_held_moments_stay_in_their_place_with_the_reason() -> None:
    assert fires("0 6 * * *", "2026-12-23T12:00", 5, Rules(days=CZECH)) == [
        ("12-24 06:00", "Held by calendar Czech holidays: Christmas Eve"),
        ("12-25 06:00", "Held by calendar Czech holidays: Christmas Day"),
        ("12-26 06:00", "Held by calendar Czech holidays: Second Day of Christmas"),
        ("12-27 06:00", "Held by calendar Czech holidays: Sunday"),
        ("12-28 06:00", ""),
    ]


def test_moved_ones_join_a_regular_moment() -> None:
    found = fires("0 6 * * *", "2026-12-26T12:00", 2, Rules(days=CZECH, on_held="move"))
    assert found == [
        ("12-27 06:00", "Held by calendar Czech holidays: Sunday, moved to 28 December 2026 06:00"),
        ("12-28 06:00", ""),
    ]


def test_moved_ones_stand_on_the_next_working_day() -> None:
    rules = Rules(days=CZECH, on_held="move")
    assert fires("0 6 24,25 12 *", "2026-12-01T00:00", 3, rules) == [
        (
            "12-24 06:00",
            "Held by calendar Czech holidays: Christmas Eve, moved to 28 December 2026 06:00",
        ),
        (
            "12-25 06:00",
            "Held by calendar Czech holidays: Christmas Day, moved to 28 December 2026 06:00",
        ),
        ("12-28 06:00", "Stands for 24 December 2026 06:00, which is held"),
    ]


def test_what_was_moved_over_the_beginning_is_there() -> None:
    rules = Rules(days=CZECH, on_held="move")
    assert fires("0 6 24 12 *", "2026-12-26T12:00", 1, rules) == [
        ("12-28 06:00", "Stands for 24 December 2026 06:00, which is held")
    ]
    last = cron.last_occurrence(
        "0 6 24 12 *", "UTC", NOVEMBER, datetime(2027, 1, 9, tzinfo=UTC), rules
    )
    assert last is not None
    assert last.at == datetime(2026, 12, 28, 6, tzinfo=UTC)


def test_a_blackout_holds_hours_and_names_itself() -> None:
    window = (datetime(2026, 11, 26, 22), datetime(2026, 11, 27, 4), "Stocktaking")  # noqa: DTZ001
    rules = Rules(days=DayRules("House", windows=(window,)))
    found = fires("0 */2 * * *", "2026-11-26T19:00", 6, rules)
    assert found == [
        ("11-26 20:00", ""),
        *(
            (f"{at}", "Held by calendar House: Stocktaking")
            for at in ("11-26 22:00", "11-27 00:00")
        ),
        ("11-27 02:00", "Held by calendar House: Stocktaking"),
        ("11-27 04:00", ""),
        ("11-27 06:00", ""),
    ]


def test_where_every_day_is_held_nothing_is_moved() -> None:
    rules = Rules(days=DayRules("Never", weekdays=frozenset(range(7))), on_held="move")
    found = cron.occurrences("0 6 * * *", "UTC", NOVEMBER, 3, rules)
    assert [each.held for each in found] == [
        "Held by calendar Never: Sunday",
        "Held by calendar Never: Monday",
        "Held by calendar Never: Tuesday",
    ]


DAYS = st.builds(
    DayRules,
    st.just("Any"),
    st.sampled_from(["", "CZ", "US"]),
    weekdays=st.frozensets(st.integers(0, 6), max_size=5),
    dates=st.lists(
        st.tuples(st.dates(date(2026, 11, 1), date(2027, 2, 1)), st.just("Own")), max_size=6
    ).map(tuple),
)
EXPRESSIONS = ("0 6 * * *", "30 2 * * 1-5", "0 */8 * * *", "0 6 1,15 * *", "*/30 2 * * *")


@settings(max_examples=60, deadline=None)
@given(
    expression=st.sampled_from(EXPRESSIONS),
    zone=st.sampled_from(["UTC", "Europe/Prague", "America/New_York"]),
    days=DAYS,
    on_held=st.sampled_from(["skip", "move"]),
    cut=st.integers(1, 60 * 24 * 60),
)
def test_a_stream_is_the_same_wherever_it_is_entered(
    expression: str, zone: str, days: DayRules, on_held: str, cut: int
) -> None:
    rules = Rules(days=days, on_held=cast("Held", on_held))
    until = NOVEMBER + timedelta(days=90)
    whole = cron.occurrences_between(expression, zone, NOVEMBER, until, 5000, rules)
    assert all(a.at < b.at for a, b in pairwise(whole))
    middle = NOVEMBER + timedelta(minutes=cut)
    rest = cron.occurrences_between(expression, zone, middle, until, 5000, rules)
    assert rest == [each for each in whole if each.at > middle]
    assert cron.next_occurrence(expression, zone, middle, rules) == (rest[0] if rest else None)
    fired = [each for each in whole if not each.held]
    last = cron.last_occurrence(expression, zone, NOVEMBER, until, rules)
    assert last == (fired[-1] if fired else None)
    assert not any(days.reason(each.local.replace(tzinfo=None)) for each in fired)


def test_countries_and_their_parts_are_known() -> None:
    assert dict(countries())["CZ"] == "Czechia"
    assert "BY" in subdivisions("DE")
    assert holidays_of("DE", "BY", 2026)[date(2026, 1, 6)] == "Epiphany"
    assert date(2026, 1, 6) not in holidays_of("DE", "", 2026)
    check_country("DE", "BY")
    check_country("", "")


@pytest.mark.parametrize(
    ("country", "subdivision", "message"),
    [
        ("XX", "", "The holidays of “XX” are not known."),
        ("DE", "XX", "“XX” is no part of Germany."),
        ("", "BY", "Choose the country first."),
    ],
)
def test_an_unknown_country_is_refused(country: str, subdivision: str, message: str) -> None:
    with pytest.raises(DaysError, match=message):
        check_country(country, subdivision)


@pytest.mark.parametrize(
    ("expression", "rules", "spring", "autumn"),
    [
        (
            "30 2 * * *",
            Rules(),
            "02:30 does not exist on 28 March 2027, runs at 03:00.",
            "02:30 comes twice, runs at the first.",
        ),
        (
            "30 2 * * *",
            Rules(gap="skip", repeat="second"),
            "02:30 does not exist on 28 March 2027 and is skipped.",
            "02:30 comes twice, runs at the second.",
        ),
        (
            "0 6 * * *",
            Rules(),
            "Nothing: it does not run between 02:00 and 03:00.",
            "Nothing: it does not run between 02:00 and 03:00.",
        ),
        (
            "*/30 * * * *",
            Rules(),
            (
                "It goes on by the clock: nothing runs between 02:00 and 03:00, "
                "times that do not exist."
            ),
            "02:00 and 02:30 come twice, each runs at both.",
        ),
        (
            "*/5 * * * *",
            Rules(repeat="second"),
            (
                "It goes on by the clock: nothing runs between 02:00 and 03:00, "
                "times that do not exist."
            ),
            "02:00, 02:05, 02:10 and 9 more times come twice, each runs at the second.",
        ),
        (
            "0 3 * * *",  # the end of both
            Rules(),
            "Nothing: it does not run between 02:00 and 03:00.",
            "Nothing: it does not run between 02:00 and 03:00.",
        ),
        (
            "0 * * * *",
            Rules(),
            (
                "It goes on by the clock: nothing runs between 02:00 and 03:00, "
                "times that do not exist."
            ),
            "02:00 comes twice, runs at both.",
        ),
        (
            "@every 7 minutes from 2026-11-26 10:00",
            Rules(),
            "Nothing: the interval is counted in real time.",
            "Nothing: the interval is counted in real time.",
        ),
    ],
)
def test_the_next_clock_changes_say_what_they_do(
    expression: str, rules: Rules, spring: str, autumn: str
) -> None:
    found = clock_effects(expression, "Europe/Prague", NOVEMBER, rules)
    assert [each.when for each in found] == [
        "28 March 2027: the clock goes forward from 02:00 to 03:00",
        "31 October 2027: the clock goes back from 03:00 to 02:00",
    ]
    assert [each.effect for each in found] == [spring, autumn]
    assert clock_effects(expression, "UTC", NOVEMBER, rules) == []


def test_a_clock_that_goes_back_at_midnight_brings_the_evening_twice() -> None:
    """Santiago: the last hour of 3 April comes twice, and midnight does not."""
    back, _ = clock_effects("0 0 * * *", "America/Santiago", NOVEMBER, Rules())
    assert back.when == "4 April 2027: the clock goes back from 00:00 to 23:00"
    assert back.effect == "Nothing: it does not run between 23:00 and 00:00."
    back, _ = clock_effects("30 23 * * *", "America/Santiago", NOVEMBER, Rules())
    assert back.effect == "23:30 comes twice, runs at the first."
