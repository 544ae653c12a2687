from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.lib.moments import MomentError, parse_moment

PRAGUE = ZoneInfo("Europe/Prague")
NOW = datetime(2026, 11, 25, 23, 30, 5, tzinfo=PRAGUE)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=PRAGUE)  # type: ignore[misc,arg-type]  # year, month, day at least


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("now", NOW, NOW),
        ("today", at(2026, 11, 25), at(2026, 11, 26)),
        ("Yesterday", at(2026, 11, 24), at(2026, 11, 25)),
        ("2026-11-01", at(2026, 11, 1), at(2026, 11, 2)),
        ("2026-1-5", at(2026, 1, 5), at(2026, 1, 6)),
        ("2026-12", at(2026, 12, 1), at(2027, 1, 1)),
        ("2026", at(2026, 1, 1), at(2027, 1, 1)),
        ("2026-11-01T10:30", at(2026, 11, 1, 10, 30), at(2026, 11, 1, 10, 31)),
        ("2026-11-01 10:30:07", at(2026, 11, 1, 10, 30, 7), at(2026, 11, 1, 10, 30, 8)),
        ("-7d", NOW - timedelta(days=7), NOW - timedelta(days=7)),
        ("-1h 30m", NOW - timedelta(minutes=90), NOW - timedelta(minutes=90)),
    ],
)
def test_a_moment_begins_and_is_over(text: str, begin: datetime, end: datetime) -> None:
    assert parse_moment(text, NOW) == (begin, end)


def test_a_day_in_which_the_clock_changes_has_its_own_length() -> None:
    begin, end = (moment.astimezone(UTC) for moment in parse_moment("2026-10-25", NOW))
    assert end - begin == timedelta(hours=25)


def test_a_zone_that_is_written_counts() -> None:
    begin = parse_moment("2026-11-01T10:30Z", NOW)[0]
    assert begin == datetime(2026, 11, 1, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-13", "2026-02-30", "1969", "3000-01-01", "-", "-x", "2026-11-01T25:00", "٣"],
)
def test_what_is_no_moment_is_explained(text: str) -> None:
    with pytest.raises(MomentError, match="is no date; write it like 2026-11-01"):
        parse_moment(text, NOW)


@given(st.text(st.sampled_from("0123456789-:TZ+. dhmnow"), max_size=25))
def test_whatever_is_typed_is_a_moment_or_explained(text: str) -> None:
    try:
        begin, end = parse_moment(text, NOW)
    except MomentError:
        return
    assert begin <= end
