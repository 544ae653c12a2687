from __future__ import annotations

from typing import Any

import pytest

from orchestrations.validators import name_error, phase_errors

TASK: dict[str, Any] = {
    "key": "t",
    "configuration": 1,
    "orchestration": None,
    "is_active": True,
    "continue_on_failure": False,
    "parameters": {},
    "retries": 0,
    "retry_delay": 60,
    "retry_backoff": 2.0,
    "retry_match": "",
    "delay": 0,
    "timeout": None,
}


def phase(key: str, *tasks: dict[str, Any], depends_on: Any = None, name: Any = None) -> Any:
    return {
        "key": key,
        "name": key if name is None else name,
        "depends_on": depends_on,
        "tasks": list(tasks),
    }


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Daily", ""),
        ("x" * 200, ""),
        ("x" * 201, "Use 200 characters or fewer."),
        ("", "Give it a name."),
        ("  ", "Give it a name."),
        (None, "Give it a name."),
        (5, "Give it a name."),
        ("a\0b", "A name cannot hold a NUL character."),
    ],
)
def test_names(name: Any, error: str) -> None:
    assert name_error(name) == error


def test_good_phases_have_no_errors() -> None:
    nested = {**TASK, "key": "n", "configuration": None, "orchestration": 3}
    full = {
        **TASK,
        "key": "f",
        "retries": 20,
        "retry_backoff": 10,
        "timeout": 1,
        "delay": 5,
        "parameters": {"a": [1]},
    }
    phases = [
        phase("a", TASK, nested),
        phase("b", full, depends_on=[]),
        phase("c", depends_on=["b", "a"]),
        phase("d"),
    ]
    assert phase_errors(phases) == {}


WHOLE_20 = "Use a whole number from 0 to 20."
WHOLE_SECONDS = "Use a whole number from 0 to 2592000."
ONE = "Choose one configuration, or one orchestration."
WRONG_TASKS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "no target": ({"configuration": None}, {"configuration": ONE}),
    "two targets": ({"orchestration": 2}, {"configuration": ONE}),
    "text as target": ({"configuration": "1"}, {"configuration": "Use its number."}),
    "switch as target": ({"configuration": True}, {"configuration": "Use its number."}),
    "zero as target": ({"configuration": 0}, {"configuration": "Use its number."}),
    "too large a target": ({"configuration": 2**63}, {"configuration": "Use its number."}),
    "text as orchestration": (
        {"configuration": None, "orchestration": "x"},
        {"orchestration": "Use its number."},
    ),
    "no switch": ({"is_active": "yes"}, {"is_active": "Use true or false."}),
    "number as switch": (
        {"continue_on_failure": 1},
        {"continue_on_failure": "Use true or false."},
    ),
    "parameters": ({"parameters": [1]}, {"parameters": "Use a JSON object, such as {}."}),
    "NUL in parameters": (
        {"parameters": {"a": "\0"}},
        {"parameters": "A text holds a NUL character; remove it."},
    ),
    "no number in parameters": (
        {"parameters": {"a": float("nan")}},
        {"parameters": "A number is too large."},
    ),
    "many retries": ({"retries": 21}, {"retries": WHOLE_20}),
    "retries below zero": ({"retries": -1}, {"retries": WHOLE_20}),
    "retries as switch": ({"retries": True}, {"retries": WHOLE_20}),
    "half a retry": ({"retries": 1.5}, {"retries": WHOLE_20}),
    "delay": ({"delay": -1}, {"delay": WHOLE_SECONDS}),
    "retry delay": ({"retry_delay": 2_592_001}, {"retry_delay": WHOLE_SECONDS}),
    "back-off below one": ({"retry_backoff": 0.5}, {"retry_backoff": "Use a number from 1 to 10."}),
    "back-off as text": ({"retry_backoff": "2"}, {"retry_backoff": "Use a number from 1 to 10."}),
    "back-off that is no number": (
        {"retry_backoff": float("nan")},
        {"retry_backoff": "Use a number from 1 to 10."},
    ),
    "timeout of nothing": ({"timeout": 0}, {"timeout": "Use a whole number from 1 to 2592000."}),
    "long match": (
        {"retry_match": "x" * 201},
        {"retry_match": "Use a text of 200 characters or fewer."},
    ),
    "long key": ({"key": "x" * 41}, {"key": "Use a key of 1 to 40 characters."}),
}


@pytest.mark.parametrize(("fields", "errors"), WRONG_TASKS.values(), ids=WRONG_TASKS.keys())
def test_wrong_tasks(fields: dict[str, Any], errors: dict[str, str]) -> None:
    found = phase_errors([phase("a"), phase("b", {**TASK, "key": "ok"}, {**TASK, **fields})])
    assert found == {f"phases.1.tasks.1.{field}": text for field, text in errors.items()}


TWICE = "Another one has this key."
WRONG_PHASES: dict[str, tuple[list[Any], dict[str, str]]] = {
    "no name": ([phase("a", name=" ")], {"phases.0.name": "Give it a name."}),
    "a key twice": (
        [phase("a"), phase("a")],
        {"phases.0.key": TWICE, "phases.1.key": TWICE},
    ),
    "a task's key in two phases": (
        [phase("a", TASK), phase("b", TASK)],
        {"phases.0.tasks.0.key": TWICE, "phases.1.tasks.0.key": TWICE},
    ),
    "waiting for the unknown": (
        [phase("a", depends_on=["z"])],
        {"phases.0.depends_on": "There is no phase “z”."},
    ),
    "waiting for no list": (
        [phase("a", depends_on="a")],
        {"phases.0.depends_on": "Use a list of keys of phases."},
    ),
    "waiting for numbers": (
        [phase("a", depends_on=[1])],
        {"phases.0.depends_on": "Use a list of keys of phases."},
    ),
    "waiting for itself": (
        [phase("a", depends_on=["a"])],
        {"phases.0.depends_on": "“a” waits for “a”."},
    ),
    "a circle, and what is behind it": (
        [phase("a"), phase("b", depends_on=["d"]), phase("c"), phase("d")],
        {
            "phases.1.depends_on": "“b” waits for “d” waits for “c” waits for “b”.",
            "phases.2.depends_on": "“c” waits for “b” waits for “d” waits for “c”.",
            "phases.3.depends_on": "“d” waits for “c” waits for “b” waits for “d”.",
        },
    ),
    "two circles, and one that waits for both": (
        [
            phase("a", depends_on=["b"]),
            phase("b", depends_on=["a"]),
            phase("c", depends_on=["c", "a"]),
            phase("d", depends_on=["a", "c"]),
        ],
        {
            "phases.0.depends_on": "“a” waits for “b” waits for “a”.",
            "phases.1.depends_on": "“b” waits for “a” waits for “b”.",
            "phases.2.depends_on": "“c” waits for “c”.",
        },
    ),
    "too many phases": (
        [phase(str(n)) for n in range(501)],
        {"phases": "Use at most 500 phases and 5000 tasks."},
    ),
}


@pytest.mark.parametrize(("phases", "errors"), WRONG_PHASES.values(), ids=WRONG_PHASES.keys())
def test_wrong_phases(phases: list[Any], errors: dict[str, str]) -> None:
    assert phase_errors(phases) == errors
