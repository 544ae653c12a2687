"""The text of a search and its terms: each gives back the other."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_site.lib.search_language import (
    Comparison,
    Term,
    Value,
    format_terms,
    parse_terms,
)

C = Comparison
SPECIAL = 'ab1"\\-:<>=., \n\t'
texts = st.text(st.one_of(st.sampled_from(SPECIAL), st.characters(codec="utf-8")), max_size=8)
keys = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True)
values = st.one_of(
    st.builds(Value, texts, st.sampled_from([c for c in C if c != C.BETWEEN])),
    st.builds(lambda low, high: Value(low, C.BETWEEN, high), texts, texts),
)
terms = st.one_of(
    st.builds(lambda text, negated: Term("", (Value(text),), negated), texts, st.booleans()),
    st.builds(Term, keys, st.lists(values, min_size=1, max_size=3).map(tuple), st.booleans()),
)


@given(st.lists(terms, max_size=4))
def test_what_is_written_is_read_again(query: list[Term]) -> None:
    assert parse_terms(format_terms(query)) == query


@given(st.text(st.one_of(st.sampled_from(SPECIAL), st.characters()), max_size=40))
def test_whatever_is_typed_is_read_and_means_the_same_written_anew(text: str) -> None:
    query = parse_terms(text)
    assert parse_terms(format_terms(query)) == query
    for before, after in itertools.pairwise(query):
        assert before.start < before.end <= after.start


def word(text: str, *, negated: bool = False) -> Term:
    return Term("", (Value(text),), negated)


def term(key: str, *given: Value | str, negated: bool = False) -> Term:
    return Term(key, tuple(Value(v) if isinstance(v, str) else v for v in given), negated)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  daily  orders ", [word("daily"), word("orders")]),
        ('"a phrase" -word', [word("a phrase"), word("word", negated=True)]),
        ("- -", [word("-"), word("-")]),
        ("status:error,warning", [term("status", "error", "warning")]),
        ("status:error,", [term("status", "error")]),
        ("status:", [term("status", "")]),
        ('-user:"ada lovelace"', [term("user", "ada lovelace", negated=True)]),
        ("d:>120", [term("d", Value("120", C.ABOVE))]),
        ("d:<=5m", [term("d", Value("5m", C.TO))]),
        ("c:1..5", [term("c", Value("1", C.BETWEEN, "5"))]),
        ("c:..5", [term("c", Value("", C.BETWEEN, "5"))]),
        ('c:"a b".."c d"', [term("c", Value("a b", C.BETWEEN, "c d"))]),
        ('"left open', [word("left open")]),
        ('a:"left open', [term("a", "left open")]),
        (r'"say \"hi\""', [word('say "hi"')]),
        ("created:2026-11-01T10:30", [term("created", "2026-11-01T10:30")]),
        ("1:30", [word("1:30")]),
        ('a:"b"c', [term("a", "b"), word("c")]),
    ],
)
def test_a_text_is_read(text: str, expected: list[Term]) -> None:
    assert parse_terms(text) == expected
