from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_site.lib import durations


@pytest.mark.parametrize(
    ("seconds", "words", "short"),
    [
        (-5, "under 1 sec", "<1s"),
        (0, "under 1 sec", "<1s"),
        (0.999, "under 1 sec", "<1s"),
        (1, "1 sec", "1s"),
        (59.9, "59 sec", "59s"),
        (60, "1 min", "1m"),
        (74, "1 min 14 sec", "1m 14s"),
        (3599, "59 min 59 sec", "59m 59s"),
        (3600, "1 hr", "1h"),
        (3659, "1 hr", "1h"),
        (7500, "2 hr 5 min", "2h 5m"),
        (86_399, "23 hr 59 min", "23h 59m"),
        (86_400, "1 day", "1d"),
        (97_200, "1 day 3 hr", "1d 3h"),
        (260_000, "3 days", "3d"),
        (4_000_000, "46 days 7 hr", "46d 7h"),
    ],
)
def test_durations_in_words(seconds: float, words: str, short: str) -> None:
    assert durations.humanize(seconds) == words
    assert durations.short(seconds) == short


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("1.5", 1.5),
        (" 90 s ", 90),
        ("1 min 14 sec", 74),
        ("1h 30m", 5400),
        ("1h30m", 5400),
        ("1.5 h", 5400),
        ("2 hrs 5 mins", 7500),
        ("1 HOUR", 3600),
        ("2 days", 172_800),
        ("1 d 1 h 1 min 1 s", 90_061),
        ("2 weeks", 1_209_600),
        ("100 hours", 360_000),
    ],
)
def test_durations_from_text(text: str, seconds: float) -> None:
    assert durations.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "soon",
        "5 parsecs",
        "-5",
        "1h-",
        "h",
        "5 5",
        "1,5 h",
        "1e3",
        "٣ s",
        "5 min x",
        "1.2.3",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(durations.DurationError) as caught:
        durations.parse_duration(text)
    assert str(caught.value) == (
        f"“{text}” is not a duration, write it like 90 s, 5 min or 1 h 30 min."
    )


def test_a_duration_longer_than_a_century_or_a_line_is_refused() -> None:
    assert durations.parse_duration("36525 days") == 36_525 * 86_400
    with pytest.raises(durations.DurationError) as caught:
        durations.parse_duration("36526 days")
    assert str(caught.value) == "“36526 days” is too long, at most 100 years are possible."
    with pytest.raises(durations.DurationError) as caught:
        durations.parse_duration("9" * 12)
    assert str(caught.value) == "“999999999999” is too long, at most 100 years are possible."
    with pytest.raises(durations.DurationError) as caught:
        durations.parse_duration("1 s " * 26)
    assert str(caught.value).startswith("“1 s 1 s 1 s 1 s 1 s 1 s 1 s 1…” is not a duration")


@settings(derandomize=True, deadline=None, database=None)
@given(st.integers(1, 36_525 * 86_400))
def test_what_is_said_can_be_read_back(seconds: int) -> None:
    for words in (durations.humanize(seconds), durations.short(seconds)):
        read = durations.parse_duration(words)
        assert durations.humanize(read) == durations.humanize(seconds)
        assert read <= seconds


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1049, "1 kB"),
        (1500, "1.5 kB"),
        (99_940, "99.9 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (999_999, "1 MB"),
        (230_400_000, "230 MB"),
        (1_200_000_000, "1.2 GB"),
        (5 * 10**12, "5 TB"),
        (7 * 10**15, "7 PB"),
        (2 * 10**18, "2 EB"),
        (4_000 * 10**18, "4000 EB"),
    ],
)
def test_sizes(size: int, words: str) -> None:
    assert durations.format_bytes(size) == words


def test_counts() -> None:
    assert [durations.format_count(number) for number in (0, 999, 1000, 12_300_000, -1500)] == [
        "0",
        "999",
        "1,000",
        "12,300,000",
        "-1,500",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (90, "1m 30s"), (5400, "1h 30m"), (90061, "1d 1h 1m 1s")],
)
def test_exact_durations_are_read_back_the_same(seconds: int, text: str) -> None:
    assert durations.exact(seconds) == text
    assert durations.parse_duration(text) == seconds
