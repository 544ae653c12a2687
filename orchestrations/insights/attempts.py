"""Two attempts at a task next to each other: where their logs differ. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

AROUND = 2  # equal lines shown before and after a difference
# Times, counts and ids differ in any two runs; lines that differ in nothing else are equal.
NUMBERS = re.compile(r"\d+(?:[.:,]\d+)*")


@dataclass(frozen=True)
class Line:
    """One line of a log: its level and its text."""

    level: str
    text: str


@dataclass(frozen=True)
class Pair:
    """Two lines next to each other; None where one log has none there."""

    left: Line | None
    right: Line | None
    differs: bool


@dataclass(frozen=True)
class Gap:
    """Equal lines that are left out."""

    count: int


def side_by_side(left: Sequence[Line], right: Sequence[Line]) -> list[Pair | Gap]:
    """Return both logs next to each other; of long equal parts only the edges."""
    matcher = SequenceMatcher(a=_comparable(left), b=_comparable(right), autojunk=False)
    found: list[Pair | Gap] = []
    codes = matcher.get_opcodes()
    for number, (what, a, b, c, d) in enumerate(codes):
        if what != "equal":
            found += _different(left[a:b], right[c:d])
            continue
        pairs = [Pair(x, y, differs=False) for x, y in zip(left[a:b], right[c:d], strict=True)]
        found += _edges(pairs, is_first=number == 0, is_last=number == len(codes) - 1)
    return found


def _comparable(lines: Sequence[Line]) -> list[tuple[str, str]]:
    return [(line.level, NUMBERS.sub("#", line.text)) for line in lines]


def _different(left: Sequence[Line], right: Sequence[Line]) -> list[Pair | Gap]:
    length = max(len(left), len(right))
    return [
        Pair(left[i] if i < len(left) else None, right[i] if i < len(right) else None, differs=True)
        for i in range(length)
    ]


def _edges(pairs: Sequence[Pair], *, is_first: bool, is_last: bool) -> list[Pair | Gap]:
    head = 0 if is_first else AROUND
    tail = 0 if is_last else AROUND
    hidden = len(pairs) - head - tail
    if hidden <= 1:
        return list(pairs)
    return [*pairs[:head], Gap(hidden), *pairs[len(pairs) - tail :]]
