"""What it costs to count a call of the API: told to the database each time, or now and then.

    DATABASE_URL=postgresql://… python bench/rate_limit.py --calls 5000

Prints one JSON line for each way, alone and while another connection keeps writing: the median,
the 95th and 99th hundredth, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def prepare() -> None:
    """Point the project to a data directory of this benchmark and make its tables."""
    os.environ["ORCHESTRATOR_HOME"] = tempfile.mkdtemp(prefix="orchestrator-bench-")
    os.environ.setdefault("SECRET_KEY", "a key for benchmarks, long enough to be taken as one")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    sys.path.insert(0, str(ROOT))
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


def write(stop: threading.Event) -> None:
    """Keep writing job logs as a busy worker does, in transactions of 200 rows."""
    from django.db import connection

    from components.models import RateCount

    window = 0
    while not stop.is_set():
        window += 1
        RateCount.objects.bulk_create(
            RateCount(key=f"other {n}", window=window, count=1) for n in range(200)
        )
    RateCount.objects.filter(key__startswith="other").delete()
    connection.close()


def measure(name: str, call: Callable[[], object], calls: int, *, busy: bool) -> None:
    """Time each call and print the line."""
    stop = threading.Event()
    writer = threading.Thread(target=write, args=(stop,))
    if busy:
        writer.start()
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    stop.set()
    if busy:
        writer.join()
    cuts = statistics.quantiles(times, n=100)
    figures = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "mean": statistics.mean(times)}
    rounded = {key: round(value, 4) for key, value in figures.items()}
    print(json.dumps({"way": name, "busy": busy, "calls": calls, **rounded}))


def main() -> None:
    """Measure both ways, alone and beside a writer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000)
    calls = parser.parse_args().calls
    prepare()
    from components.services.rate_limits import DatabaseStore
    from orchestrator_site.lib.rate_limit import PERIOD, Limiter

    store = DatabaseStore()
    limiter = Limiter(store)

    def each_time() -> None:
        store.add("a", int(time.time() // PERIOD), 1)

    for busy in (False, True):
        measure("database each time", each_time, calls, busy=busy)
        measure("told in batches", lambda: limiter.hit("b", 600), calls, busy=busy)
        measure(
            "told in batches, no limit reached", lambda: limiter.hit("c", 10**9), calls, busy=busy
        )


if __name__ == "__main__":
    main()
