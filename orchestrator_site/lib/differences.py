"""What differs between two states of what people edit, place by place, for people to read."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

STEP = " \u203a "  # between the names on the way to a place
SECRET = "a secret"  # noqa: S105  # what stands for one
NOTHING: Any = object()


@dataclass(frozen=True)
class Line:
    """One line of a text that changed: `kind` is add, del, same, or skip between two places."""

    kind: str
    text: str


@dataclass(frozen=True)
class Change:
    """One place that differs; None means that there is nothing. Long texts come as `lines`."""

    path: str
    before: str | None
    after: str | None
    yours: str | None = None
    lines: list[Line] = field(default_factory=list)


def places(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every scalar below a value with its place, the steps to it joined by STEP."""
    if isinstance(value, dict):
        for key in value:
            yield from places(f"{path}{STEP}{key}", value[key])
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value, 1):
            yield from places(f"{path}{STEP}{number}", item)
    else:
        yield path, value


def changed_places(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Return the places that differ: those of `old` in their order, then those that are new."""
    return [
        change(path, old.get(path, NOTHING), new.get(path, NOTHING))
        for path in {**old, **new}
        if old.get(path) != new.get(path) or (path in old) != (path in new)
    ]


def change(path: str, old: Any, new: Any) -> Change:
    """Return how one place differs, in words; secrets are named, not shown."""
    before, after = shown(path, old), shown(path, new)
    if before is not None and before == after:  # a secret that was replaced by another one
        after = f"another {after.removeprefix('a ')}" if after else after
    return Change(path, before, after, lines=text_lines(before, after))


def shown(path: str, value: Any) -> str | None:
    """Return a value as people read it, None for NOTHING."""
    if value is NOTHING:
        return None
    if any(part.startswith("#") for part in path.split(STEP)):
        return SECRET if value not in (None, "") else ""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def text_lines(before: str | None, after: str | None) -> list[Line]:
    """Return the changed lines with two around them, as in a patch; none for short texts."""
    if "\n" not in f"{before}{after}":
        return []
    old, new = (before or "").splitlines(), (after or "").splitlines()
    patch = difflib.unified_diff(old, new, lineterm="", n=2)
    kinds = {"+": "add", "-": "del", " ": "same"}
    lines = list(patch)[3:]  # after the two names of files and the first place
    return [
        Line(kinds[line[0]], line[1:]) if line[:1] in kinds else Line("skip", "…") for line in lines
    ]
