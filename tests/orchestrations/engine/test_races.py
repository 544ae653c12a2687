"""Eight workers, every message delivered twice, on real row locks."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from queue import Empty, Queue
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.db import connection
from django.db.models import Count

from components.enums import FINISHED_JOB, JobStatus
from components.models import Configuration, Job
from components.services import job_transitions
from orchestrations.engine import dispatch
from orchestrations.enums import FINISHED_RUN, RunStatus, StartedBy, TaskStatus
from orchestrations.models import Run, RunEvent, TaskRun
from orchestrations.services.runs import start_run
from tests.builders import make_component, make_configuration, make_orchestration

pytestmark = [pytest.mark.postgres_database, pytest.mark.django_db(transaction=True)]
WORKERS = 8
DEADLINE = 60  # seconds
FAILS = "fails"


class Workers:
    """Threads that take doubled messages until there are none and nobody works on one."""

    def __init__(self) -> None:
        self.messages: Queue[tuple[str, int]] = Queue()
        self.errors: list[str] = []
        self.most_active = 0

    def hear(self, sender: str, body: Any, **_: Any) -> None:
        for _twice in range(2):
            self.messages.put((sender.rsplit(".", 1)[1], body[0][0]))

    def work(self, seed: int) -> None:
        dice = random.Random(seed)
        try:
            while True:
                task, pk = self.messages.get(timeout=1)
                try:
                    time.sleep(dice.random() / 500)  # let the threads meet in other orders
                    getattr(self, task)(pk, dice)
                finally:
                    self.messages.task_done()
        except Empty:
            return
        finally:
            connection.close()

    def advance_run(self, pk: int, _: random.Random) -> None:
        try:
            dispatch.advance_run(pk)
        except Exception as error:  # noqa: BLE001  # shown by the test
            self.errors.append(repr(error))

    def run_job(self, pk: int, dice: random.Random) -> None:
        claim = job_transitions.claim(pk, worker="race")
        if claim is None:
            return
        time.sleep(dice.random() / 200)
        failing = claim.job.configuration_name == FAILS
        job_transitions.end(
            claim, JobStatus.ERROR if failing else JobStatus.SUCCESS, fields={"error": "Oh."}
        )

    def carry_out(self) -> None:
        threads = [threading.Thread(target=self.work, args=(seed,)) for seed in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert [t for t in threads if t.is_alive()] == []
        assert self.errors == []


@pytest.fixture
def workers(caplog: pytest.LogCaptureFixture) -> Iterator[Workers]:
    workers = Workers()
    before_task_publish.connect(workers.hear, weak=False)
    yield workers
    before_task_publish.disconnect(workers.hear)
    # what fails after a commit is only logged, for recovery to do again: here nothing may
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def configurations(count: int, name: str = "works") -> list[Configuration]:
    component = make_component()
    return [make_configuration(component, name=name) for _ in range(count)]


def start(orchestration: Any, times: int = 1) -> list[Run]:
    return [start_run(orchestration, started_by=StartedBy.MANUAL) for _ in range(times)]


def test_each_task_gets_one_job_and_all_runs_end(workers: Workers) -> None:
    runs: list[Run] = []
    for _ in range(20):
        a, b, c, d, e, f = configurations(6)
        runs += start(make_orchestration([[a], [b, c, d], [e, f]]))
    workers.carry_out()
    assert Counter(Run.objects.values_list("status", flat=True)) == {RunStatus.SUCCESS: 20}
    assert Counter(TaskRun.objects.values_list("status", flat=True)) == {TaskStatus.SUCCESS: 120}
    assert set(TaskRun.objects.annotate(n=Count("attempts")).values_list("n", flat=True)) == {1}
    assert Job.objects.count() == 120
    # every status of a task and a run once: no event is doubled
    assert RunEvent.objects.filter(task_run=None).count() == 20 * 3
    assert RunEvent.objects.exclude(task_run=None).count() == 120 * 3


def test_runs_of_one_orchestration_go_one_by_one(workers: Workers) -> None:
    a, b = configurations(2)
    runs = start(make_orchestration([[a], [b]]), 15)
    workers.carry_out()
    spans = list(Run.objects.order_by("pk").values_list("started_at", "ended_at", "status"))
    assert [status for *_, status in spans] == [RunStatus.SUCCESS] * len(runs)
    for (_, ended, _), (began, _, _) in itertools.pairwise(spans):
        assert ended is not None
        assert began is not None
        assert ended <= began
    assert Job.objects.count() == 30


def test_a_configuration_shared_by_many_runs_loses_no_bell(workers: Workers) -> None:
    [shared] = configurations(1)
    for _ in range(12):
        a, b = configurations(2)
        start(make_orchestration([[shared, a], [shared, b]]))
    workers.carry_out()
    assert Counter(Run.objects.values_list("status", flat=True)) == {RunStatus.SUCCESS: 12}
    assert Job.objects.filter(configuration=shared).count() == 24


def test_nesting_retries_and_failures(workers: Workers) -> None:
    for _ in range(8):
        [a, b, c] = configurations(3)
        [bad, worse] = configurations(2, FAILS)
        inner = make_orchestration([[a, b]])
        retried: Any = {"configuration": bad.pk, "retries": 2, "retry_delay": 0}
        passed: Any = {"configuration": worse.pk, "continue_on_failure": True}
        start(make_orchestration([[inner, passed], [retried], [c]]))
    workers.carry_out()
    outer = Run.objects.exclude(started_by=StartedBy.NESTED)
    assert Counter(outer.values_list("status", flat=True)) == {RunStatus.ERROR: 8}
    nested = Run.objects.filter(started_by=StartedBy.NESTED)
    assert Counter(nested.values_list("status", flat=True)) == {RunStatus.SUCCESS: 8}
    attempts = Count("attempts")
    assert Counter(TaskRun.objects.annotate(n=attempts).values_list("key", "status", "n")) == {
        ("t1", "success", 0): 8,
        ("t1", "success", 1): 8,
        ("t2", "success", 1): 8,
        ("t2", "error", 1): 8,
        ("t3", "error", 3): 8,
        ("t4", "skipped", 0): 8,
    }


def test_termination_in_the_midst_of_it(workers: Workers) -> None:
    runs: list[Run] = []
    for _ in range(20):
        a, b, c, d = configurations(4)
        runs += start(make_orchestration([[a, make_orchestration([[b]])], [c], [d]]))
    stopper = threading.Thread(target=stop_each, args=([run.pk for run in runs],))
    stopper.start()
    workers.carry_out()
    stopper.join(DEADLINE)
    unfinished = Run.objects.exclude(status__in=FINISHED_RUN)
    if unfinished.exists():  # stopped after the workers had nothing left to do
        workers.carry_out()
    assert list(Run.objects.exclude(status__in=FINISHED_RUN)) == []
    assert list(Job.objects.exclude(status__in=FINISHED_JOB)) == []
    ended = Counter(Run.objects.values_list("status", flat=True))
    assert ended[RunStatus.ERROR] == ended[RunStatus.WARNING] == 0


def stop_each(ids: list[int]) -> None:
    dice = random.Random(7)
    for pk in ids:
        time.sleep(dice.random() / 50)
        dispatch.terminate_run(pk)
    connection.close()


@pytest.mark.usefixtures("workers")
def test_an_end_and_a_termination_at_once_do_not_deadlock() -> None:
    """The end of a job holds its row and wants its task's; a termination does the opposite."""
    for _ in range(15):
        a, b = configurations(2)
        [run] = start(make_orchestration([[a, b]]))
        dispatch.advance_run(run.pk)
        claims = [
            claim
            for job in Job.objects.filter(attempt__task_run__run=run)
            if (claim := job_transitions.claim(job.pk, worker="race"))
        ]
        enders = [threading.Thread(target=end, args=(claim,)) for claim in claims]
        enders.append(threading.Thread(target=stop_each, args=([run.pk],)))
        for thread in enders:
            thread.start()
        for thread in enders:
            thread.join(DEADLINE)
    assert list(Run.objects.exclude(status__in=FINISHED_RUN)) == []
    assert list(Job.objects.exclude(status__in=FINISHED_JOB)) == []


def end(claim: job_transitions.Claim) -> None:
    job_transitions.end(claim, JobStatus.SUCCESS, fields={})
    connection.close()
