from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrations.forms.tasks.options import (
    USUAL,
    opened,
    packed,
    read,
    retry_words,
    summary,
    unknown_parameters,
    unpacked,
)
from orchestrator_site.lib.secrets import HIDDEN, decrypt_tree, encrypt_tree


def options(**fields: Any) -> dict[str, Any]:
    return {**USUAL, **fields}


def test_usual_options_need_no_field() -> None:
    assert packed(options(), {}) == ""
    assert unpacked("", {}) == USUAL


def test_options_come_back_as_they_were() -> None:
    given = options(retries=3, retry_delay=5, timeout=60, parameters={"a": [1, {"b": "č"}]})
    assert unpacked(packed(given, {}), {}) == given


@pytest.mark.parametrize("text", ["{", "[1]", "7", '{"colour": 1}', '{"parameters": 5}'])
def test_nonsense_beside_a_task_is_left_out(text: str) -> None:
    assert unpacked(text, {}) == USUAL


def test_stored_secrets_stay_on_the_server() -> None:
    stored = options(parameters=encrypt_tree({"#key": "correct horse", "list": [{"#k": "two"}]}))
    text = packed(stored, stored)
    assert json.loads(text)["parameters"] == {"#key": HIDDEN, "list": [{"#k": HIDDEN}]}
    assert unpacked(text, stored) == stored
    assert "correct" not in opened(stored).texts["parameters"]


def test_a_new_secret_travels_as_cipher_text() -> None:
    typed, panel = read(
        {**opened(options()).texts, "parameters": '{"#key": "correct horse"}'}, USUAL
    )
    assert panel.errors == {}
    text = packed(typed, {})
    assert "correct" not in text
    assert decrypt_tree(unpacked(text, {})["parameters"]) == {"#key": "correct horse"}
    again, _ = read(opened(typed).texts, typed)
    assert again == typed


FIELDS: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, str]]] = {
    "seconds": ({"retry_delay": "90"}, {"retry_delay": 90}, {}),
    "words": ({"retry_delay": "1h30m", "delay": "90s"}, {"retry_delay": 5400, "delay": 90}, {}),
    "blank": ({"delay": "", "timeout": " ", "retries": ""}, {"delay": 0, "timeout": None}, {}),
    "decimal comma": ({"retry_backoff": "1,5"}, {"retry_backoff": 1.5}, {}),
    "too many": ({"retries": "21"}, {}, {"retries": "Use a whole number from 0 to 20."}),
    "no number": ({"retries": "x"}, {}, {"retries": "Use a whole number from 0 to 20."}),
    "no factor": ({"retry_backoff": "x"}, {}, {"retry_backoff": "Use a number from 1 to 10."}),
    "part of a second": ({"delay": "0.5"}, {}, {"delay": "Use whole seconds."}),
    "no duration": (
        {"timeout": "abc"},
        {},
        {"timeout": "“abc” is not a duration, write it like 90 s, 5 min or 1 h 30 min."},
    ),
    "no object": (
        {"parameters": "[1]"},
        {},
        {"parameters": "Use a JSON object, such as {}."},
    ),
}


@pytest.mark.parametrize(("texts", "values", "errors"), FIELDS.values(), ids=FIELDS.keys())
def test_fields(texts: dict[str, str], values: dict[str, Any], errors: dict[str, str]) -> None:
    found, panel = read({**opened(options()).texts, **texts}, USUAL)
    assert panel.errors == errors
    assert found == options(**values)


def test_an_error_in_json_names_its_line() -> None:
    text = '{\n  "a": 1\n  "b": 2\n}'
    _, panel = read({**opened(options()).texts, "parameters": text}, USUAL)
    assert (panel.line, panel.texts["parameters"]) == (3, text)
    assert panel.errors == {"parameters": "Line 3, column 3: a comma is missing before this."}


WORDS: dict[str, tuple[dict[str, Any], str]] = {
    "usual": ({}, "After a failure it is not tried again."),
    "three": ({"retries": 3}, "After a failure 3 more tries, after 60 s, 120 s, 240 s."),
    "one": (
        {"retries": 1, "retry_match": "timed out"},
        "After a failure 1 more try, after 60 s, where the message contains “timed out”.",
    ),
    "many": (
        {"retries": 6, "retry_backoff": 1.0},
        "After a failure 6 more tries, after 60 s, 60 s, 60 s, 60 s, … 60 s.",
    ),
    "all": (
        {"retries": 2, "retry_delay": 600, "delay": 30, "timeout": 3600},
        (
            "Starts 30 s after its phase. After a failure 2 more tries, after 10 min, 20 min. "
            "Each try is stopped after 1 hr."
        ),
    ),
}


@pytest.mark.parametrize(("fields", "words"), WORDS.values(), ids=WORDS.keys())
def test_what_will_happen(fields: dict[str, Any], words: str) -> None:
    assert retry_words(options(**fields)) == words


def test_a_summary_names_what_is_unusual() -> None:
    found = summary(options(retries=1, delay=5, timeout=60, parameters={"a": 1}))
    assert found == ["own parameters", "1 retry", "starts after 5 s", "limit 60 s"]


def test_parameters_are_compared_with_the_schema() -> None:
    schema = {
        "type": "object",
        "required": ["url"],
        "properties": {"url": {"type": "string"}, "n": {"type": "integer"}, "#key": {}},
    }
    assert unknown_parameters(schema, {"url": "x", "n": 1, "#key": "k"}) == []
    assert unknown_parameters(schema, {"ulr": "x", "n": "many"}) == [
        "The component has no parameter “ulr”.",
        "n: This must be a whole number.",
    ]
    assert unknown_parameters(schema, {"n": "{{ count }}"}) == []
    assert unknown_parameters({}, {"any": 1}) == []
