"""What a search means, and what is said of one that makes no sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.lib.search_completion import complete
from orchestrator_site.lib.search_fields import (
    LONGEST,
    Condition,
    Kind,
    Search,
    SearchField,
    Span,
    nearest,
    understand,
)

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
FIELDS = (
    SearchField(
        "status",
        Kind.CHOICE,
        "how it stands",
        "status:error",
        choices={"error": "Error", "success": "Success", "given_up": "Given up"},
    ),
    SearchField("user", Kind.TEXT, "who", "user:ada", ("createdBy",)),
    SearchField("created", Kind.MOMENT, "when", "created:>-7d"),
    SearchField("duration", Kind.DURATION, "how long", "duration:>10m", ("durationSeconds",)),
    SearchField("id", Kind.NUMBER, "its number", "id:>100"),
)


def day(number: int) -> datetime:
    return datetime(2026, 11, number, tzinfo=UTC)


def read(text: str) -> Search:
    return understand(text, FIELDS, now=NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orders", Condition("", ("orders",))),
        ("-orders", Condition("", ("orders",), negated=True)),
        ("STATUS:Error,success", Condition("status", ("error", "success"))),
        ('status:"given up"', Condition("status", ("given_up",))),
        ("-createdby:ada", Condition("user", ("ada",), negated=True)),
        ("durationSeconds:>120", Condition("duration", spans=(Span(120, open_low=True),))),
        ("duration:5m", Condition("duration", spans=(Span(300, 301, open_high=True),))),
        ("duration:<=1h", Condition("duration", spans=(Span(high=3600),))),
        ("id:7", Condition("id", spans=(Span(7, 7),))),
        ("id:1..5,9", Condition("id", spans=(Span(1, 5), Span(9, 9)))),
        ("created:2026-11-01", Condition("created", spans=(Span(day(1), day(2), open_high=True),))),
        ("created:>2026-11-01", Condition("created", spans=(Span(day(2)),))),
        ("created:>=2026-11-01", Condition("created", spans=(Span(day(1)),))),
        ("created:<2026-11-01", Condition("created", spans=(Span(high=day(1), open_high=True),))),
        ("created:<=2026-11-01", Condition("created", spans=(Span(high=day(2), open_high=True),))),
        (
            "created:2026-11-01..2026-11-05",
            Condition("created", spans=(Span(day(1), day(6), open_high=True),)),
        ),
        (
            "created:>-7d",
            Condition("created", spans=(Span(NOW - timedelta(days=7), open_low=True),)),
        ),
        ("created:-7d", Condition("created", spans=(Span(NOW - timedelta(days=7)),))),
    ],
)
def test_a_term_means(text: str, expected: Condition) -> None:
    assert read(text) == Search(text, (expected,))


@pytest.mark.parametrize(
    ("text", "sentence", "place", "fixed"),
    [
        (
            "a stauts:error",
            "“stauts” is no key; the keys are status, user, created, duration, id.",
            (2, 8),
            "a status:error",
        ),
        ("-usr:ada", "“usr” is no key", (1, 4), "-user:ada"),
        ("colour:red", "“colour” is no key", (0, 6), ""),
        ("https://example.com", "“https” is no key", (0, 5), ""),
        (
            "status:success,eror x",
            "“eror” is no status; there are error, success, given_up.",
            (15, 19),
            "status:success,error x",
        ),
        ("status:", "Write something after status:, such as status:error.", (7, 7), ""),
        ("status:>error", "status has no order; write it like status:error.", (7, 13), ""),
        ("user:ada..bob", "user has no order; write it like user:ada.", (5, 13), ""),
        ("duration:>long", "“long” is not a duration", (9, 14), ""),
        ("id:x", "“x” is no number; write it like id:>100.", (3, 4), ""),
        ("id:" + "9" * 19, "is no number", (3, 22), ""),
        ("id:5..1", "5..1 ends before it begins.", (3, 7), ""),
        ("id:..", "Write something after id:, such as id:>100.", (3, 5), ""),
        ("created:soon", "“soon” is no date; write it like 2026-11-01", (8, 12), ""),
    ],
)
def test_nonsense_is_told_with_its_place_and_what_is_allowed(
    text: str, sentence: str, place: tuple[int, int], fixed: str
) -> None:
    (problem,) = read(text).problems
    assert sentence in problem.message
    assert (problem.start, problem.end, problem.fixed) == (*place, fixed)


def test_all_that_is_wrong_is_told_at_once() -> None:
    search = read("status:x,y foo:1")
    assert [problem.start for problem in search.problems] == [7, 9, 11]
    assert search.sentences.count("(At character") == 3


def test_a_search_has_an_end() -> None:
    (problem,) = read("x" * (LONGEST + 1)).problems
    assert problem.message == "This is too long: a search has at most 1000 characters."


@given(st.text(st.sampled_from('status:duration>id created.,-"< 12\0m'), max_size=60))
def test_nothing_that_is_typed_raises(text: str) -> None:
    search = read(text)
    for problem in search.problems:
        assert 0 <= problem.start <= problem.end <= len(text)
        assert problem.message
        assert problem.fixed != search.text
    assert "\0" not in search.text


def test_the_nearest_word_is_at_most_a_third_away() -> None:
    assert nearest("stauts", ["status", "started"]) == "status"
    assert nearest("EROR", ["error"]) == "error"
    assert nearest("colour", ["created", "configuration"]) == ""
    assert nearest("x", []) == ""


PEOPLE = [("me", "yourself"), ("ada lovelace", ""), ("bob", "")]


@pytest.mark.parametrize(
    ("before", "start", "inserts"),
    [
        ("", 0, ["status:", "user:", "created:", "duration:", "id:"]),
        ("orders ", 7, ["status:", "user:", "created:", "duration:", "id:"]),
        ("-st", 1, ["status:"]),
        ("xyz", 0, []),
        ("status:", 7, ["error ", "success ", "given_up "]),
        ("status:s", 7, ["success "]),
        ("status:error,g", 13, ["given_up "]),
        ("status:error,", 13, ["error ", "success ", "given_up "]),
        ("user:", 5, ["me ", '"ada lovelace" ', "bob "]),
        ("user:ada", 5, ['"ada lovelace" ']),
        ("duration:>", 9, [">60 ", ">10m "]),
        ("created:y", 8, ["yesterday "]),
        ("foo:", 4, []),
        ("status:>e", 7, []),
    ],
)
def test_what_can_come_next_is_offered(before: str, start: int, inserts: list[str]) -> None:
    found = complete(before + "rest", len(before), FIELDS, lambda _key, _begun: PEOPLE)
    assert (found.start, [option.insert for option in found.options]) == (start, inserts)
