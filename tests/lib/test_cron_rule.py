"""`lib/cron.py` against a second, deliberately naive reading of Debian's cron, minute by minute.

The daemon keeps a virtual clock. Each minute of real time it looks at the wall clock: expressions
with a leading * in minute or hour are matched with the wall clock alone; the others with every wall
minute that the virtual clock has not passed yet. Nothing here shares code with what is tested:
fields are expanded, days matched and clock changes found again.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator_site.lib import cron

MINUTE = timedelta(minutes=1)
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
NAMES = [
    {},
    {},
    {},
    {name.upper(): n for n, name in enumerate(calendar.month_abbr) if name},
    {name.upper(): (n + 1) % 7 for n, name in enumerate(calendar.day_abbr)},
]
WINDOW = timedelta(hours=5)
# The moment, the offset before it, the offset from it on.
Change = tuple[datetime, timedelta, timedelta]

FIXED = (
    "0 0 * * *",
    "30 0 * * *",
    "30 1 * * *",
    "0,15,30,45 2 * * *",
    "30 2,3 * * *",
    "0 3 * * *",
    "0-59/7 0-23 * * *",
    "15 0-4,22-23 * * *",
    "59 23 * * *",
    "30 1-3 * * SUN",
    "10 0,2 1-7 * 0",
    "5 0,1,2,23 * MAR,APR,SEP-NOV *",
    "30 2 29 2 *",
    "45 0-5 L * *",
    "45 0-5 * * 0L",
)
FOLLOWING = (
    "* * * * *",
    "*/5 * * * *",
    "*/20 2 * * *",
    "* 0 * * *",
    "0 * * * *",
    "15,45 * * * *",
    "30 */2 * * *",
    "7 */3 * * *",
    "*/30 1-3 * * 7",
    "0 * 1-7 * FRI",
    "*/10 * */2 * 6",
)


def expand(text: str, index: int) -> set[int]:
    low, high = RANGES[index]
    found: set[int] = set()
    for term in text.split(","):
        body, _, step = term.partition("/")
        if body == "*":
            first, last = low, high
        else:
            start, _, end = body.partition("-")
            first = value(start, index)
            last = value(end, index) if end else (high if step else first)
        found.update(range(first, last + 1, int(step or 1)))
    return found


def value(word: str, index: int) -> int:
    return NAMES[index][word] if word in NAMES[index] else int(word)


@cache
def fields_of(expression: str) -> list[set[int]]:
    """Sunday is 0 only; L of a day is 0, the last weekday n is 10 + n: no numbers of that field."""
    texts = expression.split()
    days = {0} if texts[2] == "L" else expand(texts[2], 2)
    if texts[4].endswith("L"):
        weekdays = {10 + int(texts[4][0])}
    else:
        weekdays = {day % 7 for day in expand(texts[4], 4)}
    return [expand(texts[0], 0), expand(texts[1], 1), days, expand(texts[3], 3), weekdays]


@cache
def matches_day(expression: str, day: date) -> bool:
    texts, (_, _, days, months, weekdays) = expression.split(), fields_of(expression)
    if day.month not in months:
        return False
    is_last = (day + timedelta(days=1)).month != day.month
    in_last_week = (day + timedelta(days=7)).month != day.month
    weekday = day.isoweekday() % 7
    by_day = day.day in days or (0 in days and is_last)
    by_weekday = weekday in weekdays or (in_last_week and 10 + weekday in weekdays)
    if texts[2][0] == "*" or texts[4][0] == "*":
        return by_day and by_weekday
    return by_day or by_weekday


def matches(expression: str, wall: datetime) -> bool:
    minutes, hours, *_ = fields_of(expression)
    return wall.minute in minutes and wall.hour in hours and matches_day(expression, wall.date())


def minutes_of(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Every minute of UTC with what the clock on the wall shows."""
    count = (end - start) // MINUTE
    moments = [start + n * MINUTE for n in range(count)]
    return [(at, at.astimezone(zone).replace(tzinfo=None, fold=0)) for at in moments]


def daemon(expression: str, minutes: list[tuple[datetime, datetime]]) -> Iterator[datetime]:
    minute, hour, *_ = expression.split()
    follows = minute[0] == "*" or hour[0] == "*"
    virtual = minutes[0][1] - MINUTE
    for at, wall in minutes:
        due = (
            [wall]
            if follows
            else [virtual + n * MINUTE for n in range(1, (wall - virtual) // MINUTE + 1)]
        )
        virtual = max(virtual, wall)
        if any(matches(expression, time) for time in due):
            yield at


def offset_at(zone: ZoneInfo, at: datetime) -> timedelta:
    found = at.astimezone(zone).utcoffset()
    assert found is not None
    return found


def transitions_of(name: str) -> tuple[Change, ...]:
    """Find every change of 2026 and 2027 by the day, then by the hour, then by the minute."""
    zone, found, at = ZoneInfo(name), [], FIRST
    while at < LAST:
        before, after = offset_at(zone, at), offset_at(zone, at + timedelta(days=1))
        if before == after:
            at += timedelta(days=1)
            continue
        for step in (timedelta(hours=1), MINUTE):
            while offset_at(zone, at + step) == before:
                at += step
        at += MINUTE
        found.append((at, before, after))
    return tuple(found)


@cache
def zones_by_behaviour() -> dict[tuple[Change, ...], list[str]]:
    """Zones that change their clocks, those which change them alike together."""
    groups: dict[tuple[Change, ...], list[str]] = {}
    for name in sorted(available_timezones() - {"Factory", "localtime", "posixrules"}):
        found = transitions_of(name)
        if found:
            groups.setdefault(found, []).append(name)
    return groups


def expressions_around(before: timedelta, after: timedelta, at: datetime) -> list[str]:
    """Fixed times at, before, inside and after what is skipped or repeated, whatever hour it is."""
    wall_before, wall_after = [(at + offset).replace(tzinfo=None) for offset in (before, after)]
    low, high = min(wall_before, wall_after), max(wall_before, wall_after)
    points = [
        low - MINUTE,
        low,
        low + MINUTE,
        low + (high - low) / 2,
        high - MINUTE,
        high,
        high + MINUTE,
    ]
    found = [f"{wall.minute} {wall.hour} * * *" for wall in points]
    found += [f"{wall.minute} {wall.hour} {wall.day} {wall.month} *" for wall in (low, high)]
    found += [f"{wall.minute} * * * {wall.isoweekday()}" for wall in (low, high)]
    found += [f"* {low.hour} * * *", f"0-59 {low.hour} * * *", f"*/4 {high.hour} {high.day} * *"]
    both = sorted({low.hour, high.hour})
    return [*found, f"0,30 {','.join(map(str, both))} * * *"]


def starts_around(at: datetime, before: timedelta, after: timedelta) -> list[datetime]:
    """Moments to ask from: before, at and after the change, and inside both passes of a fold."""
    size = abs(after - before)
    second = timedelta(seconds=1)
    return [
        at - WINDOW,
        at - size,
        at - size / 2 - second,
        at - MINUTE,
        at - second,
        at,
        at + second,
        at + MINUTE,
        at + size / 2,
        at + size - second,
        at + size,
        at + size + MINUTE,
    ]


def check_from(
    expression: str, name: str, due: list[datetime], start: datetime, end: datetime
) -> None:
    expected = [at for at in due if start < at <= end]
    found = [found.at for found in cron.occurrences_between(expression, name, start, end, 10_000)]
    assert found == expected, (expression, name, start)
    first = cron.next_occurrence(expression, name, start)
    if expected:
        assert first is not None
        assert first.at == expected[0]
    last = cron.last_occurrence(expression, name, start, end)
    assert (last.at if last else None) == (expected[-1] if expected else None)


def check_transition(name: str, at: datetime, before: timedelta, after: timedelta) -> None:
    end = at + WINDOW
    # The daemon has been running for a while when the first question is asked.
    minutes = minutes_of(ZoneInfo(name), at - WINDOW - timedelta(hours=4), end + MINUTE)
    for expression in (*FIXED, *FOLLOWING, *expressions_around(before, after, at)):
        due = list(daemon(expression, minutes))
        for start in starts_around(at, before, after):
            check_from(expression, name, due, start, end)


def test_the_tz_database_has_the_kinds_of_change_that_matter() -> None:
    changes = [change for group in zones_by_behaviour() for change in group]
    sizes = {after - before for _, before, after in changes}
    assert {timedelta(hours=n / 2) for n in (-4, -2, -1, 1, 2, 4)} <= sizes
    midnight_gaps = {
        (at + before).astimezone(UTC).strftime("%H:%M")
        for at, before, after in changes
        if after > before
    }
    assert "00:00" in midnight_gaps
    names = {name for group in zones_by_behaviour().values() for name in group}
    assert {"Africa/Casablanca", "Antarctica/Troll", "Australia/Lord_Howe", "Africa/Cairo"} <= names
    assert {"Asia/Beirut", "America/Santiago", "America/Nuuk", "Europe/Prague"} <= names


@pytest.mark.parametrize("part", range(8))
def test_every_clock_change_of_two_years_in_every_zone(part: int) -> None:
    groups = list(zones_by_behaviour().items())
    assert len(groups) > 8
    for changes, names in groups[part::8]:
        for change in changes:
            check_transition(names[0], *change)


def test_zones_that_change_alike_answer_alike() -> None:
    for names in zones_by_behaviour().values():
        answers = [
            [found.at for found in cron.occurrences_between("30 2 * * *", name, FIRST, LAST, 1000)]
            for name in names
        ]
        assert len(answers[0]) == 730
        assert answers == [answers[0]] * len(names)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("Pacific/Apia", datetime(2011, 12, 28, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC)),
        ("Pacific/Kwajalein", datetime(1993, 8, 19, tzinfo=UTC), datetime(1993, 8, 24, tzinfo=UTC)),
        ("Pacific/Kwajalein", datetime(1969, 9, 28, tzinfo=UTC), datetime(1969, 10, 3, tzinfo=UTC)),
        (
            "Pacific/Kiritimati",
            datetime(1994, 12, 29, tzinfo=UTC),
            datetime(1995, 1, 3, tzinfo=UTC),
        ),
        (
            "America/St_Johns",
            datetime(2006, 10, 27, tzinfo=UTC),
            datetime(2006, 10, 31, tzinfo=UTC),
        ),
        # Three hours come twice exactly over the turn of the year in UTC.
        ("Antarctica/Palmer", datetime(1964, 12, 30, tzinfo=UTC), datetime(1965, 1, 3, tzinfo=UTC)),
        ("Asia/Singapore", datetime(1981, 12, 30, tzinfo=UTC), datetime(1982, 1, 3, tzinfo=UTC)),
        ("Asia/Pyongyang", datetime(2018, 5, 3, tzinfo=UTC), datetime(2018, 5, 7, tzinfo=UTC)),
        ("America/Caracas", datetime(2007, 12, 8, tzinfo=UTC), datetime(2007, 12, 11, tzinfo=UTC)),
    ],
)
def test_changes_of_a_day_at_midnight_or_by_half_an_hour(
    name: str, start: datetime, end: datetime
) -> None:
    minutes = minutes_of(ZoneInfo(name), start - timedelta(days=2), end + MINUTE)
    for expression in (*FIXED, *FOLLOWING, "0 10 * * *", "0 0 30 12 *", "15 6,18 * * *"):
        due = list(daemon(expression, minutes))
        for hours in range(0, (end - start) // timedelta(hours=1), 5):
            check_from(expression, name, due, start + timedelta(hours=hours), end)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    ends = st.tuples(number, number).map(sorted)
    term = st.one_of(
        number.map(str),
        ends.map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.integers(1, 40).map(lambda step: f"*/{step}"),
        st.tuples(ends, st.integers(1, 9)).map(lambda made: f"{made[0][0]}-{made[0][1]}/{made[1]}"),
    )
    return st.one_of(st.just("*"), term, st.lists(term, min_size=2, max_size=4).map(",".join))


EXPRESSIONS = st.tuples(*(field(low, high) for low, high in RANGES)).map(" ".join)


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(
    expression=EXPRESSIONS,
    group=st.integers(0, 10_000),
    change=st.integers(0, 10_000),
    start_minute=st.integers(-300, 300),
)
@example(expression="*,5 3 * * *", group=0, change=0, start_minute=-300)
@example(expression="5,* 2 * * *", group=0, change=0, start_minute=-300)
def test_any_expression_around_any_clock_change(
    expression: str, group: int, change: int, start_minute: int
) -> None:
    try:
        cron.parse(expression)
    except cron.CronError as error:
        assert error.field in {"day", "weekday"}  # noqa: PT017 - an impossible date is the only reason
        return
    groups = list(zones_by_behaviour().items())
    changes, names = groups[group % len(groups)]
    at = changes[change % len(changes)][0]
    minutes = minutes_of(ZoneInfo(names[0]), at - timedelta(hours=9), at + WINDOW + MINUTE)
    due = list(daemon(expression, minutes))
    check_from(expression, names[0], due, at + start_minute * MINUTE, at + WINDOW)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(expression=EXPRESSIONS, day=st.dates(date(2024, 1, 1), date(2029, 1, 1)))
def test_any_expression_on_any_day(expression: str, day: date) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    minutes = minutes_of(ZoneInfo("UTC"), start + MINUTE, start + timedelta(days=3, minutes=1))
    try:
        cron.parse(expression)
    except cron.CronError:
        assert list(daemon(expression, minutes)) == []
        return
    check_from(
        expression, "UTC", list(daemon(expression, minutes)), start, start + timedelta(days=3)
    )
