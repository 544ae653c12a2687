from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from orchestrator_site.lib import cron
from orchestrator_site.lib.cron import Occurrence


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def locals_of(found: list[Occurrence]) -> list[str]:
    return [f"{one.local:%Y-%m-%d %H:%M %z}" for one in found]


def test_the_next_days_in_a_zone() -> None:
    found = cron.occurrences("30 6 * * 1,5", "Europe/Prague", at("2026-11-22T10:00"), 3)
    assert found == [
        Occurrence(
            at(moment),
            at(moment).astimezone(ZoneInfo("Europe/Prague")),
            "normal",
            None,
            repeats=False,
        )
        for moment in ("2026-11-23T05:30", "2026-11-27T05:30", "2026-11-30T05:30")
    ]
    assert [one.local.tzinfo for one in found] == [ZoneInfo("Europe/Prague")] * 3
    assert [one.at.tzinfo for one in found] == [UTC] * 3
    assert locals_of(found)[0] == "2026-11-23 06:30 +0100"


def test_after_is_excluded_and_seconds_count() -> None:
    noon = at("2026-05-05T12:00")
    second = timedelta(seconds=1)
    daily = ("0 12 * * *", "UTC")
    next_day = noon + timedelta(days=1)
    for after, expected in ((noon - second, noon), (noon, next_day), (noon + second, next_day)):
        found = cron.next_occurrence(*daily, after)
        assert found is not None
        assert found.at == expected


def test_after_may_be_in_any_zone_but_must_have_one() -> None:
    east = datetime(2026, 5, 5, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    found = cron.next_occurrence("0 12 * * *", "UTC", east - timedelta(seconds=1))
    assert found is not None
    assert found.at == east
    with pytest.raises(ValueError, match="without a time zone"):
        cron.next_occurrence("0 12 * * *", "UTC", datetime(2026, 5, 5))  # noqa: DTZ001


def test_between_includes_the_end_and_stops_at_the_limit() -> None:
    start, end = at("2026-05-05T00:00"), at("2026-05-05T00:20")
    found = cron.occurrences_between("*/5 * * * *", "UTC", start, end, 10)
    assert [one.at.minute for one in found] == [5, 10, 15, 20]
    assert cron.occurrences_between("*/5 * * * *", "UTC", start, end, 2) == found[:2]
    assert cron.occurrences_between("*/5 * * * *", "UTC", end, start, 2) == []


@pytest.mark.parametrize(
    ("expression", "after", "until", "expected"),
    [
        ("* * * * *", "1990-01-01T00:00", "2026-05-05T10:11", "2026-05-05T10:11"),
        ("0 0 * * *", "2026-05-05T00:00", "2026-05-05T23:59", None),
        ("0 0 * * *", "2026-05-04T23:59", "2026-05-05T23:59", "2026-05-05T00:00"),
        ("0 0 1 * *", "1990-01-01T00:00", "2026-05-31T23:59", "2026-05-01T00:00"),
        ("0 0 1 6 *", "1990-01-01T00:00", "2026-05-31T23:59", "2025-06-01T00:00"),
        ("0 0 29 2 *", "1990-01-01T00:00", "2103-12-31T00:00", "2096-02-29T00:00"),
        ("0 0 */29 2 0", "1990-01-01T00:00", "2026-01-01T00:00", "2015-02-01T00:00"),
        ("* * 1 1 *", "1990-01-01T00:00", "2026-12-31T23:59", "2026-01-01T23:59"),
        ("0 0 29 2 *", "2024-02-29T00:00", "2028-02-28T23:59", None),
        ("0 0 * * *", "2026-05-05T10:00", "2026-05-05T09:00", None),
        ("0 0 1 1 *", "0001-01-01T00:00", "0001-06-01T00:00", None),
    ],
)
def test_the_last_occurrence(expression: str, after: str, until: str, expected: str | None) -> None:
    found = cron.last_occurrence(expression, "UTC", at(after), at(until))
    assert (found.at if found else None) == (at(expected) if expected else None)


def test_29_february_and_the_year_2100() -> None:
    found = cron.occurrences("0 0 29 2 *", "UTC", at("2092-01-01T00:00"), 4)
    assert [one.at.year for one in found] == [2092, 2096, 2104, 2108]
    sundays = cron.occurrences("0 0 29 2 */7", "UTC", at("2026-01-01T00:00"), 3)
    assert [(one.at.year, one.at.isoweekday()) for one in sundays] == [
        (2032, 7),
        (2060, 7),
        (2088, 7),
    ]


def test_day_and_weekday_are_either_unless_one_has_a_star() -> None:
    start = at("2026-02-01T12:00")
    either = cron.occurrences("0 0 13 * FRI", "UTC", start, 4)
    assert [one.at.day for one in either] == [6, 13, 20, 27]
    either = cron.occurrences("0 0 10 * FRI", "UTC", start, 3)
    assert [one.at.day for one in either] == [6, 10, 13]
    both = cron.occurrences("0 0 */2 * FRI", "UTC", start, 3)
    assert [(one.at.month, one.at.day) for one in both] == [(2, 13), (2, 27), (3, 13)]


def test_last_days_and_counted_weekdays() -> None:
    start = at("2026-01-01T12:00")
    days = {
        "0 0 L * *": [31, 28, 31, 30],
        "0 0 LW * *": [30, 27, 31, 30],
        "0 0 * * 5L": [30, 27, 27, 24],
        "0 0 * * FRIL": [30, 27, 27, 24],
        "0 0 * * MON#2": [12, 9, 9, 13],
        "0 0 * * 7#1": [4, 1, 1, 5],
    }
    for expression, expected in days.items():
        assert [one.at.day for one in cron.occurrences(expression, "UTC", start, 4)] == expected


def test_a_missing_time_runs_at_the_end_of_the_gap() -> None:
    found = cron.occurrences("30 2 * * *", "Europe/Prague", at("2027-03-27T12:00"), 2)
    assert locals_of(found) == ["2027-03-28 03:00 +0200", "2027-03-29 02:30 +0200"]
    assert [(one.kind, one.wanted) for one in found] == [("gap", "02:30"), ("normal", None)]


def test_all_that_falls_on_the_end_of_a_gap_runs_once() -> None:
    found = cron.occurrences("0,30 2,3 * * *", "Europe/Prague", at("2027-03-27T12:00"), 3)
    assert locals_of(found) == [
        "2027-03-28 03:00 +0200",
        "2027-03-28 03:30 +0200",
        "2027-03-29 02:00 +0200",
    ]
    assert [(one.kind, one.wanted) for one in found[:2]] == [("gap", "02:00"), ("normal", None)]


def test_a_repeated_time_runs_at_the_first_pass() -> None:
    found = cron.occurrences("30 2 * * *", "Europe/Prague", at("2027-10-30T12:00"), 2)
    assert locals_of(found) == ["2027-10-31 02:30 +0200", "2027-11-01 02:30 +0100"]
    assert [(one.kind, one.repeats) for one in found] == [("fold", False), ("normal", False)]
    inside_second_pass = at("2027-10-31T01:10")
    later = cron.next_occurrence("30 2 * * *", "Europe/Prague", inside_second_pass)
    assert later is not None
    assert later.at == at("2027-11-01T01:30")


def test_stars_follow_the_wall_clock() -> None:
    skipped = cron.occurrences("*/30 * * * *", "Europe/Prague", at("2027-03-28T00:00"), 3)
    assert locals_of(skipped) == [
        "2027-03-28 01:30 +0100",
        "2027-03-28 03:00 +0200",
        "2027-03-28 03:30 +0200",
    ]
    assert {one.kind for one in skipped} == {"normal"}
    twice = cron.occurrences("*/30 * * * *", "Europe/Prague", at("2027-10-30T23:59"), 5)
    assert locals_of(twice) == [
        "2027-10-31 02:00 +0200",
        "2027-10-31 02:30 +0200",
        "2027-10-31 02:00 +0100",
        "2027-10-31 02:30 +0100",
        "2027-10-31 03:00 +0100",
    ]
    assert [(one.kind, one.repeats) for one in twice] == [("fold", True)] * 4 + [("normal", False)]
    assert [one.local.fold for one in twice] == [0, 0, 1, 1, 0]


def test_half_an_hour_on_lord_howe() -> None:
    gap = cron.occurrences("15 2 * * *", "Australia/Lord_Howe", at("2026-10-03T00:00"), 1)
    assert (locals_of(gap), gap[0].wanted) == (["2026-10-04 02:30 +1100"], "02:15")
    fold = cron.occurrences("0,45 1 * * *", "Australia/Lord_Howe", at("2026-04-04T00:00"), 2)
    assert locals_of(fold) == ["2026-04-05 01:00 +1100", "2026-04-05 01:45 +1100"]
    assert [one.kind for one in fold] == ["normal", "fold"]


def test_two_hours_at_troll() -> None:
    gap = cron.occurrences("0 2 * * *", "Antarctica/Troll", at("2027-03-27T12:00"), 1)
    assert (locals_of(gap), gap[0].wanted) == (["2027-03-28 03:00 +0200"], "02:00")


@pytest.mark.parametrize(
    ("zone", "after"),
    [
        ("Africa/Cairo", "2027-04-29T12:00"),
        ("Asia/Beirut", "2027-03-27T12:00"),
        ("America/Santiago", "2026-09-05T20:00"),
        ("America/Havana", "2027-03-13T12:00"),
    ],
)
def test_a_gap_at_midnight(zone: str, after: str) -> None:
    (found,) = cron.occurrences("0 0 * * *", zone, at(after), 1)
    assert (found.kind, found.wanted, f"{found.local:%H:%M}") == ("gap", "00:00", "01:00")
    note = cron.clock_note(found)
    day = f"{found.local.day} {found.local:%B %Y}"
    assert note == f"00:00 does not exist on {day}, runs at 01:00"
    (starred,) = cron.occurrences("*/5 0 * * *", zone, at(after), 1)
    assert (starred.kind, starred.local.date()) == (
        "normal",
        found.local.date() + timedelta(days=1),
    )


def test_a_day_that_was_left_out_of_the_calendar() -> None:
    found = cron.occurrences("0 10 * * *", "Pacific/Apia", at("2011-12-29T12:00"), 3)
    assert locals_of(found) == [
        "2011-12-29 10:00 -1000",
        "2011-12-31 00:00 +1400",
        "2011-12-31 10:00 +1400",
    ]
    assert cron.clock_note(found[1]) == (
        "10:00 does not exist on 30 December 2011, runs at 00:00 on 31 December 2011"
    )
    (midnight,) = cron.occurrences("0 0 30 12 *", "Pacific/Apia", at("2011-12-29T12:00"), 1)
    assert cron.clock_note(midnight) == (
        "00:00 does not exist on 30 December 2011, runs at 00:00 on 31 December 2011"
    )


def test_what_never_exists_in_a_zone_has_no_occurrence() -> None:
    # Cairo's clocks leave out midnight to 1 o'clock on the last Friday of April.
    never = ("* 0 * 4 5L", "Africa/Cairo")
    assert cron.next_occurrence(*never, at("2026-01-01T00:00")) is None
    assert cron.occurrences(*never, at("2026-01-01T00:00"), 5) == []
    assert cron.last_occurrence(*never, at("2023-06-01T00:00"), at("2030-01-01T00:00")) is None
    assert cron.next_occurrence(never[0], "UTC", at("2026-01-01T00:00")) is not None


def test_the_ends_of_the_calendar_give_nothing_and_no_error() -> None:
    east = timezone(timedelta(hours=5))
    for zone, first_year in (("UTC", 2), ("Pacific/Kiritimati", 2), ("America/Adak", 3)):
        assert cron.next_occurrence("0 0 * * *", zone, datetime.max.replace(tzinfo=UTC)) is None
        found = cron.next_occurrence("0 0 1 1 *", zone, datetime.min.replace(tzinfo=east))
        assert found is not None
        assert found.local.year == first_year
        near_the_end = cron.occurrences("0 0 1 * *", zone, at("9998-10-05T00:00"), 5)
        assert [one.local.month for one in near_the_end][:2] == [11, 12]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "note"),
    [
        (
            "30 2 * * *",
            "Europe/Prague",
            "2027-03-27T12:00",
            "02:30 does not exist on 28 March 2027, runs at 03:00",
        ),
        (
            "30 2 * * *",
            "Europe/Prague",
            "2027-10-30T12:00",
            "02:30 comes twice on 31 October 2027, runs at the first",
        ),
        (
            "*/30 * * * *",
            "Europe/Prague",
            "2027-10-31T00:00",
            "02:30 comes twice on 31 October 2027, runs at both, this is the first",
        ),
        (
            "*/30 * * * *",
            "Europe/Prague",
            "2027-10-31T01:00",
            "02:30 comes twice on 31 October 2027, runs at both, this is the second",
        ),
        (
            "30 23 * * *",
            "America/Nuuk",
            "2027-03-27T12:00",
            "23:30 does not exist on 27 March 2027, runs at 00:00 on 28 March 2027",
        ),
        ("30 2 * * *", "UTC", "2027-03-27T12:00", None),
    ],
)
def test_the_note_on_a_clock_change(
    expression: str, zone: str, after: str, note: str | None
) -> None:
    (found,) = cron.occurrences(expression, zone, at(after), 1)
    assert cron.clock_note(found) == note


def test_zone_names() -> None:
    names = cron.zone_names()
    assert names == sorted(set(names))
    assert [
        name for name in ("Europe/Prague", "UTC", "America/Argentina/Ushuaia") if name not in names
    ] == []
    assert [name for name in ("Factory", "localtime", "posixrules") if name in names] == []
    assert len(names) > 400


@pytest.mark.parametrize(
    "name",
    ["", "Europe", "europe/prague", "Mars/Base", "../etc/passwd", "UTC\0", "Factory", "x" * 9999],
)
def test_what_is_no_zone(name: str) -> None:
    assert not cron.is_zone(name)
    with pytest.raises(
        cron.ZoneError, match="is not a time zone, use a name such as Europe/Prague"
    ) as caught:
        cron.next_occurrence("0 0 * * *", name, at("2026-01-01T00:00"))
    assert len(str(caught.value)) < 140


def test_what_is_a_zone() -> None:
    assert cron.is_zone("Europe/Prague")
    assert cron.is_zone("UTC")


def test_asking_is_cheap() -> None:
    """Ten thousand schedules fall due in one minute: each may cost a fraction of a millisecond."""
    moment = at("2026-11-22T10:00")
    questions = [f"{minute} * * * *" for minute in range(60)] + ["30 6 1 * *", "*/5 * * * *"]
    for expression in questions:
        cron.next_occurrence(expression, "Europe/Prague", moment)
    started = time.process_time()
    for expression in questions * 10:
        cron.next_occurrence(expression, "Europe/Prague", moment)
    assert (time.process_time() - started) / (len(questions) * 10) < 0.001


def test_looking_back_over_decades_is_cheap() -> None:
    question = ("* * * * *", "Europe/Prague", at("1975-01-01T00:00"), at("2026-11-22T10:00"))
    cron.last_occurrence(*question)
    started = time.process_time()
    cron.last_occurrence(*question)
    assert time.process_time() - started < 0.05
