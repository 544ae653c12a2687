"""The page of a run with 5, 100 and 500 tasks, each job with 1,000 lines of log.

    python bench/run_page.py --tasks 5 100 500 --lines 1000
    DATABASE_URL=postgresql://… python bench/run_page.py

Prints a JSON line per view: the medians of the server's time and of its processor time, both in
milliseconds, the number of queries, and the bytes of the answer. `DATABASE_URL` names a
database that is filled and left; without it a SQLite file of this benchmark is used.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HTMX = {"HTTP_HX_REQUEST": "true"}


def prepare_environment() -> None:
    """Point the project to a data directory of this benchmark, before Django is loaded."""
    os.environ["ORCHESTRATOR_HOME"] = tempfile.mkdtemp(prefix="orchestrator-bench-")
    os.environ["LOG_LEVEL"] = "ERROR"
    os.environ.setdefault("SECRET_KEY", "a key for benchmarks, long enough to be taken as one")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator_site.settings")
    sys.path.insert(0, str(ROOT))


def make_run(tasks: int, lines: int, *, unfinished: bool) -> Any:
    """Make a run of five phases whose tasks have ended, the last phase perhaps not."""
    from django.utils import timezone

    from components.models import Component, Configuration, Job
    from orchestrations.models import Run, TaskAttempt, TaskRun
    from orchestrations.services.orchestrations import create_orchestration

    component = Component.objects.get(key="ex-http")
    configurations = Configuration.objects.bulk_create(
        Configuration(component=component, name=f"Extract of table number {n}")
        for n in range(tasks)
    )
    count = min(5, tasks)
    phases = [
        {
            "name": f"Phase {p + 1}",
            "tasks": [{"configuration": c.pk} for c in configurations[p::count]],
        }
        for p in range(count)
    ]
    orchestration = create_orchestration(name=f"{tasks} tasks", user=None, phases=phases)  # type: ignore[arg-type]  # defaults are filled in
    begin = timezone.now() - timedelta(hours=1)
    for _ in range(20):  # the history that a forecast reads
        make_rows(orchestration, configurations, begin, count, unfinished=False, with_jobs=False)
    run = make_rows(orchestration, configurations, begin, count, unfinished=unfinished)
    write_log(run, begin, lines)
    assert TaskAttempt.objects.filter(task_run__run=run).count() == tasks
    assert TaskRun.objects.filter(run=run).count() == tasks
    assert Job.objects.exists()
    return Run.objects.get(pk=run.pk)


def make_rows(
    orchestration: Any,
    configurations: list[Any],
    begin: Any,
    count: int,
    *,
    unfinished: bool,
    with_jobs: bool = True,
) -> Any:
    """Make the rows of one run as if it had happened."""
    from orchestrations.models import Run, TaskRun

    version = orchestration.versions.get()
    run = Run.objects.create(
        orchestration=orchestration,
        version=version,
        started_by="manual",
        status="processing" if unfinished else "success",
        is_planned=True,
        started_at=begin,
        ended_at=None if unfinished else begin + timedelta(minutes=50),
    )
    rows = []
    for number, phase in enumerate(version.definition["phases"]):
        for position, design in enumerate(phase["tasks"]):
            started = begin + timedelta(minutes=10 * number, seconds=position)
            running = unfinished and number == count - 1 and position % 3 == 0
            rows.append(
                TaskRun(
                    run=run,
                    key=design["key"],
                    phase=number,
                    phase_key=phase["key"],
                    phase_name=phase["name"],
                    position=position,
                    configuration_id=design["configuration"],
                    name=f"Extract of table number {position}",
                    component_key="ex-http",
                    design=design,
                    status="processing" if running else "success",
                    attempt=1,
                    started_at=started,
                    ended_at=None if running else started + timedelta(minutes=5),
                )
            )
    rows = TaskRun.objects.bulk_create(rows)
    if with_jobs:
        make_jobs(run, rows, configurations[0].component_id)
    return run


def make_jobs(run: Any, rows: list[Any], component: int) -> None:
    """Make the job and the events of each task of a run."""
    from components.enums import JobOrigin
    from components.models import Job
    from orchestrations.models import RunEvent, TaskAttempt

    jobs: Any = Job.objects.bulk_create(
        Job(
            component_id=component,
            configuration_id=row.configuration_id,
            configuration_name=row.name,
            configuration_version=1,
            origin=JobOrigin.ORCHESTRATION,
            status=row.status,
            started_at=row.started_at,
            ended_at=row.ended_at,
            parameters={"url": "https://example.com/a.csv"},
            result={"rows": 100},
        )
        for row in rows
    )
    for job, row in zip(jobs, rows, strict=True):
        job.created_at = row.started_at
    Job.objects.bulk_update(jobs, ["created_at"], batch_size=200)
    TaskAttempt.objects.bulk_create(
        TaskAttempt(task_run=row, number=1, job=job) for row, job in zip(rows, jobs, strict=True)
    )
    RunEvent.objects.bulk_create(
        RunEvent(run=run, task_run=row, new_status=status)
        for row in rows
        for status in ("waiting", "processing", row.status)
    )


def write_log(run: Any, begin: Any, lines: int) -> None:
    """Give each job of a run its lines, spread over its time."""
    from components.models import Job, JobLog

    jobs: Any = Job.objects.filter(attempt__task_run__run=run)
    for job in jobs:
        JobLog.objects.bulk_create(
            JobLog(
                job=job,
                seq=n + 1,
                at=job.started_at + timedelta(milliseconds=300 * n),
                level="error" if n == lines - 1 and job.pk % 10 == 0 else "info",
                message=f"Fetched page {n} of https://example.com/export, 100 rows so far",
            )
            for n in range(lines)
        )


def measure(client: Any, name: str, path: str, tasks: int, times: int, **headers: str) -> None:
    """Print how long the server takes for one address."""
    from django.db import connection

    asked = []

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(count):
        answer = client.get(path, **headers)
    assert answer.status_code in {200, 204}, (path, answer.status_code)
    walls, cpus = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = client.get(path, **headers)
        size = len(answer.content)
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
    row = {
        "view": name,
        "tasks": tasks,
        "median_ms": round(statistics.median(walls), 1),
        "cpu_ms": round(statistics.median(cpus), 1),
        "queries": len(asked),
        "bytes": size,
    }
    print(json.dumps(row), flush=True)


def measure_run(client: Any, run: Any, tasks: int, times: int) -> None:
    """Measure each tab of the page, a poll of it, and the log by its filters."""
    page, log = f"/runs/{run.pk}/", f"/runs/{run.pk}/log/"
    measure(client, "tasks", page, tasks, times)
    measure(client, "gantt", f"{page}?tab=gantt", tasks, times)
    measure(client, "log", f"{page}?tab=log", tasks, times)
    state = client.get(page).content.decode()
    seen = state.partition('"X-Mark": "')[2][:16]
    if seen:
        measure(client, "poll, nothing new", page, tasks, times, HTTP_X_MARK=seen, **HTMX)
    measure(client, "log, errors", f"{log}?level=error", tasks, times, **HTMX)
    measure(client, "log, words", f"{log}?q=page+77", tasks, times, **HTMX)
    measure(client, "log, words nowhere", f"{log}?q=nowhere", tasks, times, **HTMX)
    first = client.get(f"{page}?tab=log").content.decode()
    before = first.partition("&amp;before=")[2].partition('"')[0]
    if before:
        measure(client, "log, earlier", f"{log}?before={before}", tasks, times, **HTMX)
    task = run.task_runs.first()
    measure(client, "log, one task", f"{log}?task={task.pk}", tasks, times, **HTMX)


def main() -> None:
    """Make the runs and measure their pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=[5, 100, 500])
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--ended", action="store_true", help="measure runs that have ended")
    asked = parser.parse_args()
    prepare_environment()

    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    user, _ = User.objects.get_or_create(username="bench", is_superuser=True, is_staff=True)
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    for tasks in asked.tasks:
        run = make_run(tasks, asked.lines, unfinished=not asked.ended)
        measure_run(client, run, tasks, asked.times)


if __name__ == "__main__":
    main()
