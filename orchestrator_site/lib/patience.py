"""Asking what may never answer, such as a folder of another machine that is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any, TypeVar

T = TypeVar("T")

_asked: dict[str, Future[Any]] = {}
_lock = threading.Lock()


class NoAnswer(Exception):
    """What was asked has not answered yet."""


def ask(name: str, action: Callable[[], T], *, seconds: float) -> T:
    """Return what an action returns, or raise what it raises.

    Raises NoAnswer where that takes longer. The action goes on in a thread of its own, which ends
    with the process, and its answer is lost; until then whoever asks by the same name hears
    NoAnswer at once, so that what hangs holds one thread and no more.
    """
    answer: Future[T] = Future()
    with _lock:
        if name in _asked:
            raise NoAnswer
        _asked[name] = answer
    threading.Thread(target=_act, args=(name, action, answer), daemon=True).start()
    try:
        return answer.result(seconds)
    except TookTooLong:
        if answer.done():  # it was the action that raised it
            raise
        raise NoAnswer from None


def _act(name: str, action: Callable[[], T], answer: Future[T]) -> None:
    try:
        result = action()
    except BaseException as error:  # noqa: BLE001  # it is raised where it was asked
        _forget(name)
        answer.set_exception(error)
    else:
        _forget(name)
        answer.set_result(result)


def _forget(name: str) -> None:
    with _lock:
        del _asked[name]
