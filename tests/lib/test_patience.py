"""What is asked and may never answer."""

from __future__ import annotations

import threading

import pytest

from orchestrator_site.lib.patience import NoAnswer, ask
from tests.waiting import eventually


def test_an_answer_and_an_error_come_through() -> None:
    assert ask("a", lambda: 7, seconds=10) == 7
    with pytest.raises(ZeroDivisionError):
        ask("a", lambda: 1 // 0, seconds=10)


def test_a_timeout_of_the_action_itself_is_its_own() -> None:
    def late() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        ask("a", late, seconds=10)


def test_what_hangs_holds_one_thread_until_it_ends() -> None:
    goes_on = threading.Event()
    begun = []

    def hang() -> bool:
        begun.append(1)
        return goes_on.wait()

    before = threading.active_count()
    for _ in range(3):
        with pytest.raises(NoAnswer):
            ask("hung", hang, seconds=0.01)
    assert begun == [1]
    assert threading.active_count() == before + 1
    assert ask("another", lambda: 7, seconds=10) == 7

    goes_on.set()
    eventually(lambda: threading.active_count() == before)
    assert ask("hung", lambda: 8, seconds=10) == 8
