"""What differs between two versions of a configuration, place by place, for people to read."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from components.models import Configuration, ConfigurationVersion

Version = Configuration | ConfigurationVersion
PARTS = {
    "name": "Name",
    "description": "Description",
    "parameters": "Parameters",
    "input": "Input mapping",
    "output": "Output mapping",
}
STEP = " \u203a "  # between the names on the way to a place
SECRET = "a secret"  # noqa: S105  # what stands for one
NOTHING: Any = object()


@dataclass(frozen=True)
class Line:
    """One line of a text that changed: `kind` is add, del or same."""

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


def differences(before: Version, after: Version) -> list[Change]:
    """Return the places that differ, in the order of the page; secrets are named, not shown."""
    old, new = _places(_content(before)), _places(_content(after))
    changed = [path for path in _ordered(old, new) if old.get(path) != new.get(path)]
    return [_change(path, old.get(path, NOTHING), new.get(path, NOTHING)) for path in changed]


def conflicts(base: Version, saved: Version, typed: dict[str, Any]) -> list[Change]:
    """Return what was saved since `base`, each place with what the second person typed there."""
    yours = _places({**_content(base), **typed})
    return [
        Change(c.path, c.before, c.after, _shown(c.path, yours.get(c.path, NOTHING)))
        for c in differences(base, saved)
    ]


def _content(version: Version) -> dict[str, Any]:
    return {name: getattr(version, name) for name in PARTS}


def _places(content: dict[str, Any]) -> dict[str, Any]:
    """Return every scalar by its place, the steps to it joined by STEP."""
    return dict(
        place for name, title in PARTS.items() for place in _walk(title, content.get(name, ""))
    )


def _walk(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in value:
            yield from _walk(f"{path}{STEP}{key}", value[key])
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value, 1):
            yield from _walk(f"{path}{STEP}{number}", item)
    else:
        yield path, value


def _ordered(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return the places of both; one that is gone stands after those that stood before it."""
    added = [path for path in new if path not in old]
    order = list(PARTS.values())
    return sorted([*old, *added], key=lambda path: order.index(path.split(STEP, 1)[0]))


def _change(path: str, old: Any, new: Any) -> Change:
    before, after = _shown(path, old), _shown(path, new)
    lines = _lines(before or "", after or "") if "\n" in f"{before}{after}" else []
    if before is not None and before == after:  # a secret that was replaced by another one
        after = f"another {after.removeprefix('a ')}" if after else after
    return Change(path, before, after, lines=lines)


def _shown(path: str, value: Any) -> str | None:
    if value is NOTHING:
        return None
    if any(part.startswith("#") for part in path.split(STEP)):
        return SECRET if value not in (None, "") else ""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _lines(before: str, after: str) -> list[Line]:
    """Return the changed lines with two around them, as in a patch."""
    patch = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    kinds = {"+": "add", "-": "del", " ": "same"}
    lines = list(patch)[3:]  # after the two names of files and the first place
    return [
        Line(kinds[line[0]], line[1:]) if line[:1] in kinds else Line("skip", "…") for line in lines
    ]
