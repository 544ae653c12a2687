"""A person's SQL script: its statements and the lines on which they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What holds semicolons that end nothing; an opening that is never closed reaches to the end.
TOKEN = re.compile(
    r"""
      '(?:[^']|'')*(?:'|\Z)                                  # text
    | "(?:[^"]|"")*(?:"|\Z)                                  # name
    | --[^\n]*                                               # comment to the line's end
    | (?P<comment>/\*)
    | (?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)  # dollar quotes
    | (?P<word>[\w$]+)
    | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPED = re.compile(r"'(?:[^'\\]|\\.|'')*(?:'|\Z)", re.DOTALL)  # E'…\'…'
BLANK = re.compile(r"--[^\n]*|\s+")
BORDER = re.compile(r"/\*|\*/")


@dataclass(frozen=True)
class Statement:
    """One statement without its semicolon, and the script's line on which it begins."""

    sql: str
    line: int


def split(script: str) -> list[Statement]:
    """Return a script's statements; empty ones and such of comments only are left out."""
    found = []
    start = 0
    for end in (*_ends(script), len(script)):
        piece = script[start:end]
        lead = _lead(piece)
        if piece[lead:].strip():
            line = script.count("\n", 0, start + lead) + 1
            found.append(Statement(piece[lead:].rstrip(), line))
        start = end + 1
    return found


def _ends(script: str) -> Iterator[int]:
    """Yield where the semicolons are that end statements."""
    position = 0
    while match := TOKEN.search(script, position):
        position = match.end()
        if match["end"]:
            yield match.start()
        elif match["comment"]:
            position = _comment_end(script, match.start())
        elif match["word"] in {"e", "E"} and script.startswith("'", position):
            escaped = ESCAPED.match(script, position)
            position = escaped.end() if escaped else position


def _comment_end(script: str, start: int) -> int:
    """Return where a comment that begins at `start` ends; comments nest."""
    depth = 0
    for border in BORDER.finditer(script, start):
        depth += 1 if border.group() == "/*" else -1
        if not depth:
            return border.end()
    return len(script)


def _lead(piece: str) -> int:
    """Return how many characters of blanks and comments come first."""
    position = 0
    while position < len(piece):
        if piece.startswith("/*", position):
            position = _comment_end(piece, position)
        elif blank := BLANK.match(piece, position):
            position = blank.end()
        else:
            break
    return position
