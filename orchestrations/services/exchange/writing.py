"""Plain data as YAML, always the same bytes for the same data.

No library decides the layout, so that a newer one changes no file: mappings in the order given,
two blanks a level, a text plain where every reader takes it for one, as a block where it has
several lines, else in double quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_ ./@+()-]*")
# What a reader of YAML 1.1 or 1.2 takes for something else than a text.
WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
RESERVED = {*WORDS, ".", "..", ".inf", ".nan"}
BLOCK = re.compile(r"[^\s#][^\r\t]*", re.DOTALL)
STRANGE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]")


def to_yaml(document: dict[str, Any]) -> str:
    """Return a document as text that ends with a line break."""
    return "".join(f"{line}\n" for line in _mapping(document, ""))


def _mapping(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        yield from _entry(f"{indent}{_scalar(str(key))}:", item, f"{indent}  ")


def _sequence(value: list[Any], indent: str) -> Iterator[str]:
    for item in value:
        if isinstance(item, dict) and item:
            first, *others = _mapping(item, f"{indent}  ")
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from others
        else:
            yield from _entry(f"{indent}-", item, f"{indent}  ")


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    """Write what follows a key or a dash: on the same line, or indented beneath it."""
    if isinstance(value, dict) and value:
        yield head
        yield from _mapping(value, indent)
    elif isinstance(value, list) and value:
        yield head
        yield from _sequence(value, indent)
    elif isinstance(value, str) and _is_block(value):
        yield from _block(head, value, indent)
    else:
        yield f"{head} {_scalar(value)}"


def _block(head: str, text: str, indent: str) -> Iterator[str]:
    body = text.removesuffix("\n")
    yield f"{head} {'|' if body != text else '|-'}"
    for line in body.split("\n"):
        yield f"{indent}{line}" if line else ""


def _is_block(text: str) -> bool:
    """Tell whether a text of several lines comes back from a block exactly as it is."""
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and bool(BLOCK.fullmatch(text))
        and bool(lines[-1])
        and not STRANGE.search(text)
    )


def _scalar(value: Any) -> str:
    if isinstance(value, dict | list):  # only empty ones come here
        return "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, float):  # with a point, else YAML 1.1 takes it for a text
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    if not isinstance(value, str):
        return json.dumps(value)
    if _is_plain(value):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return STRANGE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", quoted)


def _is_plain(text: str) -> bool:
    return (
        bool(PLAIN.fullmatch(text))
        and not text.endswith(" ")
        and text.lower() not in RESERVED
        and not re.match(r"[.+-]?\d", text)
    )
