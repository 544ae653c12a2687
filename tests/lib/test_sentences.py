from __future__ import annotations

import pytest

from orchestrator_site.lib.sentences import counted, joined


@pytest.mark.parametrize(
    ("words", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_words_are_joined(words: list[str], said: str) -> None:
    assert joined(words) == said


def test_words_are_joined_by_another_word() -> None:
    assert joined(iter(["Monday", "Friday"]), "or") == "Monday or Friday"


def test_things_are_counted() -> None:
    assert [counted(n, "task") for n in range(3)] == ["0 tasks", "1 task", "2 tasks"]
