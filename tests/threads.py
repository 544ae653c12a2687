"""Several threads that begin together, for tests of races on real row locks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def at_once(*works: Callable[[], T]) -> list[T]:
    """Do all works in threads of their own, which begin together; return what each returned."""
    barrier = threading.Barrier(len(works))

    def begin(work: Callable[[], T]) -> T:
        try:
            barrier.wait(timeout=10)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [f.result(timeout=60) for f in [pool.submit(begin, work) for work in works]]
