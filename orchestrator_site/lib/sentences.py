"""Parts of sentences for people."""

from __future__ import annotations

from collections.abc import Iterable


def joined(words: Iterable[str], conjunction: str = "and") -> str:
    """Join words: “a”, “a and b”, “a, b and c”; nothing for none."""
    *head, last = [*words] or [""]
    return f"{', '.join(head)} {conjunction} {last}" if head else last


def counted(number: int, noun: str) -> str:
    """Say how many there are: “1 task”, “2 tasks”."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
