"""Who waits for whom, with jobs asked for in every way, and who is woken by an end."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from components.enums import ACTIVE_JOB, JobOrigin, JobStatus
from components.models import Component, Configuration, Job
from components.services import job_transitions as transitions
from components.services.job_transitions import Claim
from components.services.jobs import create_job
from components.services.recovery import recover_jobs
from tests.builders import make_component, make_configuration

pytestmark = pytest.mark.django_db
S = JobStatus


class Worker:
    """Takes bells in the order they were rung; jobs run until the test ends them."""

    def __init__(self, capture: DjangoCaptureOnCommitCallbacks) -> None:
        self.capture = capture
        self.bells: deque[int] = deque()
        self.running: list[Claim] = []
        self.begun: list[int] = []

    def hear(self, body: Any, **_: Any) -> None:
        self.bells.append(body[0][0])

    def ask(self, configuration: Configuration, **options: Any) -> Job:
        with self.capture(execute=True):
            return create_job(configuration, **options)

    def work(self) -> None:
        while self.bells:
            with self.capture(execute=True):
                claim = transitions.claim(self.bells.popleft(), worker="test")
            if claim:
                self.running.append(claim)
                self.begun.append(claim.job.pk)

    def end(self, number: int = 0) -> None:
        with self.capture(execute=True):
            transitions.end(self.running.pop(number), S.SUCCESS, fields={})
        self.work()


@pytest.fixture
def worker(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Iterator[Worker]:
    worker = Worker(django_capture_on_commit_callbacks)
    before_task_publish.connect(worker.hear, weak=False)
    yield worker
    before_task_publish.disconnect(worker.hear)


def test_one_configuration_is_first_in_first_out_whoever_asked(worker: Worker) -> None:
    configuration = make_configuration()
    origins = [JobOrigin.API, JobOrigin.MANUAL, JobOrigin.ORCHESTRATION] * 3
    jobs = [worker.ask(configuration, origin=origin) for origin in origins]
    dice = random.Random(1)
    dice.shuffle(worker.bells)  # bells are heard in any order
    for count in range(1, len(jobs) + 1):
        worker.work()
        assert worker.begun == [job.pk for job in jobs[:count]]
        assert Job.objects.filter(status__in=ACTIVE_JOB).count() == 1
        worker.end()
    assert worker.begun == [job.pk for job in jobs]
    assert set(Job.objects.values_list("status", flat=True)) == {S.SUCCESS}


def test_a_long_line_of_one_configuration_blocks_no_other(
    worker: Worker, settings: Settings
) -> None:
    settings.JOB_LIMIT = 2
    busy, other = make_configuration(), make_configuration()
    for _ in range(60):
        worker.ask(busy)
    last = worker.ask(other)
    worker.work()
    assert worker.begun == [Job.objects.order_by("pk").values_list("pk", flat=True)[0], last.pk]


def test_a_long_line_of_a_component_at_its_limit_blocks_no_other(
    worker: Worker, settings: Settings
) -> None:
    """Each of them is woken for the free place in vain: the bell goes on to who can take it."""
    settings.JOB_LIMIT = 2
    slow = make_component(max_parallel=1)
    first, second = worker.ask(make_configuration(slow)), worker.ask(make_configuration())
    line = [worker.ask(make_configuration(slow)) for _ in range(5)]
    free = worker.ask(make_configuration())
    worker.work()
    assert worker.begun == [first.pk, second.pk]
    assert Job.objects.filter(waiting_for__startswith="Waiting for a free place").count() == 6
    worker.end(1)
    assert worker.begun == [first.pk, second.pk, free.pk]
    worker.end(0)
    assert worker.begun[3:] == [line[0].pk]


def test_the_sweeper_leaves_out_who_waits_for_a_component_at_its_limit(
    worker: Worker, settings: Settings
) -> None:
    settings.JOB_LIMIT = 3
    slow = make_component(max_parallel=1)
    worker.ask(make_configuration(slow))
    worker.work()
    for _ in range(5):
        worker.ask(make_configuration(slow))
    lost = worker.ask(make_configuration())
    worker.bells.clear()
    Job.objects.update(rung_at=timezone.now() - timedelta(minutes=1))
    with worker.capture(execute=True):
        recover_jobs()
    assert list(worker.bells) == [lost.pk]


@pytest.mark.parametrize(
    ("limit", "begin"), [(1, 0), (2, 1), (3, 2), (None, 4)], ids=["same", "one", "two", "none"]
)
def test_a_higher_limit_of_a_component_lets_its_jobs_begin_at_once(
    worker: Worker, limit: int | None, begin: int
) -> None:
    component = make_component(max_parallel=1)
    jobs = [worker.ask(make_configuration(component)) for _ in range(5)]
    worker.work()
    assert worker.begun == [jobs[0].pk]
    component.max_parallel = limit
    component.save()
    with worker.capture(execute=True):
        transitions.ring_component(component)
    worker.work()
    assert worker.begun == [job.pk for job in jobs[: 1 + begin]]


def test_a_lower_limit_of_a_component_counts_at_once(worker: Worker) -> None:
    component = make_component(max_parallel=3)
    for _ in range(4):
        worker.ask(make_configuration(component))
    worker.work()
    Component.objects.filter(pk=component.pk).update(max_parallel=1)
    worker.end()
    worker.end()
    assert len(worker.running) == 1
    worker.end()
    assert len(worker.begun) == 4


def test_a_waiting_job_of_a_later_time_wakes_nobody_and_is_not_woken(worker: Worker) -> None:
    configuration = make_configuration()
    worker.ask(configuration, not_before=timezone.now() + timedelta(hours=1))
    second = worker.ask(configuration)
    worker.work()
    assert worker.begun == [second.pk]
    worker.end()
    assert (worker.begun, list(worker.bells)) == ([second.pk], [])


def steps(sql: str, values: dict[str, Any]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        return [row[3] for row in cursor.fetchall()]


@pytest.mark.skipif("sqlite" not in connection.vendor, reason="reads SQLite's plans")
def test_neither_a_long_line_nor_a_long_history_is_read() -> None:
    """Every table that is looked into is sought in by an index of unfinished jobs or statuses."""
    from components.services import job_lines  # noqa: PLC0415  # its statements only

    values = {"now": "2026-01-01", "job": 1, "configuration": 1, "component": 1}
    for statement in (job_lines.OBSTACLES, job_lines.NEXT, job_lines.NEXT_FOR_PROJECT):
        used = [step for step in steps(statement, values) if step.startswith(("SEARCH", "SCAN"))]
        good = ("PRIMARY KEY", "job_unfinished", "one_active_job", "job_status", "CONSTANT ROW")
        assert [step for step in used if not any(name in step for name in good)] == []


@pytest.mark.parametrize("count", [3, 30])
def test_an_end_costs_the_same_for_any_number_that_wait(worker: Worker, count: int) -> None:
    configuration = make_configuration()
    for _ in range(count):
        worker.ask(configuration)
    worker.work()
    with CaptureQueriesContext(connection) as queries, worker.capture(execute=False):
        transitions.end(worker.running[0], S.SUCCESS, fields={})
    assert len(queries) == 5
