"""Find names by a few letters: as a prefix, at the starts of words, anywhere, or in this order."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import CharField, IntegerField, Lookup, Q, TextField
from django.db.models.expressions import Case, Value, When

LONGEST = 100
EXACT, PREFIX, STARTS, INSIDE, LETTERS = 100.0, 80.0, 60.0, 40.0, 20.0
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Return the words that are looked for, in small letters."""
    return text.replace("\0", "")[:LONGEST].lower().split()


def score(text: str, name: str) -> float | None:
    """Return how well a name fits, 0 to 100; None where a word's letters are not in it in order.

    Of two names that fit in the same way, the shorter one fits better.
    """
    wanted, known = " ".join(words_of(text)), name.lower()
    if not wanted:
        return 0.0
    return _whole(wanted, known) or _by_words(wanted.split(), known)


def _whole(wanted: str, known: str) -> float | None:
    if wanted == known:
        return EXACT
    if known.startswith(wanted):
        return PREFIX - _length(known)
    return None


def _by_words(words: list[str], known: str) -> float | None:
    lowest = STARTS
    starts = [match[0] for match in _WORD.finditer(known)]
    for word in words:
        if any(start.startswith(word) for start in starts):
            continue
        if word in known:
            lowest = min(lowest, INSIDE)
        elif _in_order(word, known):
            lowest = min(lowest, LETTERS)
        else:
            return None
    return lowest - _length(known)


def _in_order(letters: str, known: str) -> bool:
    rest = iter(known)
    return all(letter in rest for letter in letters)


def _length(known: str) -> float:
    """Return what a name loses by its length, less than lies between two ways to fit."""
    return min(len(known), 190) / 10


@CharField.register_lookup
@TextField.register_lookup
class Letters(Lookup):
    """`name__letters="abc"`: the letters are in the column in this order, whatever their size."""

    lookup_name = "letters"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Write it as LIKE with a wildcard around each letter."""
        column, parameters = self.process_lhs(compiler, connection)
        escaped = (re.sub(r"([%_\\])", r"\\\1", letter) for letter in str(self.rhs).upper())
        pattern = f"%{'%'.join(escaped)}%"
        return f"UPPER({column}) LIKE %s ESCAPE '\\'", (*parameters, pattern)

    def get_prep_lookup(self) -> str:
        """Take the text as it is."""
        return str(self.rhs)


def fitting(text: str, column: str) -> Q:
    """Return what `score` gives a number in a column; small and large letters by the database."""
    found = Q()
    for word in words_of(text):
        found &= Q((f"{column}__letters", word))
    return found


def rank(text: str, column: str) -> Case:
    """Return the order of what fits, roughly as `score` has it, best first."""
    words = words_of(text) or [""]
    whole = " ".join(words)
    return Case(
        When(**{f"{column}__iexact": whole, "then": Value(0)}),
        When(**{f"{column}__istartswith": whole, "then": Value(1)}),
        When(**{f"{column}__icontains": f" {words[0]}", "then": Value(2)}),
        When(**{f"{column}__icontains": words[0], "then": Value(3)}),
        default=Value(4),
        output_field=IntegerField(),
    )
