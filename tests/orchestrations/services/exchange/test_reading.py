from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrations.services.exchange.problems import ExchangeError
from orchestrations.services.exchange.reading import read, read_mapping
from orchestrations.services.exchange.writing import to_yaml

HARD = [
    *("no", "on", "y", "null", "~", "", "True", "1e3", "0o17", "0x1f", "1_000", "012", "1:30"),
    *("2026-01-01", "=", "<<", "-", "---", "...", ".nan", "+1", "-.5", "a: b", "a #b", "#a"),
    *("a\nb", "a\nb\n", "a\n\nb", "a\n\n", "\n", " a\nb", "a\n b\n", "a \nb", "a\tb\nc", "é\nü"),
    *(
        "\x00",
        "\x85",
        "\u2028",
        "\ufeff",
        "😀",
        "enc::x",
        "${secret:a}",
        "{",
        "[",
        "&a",
        "*a",
        "!a",
    ),
    *("|", ">", "%", "@", "`", "'", '"', "\\", "a ", " a", "a\r\nb"),
]
TEXTS = st.one_of(
    st.sampled_from(HARD),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text("ab\n #:-'\"\\\t|>&*!%@`[]{},?~=<.0123", max_size=20),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_is_read_as_it_was_and_written_the_same(value: dict[str, Any]) -> None:
    document = {"version": 1, "configurations": {"a": value}}
    text = to_yaml(document)
    found = read({"a.yaml": text}).content["configurations"]["a"]
    assert json.dumps(found) == json.dumps(value)
    assert to_yaml({"version": 1, "configurations": {"a": found}}) == text


def problems(*texts: str) -> list[str]:
    with pytest.raises(ExchangeError) as refused:
        read({f"{number}.yaml": text for number, text in enumerate(texts)})
    return str(refused.value).splitlines()


BOMB = "configurations:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  {chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("configurations: [", "0.yaml:2 This is no YAML: "),
        ("configurations:\n  a: 1\n  a: 2\n", "0.yaml:3 configurations.a: The key “a” stands"),
        ("configurations:\n  a:\n    x: !!python/name:os.system ''\n", "0.yaml:3 configurations.a"),
        ("configurations:\n  a: !own 1\n", "0.yaml:2 configurations.a: Tags such as !own are not"),
        ("? [a]\n: 1\n", "0.yaml:1 A key is a text."),
        ("- a\n", "0.yaml:1 A file holds `configurations` and `orchestrations` by key."),
        ("jobs: {}\n", "0.yaml:1 jobs: There is no such part of a project."),
        ("version: 2\n", "0.yaml:1 version: This version of the format is unknown; use 1."),
        ("configurations: [a]\n", "0.yaml:1 configurations: This must be a mapping of keys."),
        (BOMB, "0.yaml:"),
        ("configurations:\n  a: &a\n    b: *a\n", "0.yaml:"),
        ("configurations:\n  a: " + "[" * 100 + "]" * 100, "0.yaml:2 It is nested too deep."),
        ("configurations:\n  a: " + "[" * 20_000, "0.yaml:"),
    ],
)
def test_what_is_no_project_is_refused_with_its_line(text: str, said: str) -> None:
    [line] = problems(text)
    assert line.startswith(said)


def test_a_key_in_two_files_is_refused() -> None:
    one = "configurations:\n  a: {name: A}\n"
    assert problems(one, f"\n{one}") == [
        "1.yaml:3 configurations.a: This key stands in 0.yaml:2 too."
    ]


def test_files_are_put_together_with_their_lines() -> None:
    found = read(
        {"b.yaml": "orchestrations:\n  n:\n    phases:\n      - name: x\n", "a.yaml": "\n"}
    )
    assert found.content == {
        "configurations": {},
        "orchestrations": {"n": {"phases": [{"name": "x"}]}},
    }
    assert found.place(("orchestrations", "n", "phases", 0, "tasks", 3)) == ("b.yaml", 4)


def test_texts_stay_texts() -> None:
    text = "configurations:\n  a: [no, 2026-11-01, 0123, 1:30, 1e3, 0x1f, yes, 12, 1.5, true, ~]\n"
    assert read({"a": text}).content["configurations"]["a"] == [
        *("no", "2026-11-01", "0123", "1:30", "1e3", "0x1f", "yes"),
        *(12, 1.5, True, None),
    ]


def test_secrets_are_lines_of_names_and_values() -> None:
    assert read_mapping("configurations/a/#b: x\nc: 1\n", "s.yaml") == {
        "configurations/a/#b": "x",
        "c": 1,
    }
    with pytest.raises(ExchangeError, match=r"s\.yaml:1 This must hold lines"):
        read_mapping("a: {b: c}\n", "s.yaml")


@pytest.mark.parametrize("piece", ["[", "- ", "? ", "{a: "])
def test_endless_nesting_is_refused_before_it_can_end_the_process(piece: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        read({"project.yaml": piece * 200_000})
    assert [problem.text for problem in caught.value.problems] == ["It is nested too deep."]
