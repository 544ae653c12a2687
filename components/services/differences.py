"""What differs between two versions of a configuration, place by place, for people to read."""

from __future__ import annotations

from typing import Any

from components.models import Configuration, ConfigurationVersion
from orchestrator_site.lib.differences import (
    NOTHING,
    STEP,
    Change,
    changed_places,
    places,
    shown,
)

Version = Configuration | ConfigurationVersion
PARTS = {
    "name": "Name",
    "description": "Description",
    "parameters": "Parameters",
    "input": "Input mapping",
    "output": "Output mapping",
}


def differences(before: Version, after: Version) -> list[Change]:
    """Return the places that differ, in the order of the page; secrets are named, not shown."""
    found = changed_places(_places(_content(before)), _places(_content(after)))
    order = list(PARTS.values())
    return sorted(found, key=lambda change: order.index(change.path.split(STEP, 1)[0]))


def conflicts(base: Version, saved: Version, typed: dict[str, Any]) -> list[Change]:
    """Return what was saved since `base`, each place with what the second person typed there."""
    yours = _places({**_content(base), **typed})
    return [
        Change(c.path, c.before, c.after, shown(c.path, yours.get(c.path, NOTHING)))
        for c in differences(base, saved)
    ]


def _content(version: Version) -> dict[str, Any]:
    return {name: getattr(version, name) for name in PARTS}


def _places(content: dict[str, Any]) -> dict[str, Any]:
    return dict(
        place for name, title in PARTS.items() for place in places(title, content.get(name, ""))
    )
