"""Bare Celery for comparison: groups of no-op tasks with a barrier task between them.

A bare `chain(group, group, …)` runs groups several times over on Celery 5.7, hence the barrier.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, chain, group

URL = os.environ.get("BENCH_REDIS", "redis://127.0.0.1:6379")
app = Celery("bare", broker=f"{URL}/8", backend=f"{URL}/9")
app.conf.update(worker_prefetch_multiplier=1, task_default_queue="bare", result_expires=600)


@app.task
def noop(*_: Any) -> None:
    """Do nothing."""


@app.task
def barrier(*_: Any) -> None:
    """Wait for the group before it."""


def start(phases: int, tasks: int) -> Any:
    """Queue the whole shape; returns the result of its last barrier."""
    steps = []
    for _ in range(phases):
        steps += [group(noop.si() for _ in range(tasks)), barrier.si()]
    return chain(*steps).apply_async()
