"""JSON as people type it: read strictly, every error with its line and column."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from typing import Any

from components.validators import json_problem

SPACE = re.compile(r"[ \t\r\n]*")
_strings = json.JSONDecoder(strict=False)


class JsonTextError(ValueError):
    """The text is no JSON; `line` counts from 1, 0 where it is unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def load_json(text: str) -> Any:
    """Return the value of a JSON text; raises JsonTextError.

    Refuses what Python would take: NaN, a key that is there twice, what no database keeps.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"Line {error.lineno}, column {error.colno}"
        raise JsonTextError(f"{place}: {_words(error.msg)}.", error.lineno) from None
    except RecursionError:
        raise JsonTextError("It is nested too deep.") from None
    except _Refused as error:
        line = _line_of(text, error.what)
        raise JsonTextError(f"{f'Line {line}: ' if line else ''}{error}", line) from None
    except ValueError:
        raise JsonTextError("A number is too large.") from None
    problem = json_problem(value)
    if problem:
        raise JsonTextError(problem)
    return value


def dump_json(value: Any) -> str:
    """Return a value as people read it: indented, letters as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def lines_of(text: str) -> dict[str, int]:
    """Return the line of every place in a valid JSON text, by dotted path; "" is the whole."""
    found: dict[str, int] = {}
    _scan(text, 0, "", found)
    ends = [match.start() for match in re.finditer("\n", text)]
    return {path: bisect_left(ends, at) + 1 for path, at in found.items()}


class _Refused(ValueError):
    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Refused(f"“{twice}” is there twice.", json.dumps(twice, ensure_ascii=False))
    return values


def _no_constant(name: str) -> Any:
    raise _Refused(f"{name} is no JSON value.", name)


def _line_of(text: str, what: str) -> int:
    """Return the line of the last place where a text stands, 0 where it does not."""
    position = text.rfind(what)
    return text.count("\n", 0, position) + 1 if position >= 0 else 0


def _words(message: str) -> str:
    words = {
        "Expecting value": "a value is missing here",
        "Expecting property name enclosed in double quotes": (
            "a name in double quotes is missing here"
        ),
        "Illegal trailing comma before end of object": "the last value has a comma after it",
        "Illegal trailing comma before end of array": "the last value has a comma after it",
        "Expecting ',' delimiter": "a comma is missing before this",
        "Expecting ':' delimiter": "a colon is missing before this",
        "Extra data": "the value has ended before this",
        "Unterminated string starting at": "the text that starts here is not closed",
    }
    return words.get(message, message[:1].lower() + message[1:])


def _scan(text: str, at: int, path: str, found: dict[str, int]) -> int:
    """Note where the value at a position begins, and all in it; return where it ends."""
    at = _skip(text, at)
    found[path] = at
    if text[at] == "{":
        return _scan_many(text, at, path, found, close="}")
    if text[at] == "[":
        return _scan_many(text, at, path, found, close="]")
    return _strings.raw_decode(text, at)[1]


def _scan_many(text: str, at: int, path: str, found: dict[str, int], *, close: str) -> int:
    at, number = _skip(text, at + 1), 0
    while text[at] != close:
        key = str(number)
        if close == "}":
            key, at = _strings.raw_decode(text, at)
            at = _skip(text, at) + 1  # the colon
        at = _skip(text, _scan(text, at, f"{path}.{key}" if path else key, found))
        at = _skip(text, at + 1) if text[at] == "," else at
        number += 1
    return at + 1


def _skip(text: str, at: int) -> int:
    match = SPACE.match(text, at)
    return match.end() if match else at
