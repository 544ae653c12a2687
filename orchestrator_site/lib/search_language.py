"""The language of the search boxes, as a text and as terms: `status:error -user:ada "a phrase"`.

Nothing here knows what can be searched for, and nothing that can be typed raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

_KEY = re.compile(r"([A-Za-z][A-Za-z0-9_]*):")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)("|\\?$)', re.DOTALL)  # one left open goes to the end
_PLAIN = re.compile(r'(?:(?!\.\.)[^\s,"])*')
_LAST = re.compile(r'[^\s,"]*')
_COMPARISON = re.compile(r">=|<=|>|<")
_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"\s*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_RANGE = ".."


class Comparison(StrEnum):
    """How a value is compared, as it is written before the value (`..` between two)."""

    IS = ""
    ABOVE = ">"
    FROM = ">="
    BELOW = "<"
    TO = "<="
    BETWEEN = _RANGE


@dataclass(frozen=True)
class Value:
    """One of the values after a key; `to` is the second of a range. Where it stands is no part."""

    text: str
    comparison: Comparison = Comparison.IS
    to: str = ""
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Term:
    """One condition: a key with values of which one must hold, or a word where `key` is empty."""

    key: str
    values: tuple[Value, ...]
    negated: bool = False
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


def parse_terms(text: str) -> list[Term]:
    """Return the terms of a text in order."""
    terms: list[Term] = []
    place = _after_space(text, 0)
    while place < len(text):
        term = _read_term(text, place)
        terms.append(term)
        place = _after_space(text, term.end)
    return terms


def format_terms(terms: Iterable[Term]) -> str:
    """Write terms so that parsing gives them back."""
    return " ".join(_write_term(term) for term in terms)


def _read_term(text: str, start: int) -> Term:
    negated = text[start] == "-" and _after_space(text, start + 1) == start + 1 < len(text)
    place = start + negated
    key = _KEY.match(text, place)
    if key is None:
        value = _read_word(text, place)
        return Term("", (value,), negated, start, value.end)
    values, end = _read_values(text, key.end())
    return Term(key[1], tuple(values), negated, start, end)


def _read_word(text: str, place: int) -> Value:
    quoted = _QUOTED.match(text, place)
    if quoted:
        return Value(_unescape(quoted[1]), start=place, end=quoted.end())
    word = _WORD.match(text, place)
    assert word is not None  # noqa: S101  # a term begins at something that is no space
    return Value(word[0], start=place, end=word.end())


def _read_values(text: str, place: int) -> tuple[list[Value], int]:
    values: list[Value] = []
    while True:
        value = _read_value(text, place)
        if value.end > place:
            values.append(value)
        place = value.end
        if text[place : place + 1] != ",":
            return values or [value], place
        place += 1


def _read_value(text: str, start: int) -> Value:
    comparison = _COMPARISON.match(text, start)
    place = comparison.end() if comparison else start
    if comparison:
        first, place = _read_atom(text, place, _LAST)
        return Value(first, Comparison(comparison[0]), start=start, end=place)
    first, place = _read_atom(text, place, _PLAIN)
    if text.startswith(_RANGE, place):
        second, place = _read_atom(text, place + len(_RANGE), _LAST)
        return Value(first, Comparison.BETWEEN, second, start, place)
    return Value(first, start=start, end=place)


def _read_atom(text: str, place: int, plain: re.Pattern[str]) -> tuple[str, int]:
    if quoted := _QUOTED.match(text, place):
        return _unescape(quoted[1]), quoted.end()
    found = plain.match(text, place)
    assert found is not None  # noqa: S101  # both patterns match nothing, too
    return found[0], found.end()


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _write_term(term: Term) -> str:
    minus = "-" if term.negated else ""
    if not term.key:
        return minus + write_word(term.values[0].text)
    return f"{minus}{term.key}:{','.join(_write_value(value) for value in term.values)}"


def _write_value(value: Value) -> str:
    if value.comparison == Comparison.BETWEEN:
        ends = (write_value(end) if end else "" for end in (value.text, value.to))
        return _RANGE.join(ends)
    return value.comparison + write_value(value.text)


def write_word(text: str) -> str:
    """Write a text as a word, in quotes where it would be read as something else."""
    plain = _WORD.fullmatch(text) and not _KEY.match(text) and text[0] not in '-"'
    return text if plain else _quote(text)


def write_value(text: str) -> str:
    """Write a text as a value, in quotes where it would be read as something else."""
    plain = _PLAIN.fullmatch(text) and text and text[0] not in "<>=." and text[-1] != "."
    return text if plain else _quote(text)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
