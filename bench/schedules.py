"""How fast schedules fire, how fast one is edited, and what an idle beat costs; beside stock beat.

Each measurement is made twice in one run: with our SlotScheduler, and with the stock
DatabaseScheduler of django-celery-beat on the periodic tasks that our schedules project.

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
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CELERY = [sys.executable, "-m", "celery", "-A", "orchestrator_site"]
BEAT = [*CELERY, "beat", "--loglevel=WARNING"]
STOCK_SECONDS = 60
STOCK = [*BEAT, "-S", "django_celery_beat.schedulers:DatabaseScheduler"]
WORKER = [*CELERY, "worker", "-Q", "control", "-P", "threads", "-c", "4", "--loglevel=WARNING"]


def main() -> None:
    """Measure what is named on the command line, or all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", nargs="*", help="due, edit, idle, punctuality, question; default: all"
    )
    parser.add_argument("--schedules", type=int, default=10_000, help="due at once, and edited in")
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=20, help="of an idle beat")
    parser.add_argument("--each-minute", type=int, default=50, help="schedules for punctuality")
    parser.add_argument("--off", type=int, default=500, help="orchestrations that were off")
    parser.add_argument("--minutes", type=int, default=3, help="for punctuality")
    options = parser.parse_args()
    home = tempfile.mkdtemp(prefix="orchestrator-bench-")
    os.environ["ORCHESTRATOR_HOME"] = home
    os.environ.setdefault("SECRET_KEY", "a key for the benchmark, longer than 32 characters")
    os.environ["LOG_LEVEL"] = "WARNING"
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


def project() -> None:
    """Give each schedule the periodic task that the stock scheduler reads."""
    from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

    from orchestrations.models import Schedule
    from orchestrations.scheduling.slots import PROJECTED

    crontabs: dict[str, CrontabSchedule] = {}
    tasks = []
    for schedule in Schedule.objects.order_by("pk"):
        if schedule.cron not in crontabs:
            minute, hour, *_ = schedule.cron.split()
            crontabs[schedule.cron] = CrontabSchedule.objects.create(minute=minute, hour=hour)
        tasks.append(
            PeriodicTask(
                name=f"{PROJECTED}{schedule.pk}",
                task="orchestrations.tasks.fire_schedule",
                args=json.dumps([schedule.pk]),
                crontab=crontabs[schedule.cron],
            )
        )
    PeriodicTask.objects.bulk_create(tasks)
    PeriodicTasks.update_changed()


def due(options: argparse.Namespace) -> dict[str, object]:
    """All schedules fall due at one moment: until every run stands and is rung for.

    Stock: until a message for each has been sent; its workers would make the runs afterwards.
    """
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
    found = {
        "schedules": options.schedules,
        "runs": Run.objects.count(),
        "slots": Slot.objects.count(),
        "seconds": round(seconds, 2),
    }
    clear()
    return {**found, **stock_due(options)}


def stock_due(options: argparse.Namespace) -> dict[str, object]:
    """Return how many of all due schedules a real stock beat has sent a minute after they were.

    Of messages in the queue; no worker takes them away.
    """
    from django.utils import timezone

    from orchestrator_site.celery import app

    make(options.schedules, lambda _: "* * * * *")
    project()
    beat = subprocess.Popen(STOCK, cwd=ROOT)
    try:
        wait_until_it_rests(beat.pid)
        with app.connection_for_write() as link:
            queue: Any = link.default_channel
            queue.queue_declare("control", durable=True)
            queue.queue_purge("control")
            time.sleep(60 - timezone.now().timestamp() % 60)
            queue.queue_purge("control")
            time.sleep(STOCK_SECONDS)
            sent = queue.queue_declare("control", passive=True).message_count
            queue.queue_purge("control")
    finally:
        beat.send_signal(signal.SIGTERM)
        beat.wait(timeout=60)
    return {"stock_sent_in_60_s": sent}


def edit(options: argparse.Namespace) -> dict[str, object]:
    """Change the time of one schedule among many: milliseconds, for the person and for beat."""
    from orchestrations.models import Schedule
    from orchestrations.scheduling.beat import SlotScheduler
    from orchestrations.services.schedules import update_schedule
    from orchestrator_site.celery import app

    make(options.schedules, lambda _: "0 5 * * *")
    project()
    scheduler = SlotScheduler(app=app)
    scheduler.tick()
    spent, seen = [], []
    for i, schedule in enumerate(Schedule.objects.order_by("?")[: options.edits]):
        for hour in (4, 3):
            began = time.perf_counter()
            update_schedule(schedule, cron=f"{i % 60} {hour} * * *")
            done = time.perf_counter()
            scheduler.firing.work()
            spent.append((done - began) * 1000)
            seen.append((time.perf_counter() - done) * 1000)
    return {
        "schedules": options.schedules,
        "edits": len(spent),
        "p50_ms": round(statistics.median(spent), 1),
        "max_ms": round(max(spent), 1),
        "beat_p50_ms": round(statistics.median(seen), 1),
        "stock_beat_ms": stock_edit(),
    }


def stock_edit() -> float:
    """Return how long the stock scheduler does nothing else after one edit, in milliseconds."""
    from django_celery_beat.models import CrontabSchedule, PeriodicTask
    from django_celery_beat.schedulers import DatabaseScheduler

    from orchestrations.scheduling.slots import PROJECTED
    from orchestrator_site.celery import app

    scheduler = DatabaseScheduler(app=app)
    scheduler.schedule  # noqa: B018
    scheduler.tick()
    task = PeriodicTask.objects.filter(name__startswith=PROJECTED)[0]
    task.crontab = CrontabSchedule.objects.create(minute="7", hour="7")
    task.save()
    began = time.perf_counter()
    scheduler.tick()
    return round((time.perf_counter() - began) * 1000, 1)


def idle(options: argparse.Namespace) -> dict[str, object]:
    """Let a real beat wait among many schedules: share of one processor, and memory."""
    make(options.schedules, lambda _: "0 5 * * *")
    project()
    ours, stock = waiting(BEAT, options.seconds), waiting(STOCK, options.seconds)
    return {
        "schedules": options.schedules,
        "percent": ours[0],
        "memory_mb": ours[1],
        "stock_percent": stock[0],
        "stock_memory_mb": stock[1],
    }


def waiting(command: list[str], seconds: int) -> tuple[float, int]:
    """Return the share of a processor in per cent and the megabytes of a beat that waits."""
    beat = subprocess.Popen(command, cwd=ROOT)
    try:
        wait_until_it_rests(beat.pid)
        before = processor_seconds(beat.pid)
        time.sleep(seconds)
        used = processor_seconds(beat.pid) - before
        status = Path(f"/proc/{beat.pid}/status").read_text()
    finally:
        beat.send_signal(signal.SIGTERM)
        beat.wait(timeout=60)
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(100 * used / seconds, 2), round(int(memory.split()[1]) / 1024)


def wait_until_it_rests(pid: int) -> None:
    """Wait until a process has begun and used little for three seconds."""
    time.sleep(5)
    for _ in range(60):
        before = processor_seconds(pid)
        time.sleep(3)
        if processor_seconds(pid) - before < 0.3:
            return


def processor_seconds(pid: int) -> float:
    """Return what a process has used so far, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def punctuality(options: argparse.Namespace) -> dict[str, object]:
    """Let a real beat fire schedules of every minute: milliseconds from the moment to its run.

    Both with a control worker; with the stock scheduler it is the worker that makes the run.
    """
    ours = punctual(BEAT, options)
    clear()
    stock = punctual(STOCK, options)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {
        "schedules": options.each_minute,
        **ours,
        **{f"stock_{name}": value for name, value in stock.items()},
        "peak_memory_mb": round(peak),
    }


def punctual(command: list[str], options: argparse.Namespace) -> dict[str, int]:
    """Return how late the runs of one scheduler are made."""
    from django.utils import timezone

    from orchestrations.models import Run, Schedule
    from orchestrations.scheduling.slots import upcoming

    make(options.each_minute, lambda _: "* * * * *")
    project()
    processes = [subprocess.Popen(each, cwd=ROOT) for each in (command, WORKER)]
    try:
        time.sleep(8)  # for their start
        first = upcoming(Schedule.objects.all()[0], timezone.now())
        Schedule.objects.update(next_fire_at=first, overlap="queue_all")
        time.sleep(60 * options.minutes + 2)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(timeout=60)
    late = sorted(
        (created - due_at).total_seconds() * 1000
        for created, due_at in Run.objects.values_list("created_at", "scheduled_for")
        if due_at is not None
    )
    return {
        "runs": len(late),
        "p50_ms": round(statistics.median(late)),
        "p95_ms": round(late[int(len(late) * 0.95)]),
        "max_ms": round(late[-1]),
    }


def question(options: argparse.Namespace) -> dict[str, object]:
    """Count what orchestrations missed that were off for a year: before many are switched on."""
    from django.utils import timezone

    from orchestrations.models import Orchestration, Schedule
    from orchestrations.services.arming import missed_of_all

    make(options.off, lambda _: "* * * * *")
    now = timezone.now()
    Orchestration.objects.update(is_enabled=False)
    Schedule.objects.update(next_fire_at=None, off_since=now - timedelta(days=365))
    began = time.perf_counter()
    found = missed_of_all(list(Orchestration.objects.all()), now)
    return {"schedules": len(found), "seconds": round(time.perf_counter() - began, 2)}


MEASURES: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "due": due,
    "edit": edit,
    "idle": idle,
    "punctuality": punctuality,
    "question": question,
}

if __name__ == "__main__":
    main()
