"""Many jobs that wait: what a claim and an end cost as the line grows.

    DATABASE_URL=postgresql://… python bench/waiting.py --jobs 125 250 500 1000

Each line is one shape of waiting (all of one configuration, of as many configurations under the
project's limit, of as many under their component's limit) and one length: milliseconds for each
first try to claim, and for each end with the claim of the next one that it wakes. What grows with
the length of the line costs its square altogether. Without the variable it is measured on SQLite.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHAPES = ("configuration", "project", "component")


def make_jobs(shape: str, count: int) -> list[int]:
    """Create jobs that wait for one another in this way; returns their ids."""
    from components.enums import ComponentType  # after Django is set up
    from components.models import Component, Configuration
    from components.services.jobs import JobRequest, create_jobs

    key = f"waiting-{shape}-{count}"
    component = Component.objects.create(
        key=key,
        name=key,
        type=ComponentType.EXTRACTOR,
        max_parallel=1 if shape == "component" else None,
    )
    many = 1 if shape == "configuration" else count
    configurations = Configuration.objects.bulk_create(
        Configuration(component=component, name=f"{key} {number}") for number in range(many)
    )
    requests = [JobRequest(configurations[number % many]) for number in range(count)]
    return [job.pk for job in create_jobs(requests)]


def measure(shape: str, count: int) -> dict[str, Any]:
    """Let all of them try, then end one after the other; returns milliseconds each."""
    from celery.signals import before_task_publish  # after Django is set up

    from components.enums import JobStatus
    from components.services import job_transitions as transitions

    rung: list[int] = []

    def hear(body: Any, **_: Any) -> None:
        rung.append(body[0][0])

    ids = make_jobs(shape, count)
    before_task_publish.connect(hear, weak=False)
    began = time.perf_counter()
    running = [claim for pk in ids if (claim := transitions.claim(pk, worker="bench"))]
    claimed = time.perf_counter()
    ended = 0
    while running:
        transitions.end(running.pop(0), JobStatus.SUCCESS, fields={})
        ended += 1
        while rung:
            if claim := transitions.claim(rung.pop(0), worker="bench"):
                running.append(claim)
    done = time.perf_counter()
    before_task_publish.disconnect(hear)
    return {
        "shape": shape,
        "jobs": count,
        "ended": ended,
        "claim_ms": round((claimed - began) / count * 1000, 2),
        "end_ms": round((done - claimed) / count * 1000, 2),
    }


def main() -> None:
    """Measure every shape at every length, the shortest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[125, 250, 500, 1000])
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from bench.phases import prepare_environment  # needs the path

    prepare_environment()
    import django  # after the environment is set

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for shape in SHAPES:
        for count in options.jobs:
            print(json.dumps(measure(shape, count)), flush=True)  # its output


if __name__ == "__main__":
    main()
