from __future__ import annotations

from typing import Any

from components.models import Configuration
from components.services.differences import conflicts, differences
from orchestrator_site.lib.differences import STEP


def version(**content: Any) -> Configuration:
    return Configuration(name=content.pop("name", "A"), **content)


def at(*steps: str) -> str:
    return STEP.join(steps)


def test_places_are_named_and_secrets_are_not_shown() -> None:
    before = version(parameters={"#k": "enc::1", "on": True, "rows": [{"t": "a"}], "keys": ["x"]})
    after = version(
        name="B", parameters={"#k": "enc::2", "on": False, "rows": [{"t": "b"}], "keys": []}
    )
    found = [(c.path, c.before, c.after) for c in differences(before, after)]
    assert found == [
        ("Name", "A", "B"),
        (at("Parameters", "#k"), "a secret", "another secret"),
        (at("Parameters", "on"), "yes", "no"),
        (at("Parameters", "rows", "1", "t"), "a", "b"),
        (at("Parameters", "keys"), "x", ""),
    ]


def test_a_long_text_is_compared_line_by_line() -> None:
    lines = [f"line {n}" for n in range(10)]
    before = version(description="\n".join(lines))
    after = version(description="\n".join([*lines[:8], "new", lines[9]]))
    (change,) = differences(before, after)
    assert [(line.kind, line.text) for line in change.lines] == [
        ("same", "line 6"),
        ("same", "line 7"),
        ("del", "line 8"),
        ("add", "new"),
        ("same", "line 9"),
    ]


def test_a_conflict_stands_beside_what_was_typed() -> None:
    base, saved = version(parameters={"a": 1, "b": 1}), version(parameters={"a": 2, "c": 3})
    found = conflicts(base, saved, {"parameters": {"a": 9, "b": 1}})
    assert [(c.path, c.before, c.after, c.yours) for c in found] == [
        (at("Parameters", "a"), "1", "2", "9"),
        (at("Parameters", "b"), "1", None, "1"),
        (at("Parameters", "c"), None, "3", None),
    ]


def test_equal_versions_do_not_differ() -> None:
    assert differences(version(parameters={"a": 1}), version(parameters={"a": 1})) == []
