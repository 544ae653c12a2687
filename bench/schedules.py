"""How fast schedules fire, how fast one is edited, and what an idle beat costs.

Prints one JSON object per line. Use an empty database: `DATABASE_URL=postgresql://… python
bench/schedules.py`; without DATABASE_URL and BROKER_URL it measures the embedded set in a folder
that is removed afterwards. `punctuality` starts a real beat; it waits for minutes to pass.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEAT = [sys.executable, "-m", "celery", "-A", "orchestrator_site", "beat", "--loglevel=WARNING"]


def main() -> None:
    """Measure what is named on the command line, or all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help="due, edit, idle, punctuality; default: all")
    parser.add_argument("--schedules", type=int, default=10_000, help="due at once, and edited in")
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=20, help="of an idle beat")
    parser.add_argument("--each-minute", type=int, default=50, help="schedules for punctuality")
    parser.add_argument("--minutes", type=int, default=3, help="for punctuality")
    options = parser.parse_args()
    home = tempfile.mkdtemp(prefix="orchestrator-bench-")
    os.environ["ORCHESTRATOR_HOME"] = home
    os.environ.setdefault("SECRET_KEY", "a key for the benchmark, longer than 32 characters")
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator_site.settings"
    sys.path.insert(0, str(ROOT))
    try:
        prepare()
        for name, measure in MEASURES.items():
            if not options.what or name in options.what:
                print(json.dumps({"bench": name, **where(), **measure(options)}), flush=True)
                clear()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def prepare() -> None:
    """Load Django and make the tables; stops where the database holds schedules."""
    import django  # after the environment is set
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from orchestrations.models import Schedule

    if Schedule.objects.exists():
        sys.exit("This database holds schedules; name an empty one in DATABASE_URL.")


def where() -> dict[str, str]:
    """Return which database and broker are measured."""
    from django.conf import settings
    from django.db import connection

    return {
        "database": connection.vendor,
        "broker": str(settings.CELERY_BROKER_URL).split(":", 1)[0],
    }


def clear() -> None:
    """Remove what a measurement made."""
    from django_celery_beat.models import CrontabSchedule, PeriodicTask

    from orchestrations.models import Orchestration, Run, Schedule, Slot

    for model in (Slot, Run, Schedule, Orchestration):
        model.objects.all().delete()
    PeriodicTask.objects.filter(name__startswith="orchestrations.schedule.").delete()
    CrontabSchedule.objects.filter(periodictask=None).delete()


def make(n: int, cron: Callable[[int], str]) -> None:
    """Make `n` orchestrations without phases, each with one schedule that is due in an hour."""
    from django.utils import timezone

    from orchestrations.models import (
        Orchestration,
        OrchestrationVersion,
        Schedule,
    )

    made = Orchestration.objects.bulk_create(Orchestration(name=f"Bench {i}") for i in range(n))
    OrchestrationVersion.objects.bulk_create(
        OrchestrationVersion(
            orchestration=orchestration,
            number=1,
            change="Created",
            definition={
                "name": orchestration.name,
                "description": "",
                "variables": {},
                "phases": [],
                "schedules": [],
                "triggers": [],
                "notifications": [],
            },
        )
        for orchestration in made
    )
    soon = timezone.now() + timedelta(hours=1)
    Schedule.objects.bulk_create(
        Schedule(orchestration=orchestration, cron=cron(i), next_fire_at=soon)
        for i, orchestration in enumerate(made)
    )


def due(options: argparse.Namespace) -> dict[str, object]:
    """All schedules fall due at one moment: until every run stands and is rung for."""
    from django.utils import timezone

    from orchestrations.models import Run, Schedule, Slot
    from orchestrations.scheduling.slots import fire_due

    # All at noon, and then each at a minute of its own, so that nothing is shared by chance.
    make(
        options.schedules, lambda i: f"0,{i % 59 + 1} {','.join(map(str, {12, i % 11 + 13}))} * * *"
    )
    noon = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    Schedule.objects.update(next_fire_at=noon)
    began = time.perf_counter()
    while fire_due(noon + timedelta(seconds=1)).more:
        pass
    seconds = time.perf_counter() - began
    return {
        "schedules": options.schedules,
        "runs": Run.objects.count(),
        "slots": Slot.objects.count(),
        "seconds": round(seconds, 2),
    }


def edit(options: argparse.Namespace) -> dict[str, object]:
    """Change the time of one schedule among many: milliseconds."""
    from orchestrations.models import Schedule
    from orchestrations.services.schedules import update_schedule

    make(options.schedules, lambda _: "0 5 * * *")
    spent = []
    for i, schedule in enumerate(Schedule.objects.order_by("?")[: options.edits]):
        began = time.perf_counter()
        update_schedule(schedule, cron=f"{i % 60} 4 * * *")
        update_schedule(schedule, cron=f"{i % 60} 3 * * *")
        spent.append((time.perf_counter() - began) * 500)
    return {
        "schedules": options.schedules,
        "edits": 2 * len(spent),
        "p50_ms": round(statistics.median(spent), 1),
        "max_ms": round(max(spent), 1),
    }


def idle(options: argparse.Namespace) -> dict[str, object]:
    """Let a real beat wait among many schedules: share of one processor, and memory."""
    make(options.schedules, lambda _: "0 5 * * *")
    beat = subprocess.Popen(BEAT, cwd=ROOT)
    try:
        time.sleep(5)  # for its start
        before = processor_seconds(beat.pid)
        time.sleep(options.seconds)
        used = processor_seconds(beat.pid) - before
        status = Path(f"/proc/{beat.pid}/status").read_text()
    finally:
        beat.send_signal(signal.SIGTERM)
        beat.wait(timeout=20)
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "schedules": options.schedules,
        "percent": round(100 * used / options.seconds, 2),
        "memory_mb": round(int(memory.split()[1]) / 1024),
    }


def processor_seconds(pid: int) -> float:
    """Return what a process has used so far, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def punctuality(options: argparse.Namespace) -> dict[str, object]:
    """Let a real beat fire schedules of every minute: milliseconds from the moment to its run."""
    from orchestrations.models import Run, Schedule
    from orchestrations.scheduling.slots import upcoming

    make(options.each_minute, lambda _: "* * * * *")
    beat = subprocess.Popen(BEAT, cwd=ROOT)
    try:
        from django.utils import timezone

        time.sleep(5)  # for its start
        first = upcoming(Schedule.objects.all()[0], timezone.now())
        Schedule.objects.update(next_fire_at=first, overlap="queue_all")
        time.sleep(60 * options.minutes + 2)
    finally:
        beat.send_signal(signal.SIGTERM)
        beat.wait(timeout=20)
    late = sorted(
        (created - due_at).total_seconds() * 1000
        for created, due_at in Run.objects.values_list("created_at", "scheduled_for")
        if due_at is not None
    )
    return {
        "schedules": options.each_minute,
        "runs": len(late),
        "p50_ms": round(statistics.median(late)),
        "p95_ms": round(late[int(len(late) * 0.95)]),
        "max_ms": round(late[-1]),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
    }


MEASURES: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "due": due,
    "edit": edit,
    "idle": idle,
    "punctuality": punctuality,
}

if __name__ == "__main__":
    main()
