"""Orchestrations of no-op tasks beside bare Celery groups of the same shape, in the same run.

    DATABASE_URL=postgresql://… BROKER_URL=redis://… python bench/phases.py --phases 10 --tasks 10

Prints one JSON line per measurement and a last one with the ratio of the medians. Without the two
variables our side is measured on the embedded set (SQLite for all), Celery on Redis all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def prepare_environment() -> None:
    """Point the project to a data directory of this benchmark, before Django is loaded."""
    os.environ["ORCHESTRATOR_HOME"] = tempfile.mkdtemp(prefix="orchestrator-bench-")
    os.environ["COMPONENT_MODULES"] = "bench.noop"
    os.environ["LOG_LEVEL"] = "ERROR"
    os.environ.setdefault("SECRET_KEY", "a key for benchmarks, long enough to be taken as one")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    os.environ["PYTHONPATH"] = str(ROOT)
    sys.path.insert(0, str(ROOT))


def start_worker(app: str, queue: str, *flags: str) -> subprocess.Popen[bytes]:
    """Start a Celery worker in a process group of its own."""
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]
    return subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", app, "worker", "-Q", queue, *flags, *quiet],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def stop(workers: list[subprocess.Popen[bytes]]) -> None:
    """End the workers that this program started."""
    for worker in workers:
        os.killpg(worker.pid, signal.SIGTERM)
    for worker in workers:
        try:
            worker.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)


def make_orchestration(phases: int, tasks: int) -> Any:
    """Create an orchestration with a configuration of its own for each task."""
    from components.models import Component
    from components.services.configurations import create_configuration
    from orchestrations.services.designs import PhaseInput, TaskInput
    from orchestrations.services.orchestrations import create_orchestration

    component = Component.objects.get(key="bench-noop")
    made = [
        [
            create_configuration(component, user=None, name=f"{phase}.{task}")
            for task in range(tasks)
        ]
        for phase in range(phases)
    ]
    designs = [PhaseInput(tasks=[TaskInput(configuration=c.pk) for c in phase]) for phase in made]
    return create_orchestration(name="Benchmark", user=None, phases=designs)


def run_ours(orchestration: Any) -> float:
    """Run once; return seconds from the request to the committed end."""
    from orchestrations.enums import StartedBy
    from orchestrations.models import Run
    from orchestrations.services.runs import start_run

    began = time.perf_counter()
    run = start_run(orchestration, started_by=StartedBy.MANUAL)
    while not (row := Run.objects.filter(pk=run.pk).values("status", "ended_at").get())["ended_at"]:
        time.sleep(0.005)
        if time.perf_counter() - began > 120:
            raise SystemExit(f"The run did not end; it is {row['status']}.")
    if row["status"] != "success":
        raise SystemExit(f"The run ended as {row['status']}.")
    return time.perf_counter() - began


def run_bare(phases: int, tasks: int, times: int) -> list[float]:
    """Run the same shape on bare Celery; return the seconds of each run."""
    words = [sys.executable, "-m", "bench.bare", str(phases), str(tasks), str(times)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=600)
    return [float(seconds) for seconds in json.loads(done.stdout)]


def report(what: str, seconds: list[float]) -> float:
    """Print a line; return the median in seconds."""
    median = statistics.median(seconds)
    print(json.dumps({"what": what, "median_s": round(median, 3), "all_s": rounded(seconds)}))
    return median


def rounded(seconds: list[float]) -> list[float]:
    """Milliseconds are all that is meaningful."""
    return [round(s, 3) for s in seconds]


def main() -> None:
    """Measure both sides in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phases", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    prepare_environment()
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    shape = f"{options.phases} x {options.tasks}"
    site = "orchestrator_site"
    bare = [start_worker("bench.bare", "bare", "-P", "prefork", "-c", "2")]
    try:
        theirs = report(
            f"bare Celery, {shape}", run_bare(options.phases, options.tasks, options.times)
        )
    finally:
        stop(bare)
    ours_workers = [
        start_worker(site, "control", "-P", "threads", "-c", "4", "-n", "control@bench"),
        start_worker(site, "jobs", "-P", "threads", "-c", "10", "-n", "jobs@bench"),
    ]
    try:
        orchestration = make_orchestration(options.phases, options.tasks)
        run_ours(orchestration)  # warm up, as the other side did
        ours = report(
            f"orchestrator, {shape}", [run_ours(orchestration) for _ in range(options.times)]
        )
    finally:
        stop(ours_workers)
    print(json.dumps({"what": "ratio", "value": round(ours / theirs, 2), "goal": 2.0}))


if __name__ == "__main__":
    main()
