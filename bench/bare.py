"""Bare Celery for comparison: groups of no-op tasks with a barrier task between them.

A program of its own, because a process has one current Celery application:
`python -m bench.bare PHASES TASKS TIMES` prints the seconds of each run as a JSON list.

A bare `chain(group, group, …)` runs groups several times over on Celery 5.7, hence the barrier.
"""

from __future__ import annotations

import json
import os
import sys
import time
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


def measure(phases: int, tasks: int) -> float:
    """Run the shape once; return seconds from the request to the result."""
    began = time.perf_counter()
    start(phases, tasks).get(timeout=120, interval=0.005)
    return time.perf_counter() - began


def main() -> None:
    """Warm up once, then measure."""
    phases, tasks, times = (int(word) for word in sys.argv[1:])
    measure(phases, tasks)
    print(json.dumps([measure(phases, tasks) for _ in range(times)]))


if __name__ == "__main__":
    from bench.bare import main as imported  # under this name the worker knows its tasks

    imported()
