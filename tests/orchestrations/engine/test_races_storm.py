"""500 runs at once: eight workers advance them, hear every message twice, and are killed at random.

Each of eight threads has a worker in a process of its own, hands it one message after the other,
and now and then kills it in the midst of one: that message is lost, and so is what it was doing.

What holds throughout is read from the event rows afterwards: they have the moment of every change.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from queue import Empty, Queue
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from components.enums import ACTIVE_JOB, FINISHED_JOB
from components.models import Configuration, Job, JobEvent
from components.services import recovery as job_recovery
from orchestrations.engine import recovery as run_recovery
from orchestrations.enums import ACTIVE_RUN, FINISHED_RUN, FINISHED_TASK, StartedBy
from orchestrations.models import Orchestration, Run, RunEvent, TaskAttempt, TaskRun
from orchestrations.services.runs import start_run
from tests.builders import make_component, make_configuration, make_orchestration
from tests.orchestrations.engine.storm_worker import FAILS, SIZE

pytestmark = [
    pytest.mark.postgres_database,
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True),
]
HANDS = 8
ORCHESTRATIONS, RUNS_EACH = 50, 10
KILL = 0.01  # the part of the messages in whose midst the worker is killed
LIMIT = 6  # jobs at once, fewer than hands, so that some wait for a place
SWEEP = 3.0  # seconds between two looks for what was lost
DEADLINE = 600  # seconds; a machine that is busy with other things needs most of them
SHORT = timedelta(seconds=2)


class Mortal:
    """A worker in a process of its own, which comes back when it was killed."""

    def __init__(self, storm: Storm, number: int) -> None:
        self.storm, self.dice = storm, random.Random(number)
        self.sent = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.orchestrations.engine.storm_worker"],
            env={name: value for name, value in os.environ.items() if name != "ORCHESTRATOR_HOME"}
            | {"DATABASE_URL": database_url()}
            | {"JOB_LIMIT": str(LIMIT), "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = 0
        self.listen(until="pid")

    def do(self, task: str, pk: int) -> None:
        """Hand one message over; now and then kill the worker while it is at it."""
        assert self.process.stdin is not None
        self.sent += 1
        self.process.stdin.write(f"{self.sent} {task} {pk}".ljust(SIZE))
        self.process.stdin.flush()
        if self.dice.random() < KILL:
            time.sleep(self.dice.random() / 50)
            self.storm.dead.append(self.pid)
            os.kill(self.pid, signal.SIGKILL)
            self.listen(until="pid")
        else:
            self.listen(until=f"done {self.sent}")

    def listen(self, until: str) -> None:
        """Take what the worker says up to a line that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, *rest = line.split()
            if word == "bell":
                self.storm.ring(rest[0], int(rest[1]))
            elif word == "pid":
                self.pid = int(rest[0])
            if line.startswith(until):
                return
        raise AssertionError("the worker's program has ended")

    def stop(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Storm:
    """Messages, each delivered twice, and the hands that take them until all runs have ended."""

    def __init__(self) -> None:
        self.messages: Queue[tuple[str, int]] = Queue()
        self.dead: list[int] = []
        self.errors: list[str] = []
        self.over = threading.Event()

    def ring(self, task: str, pk: int) -> None:
        for _ in range(2):
            self.messages.put((task, pk))

    def hear(self, sender: str, body: Any, **_: Any) -> None:
        self.ring(sender.rsplit(".", 1)[1], body[0][0])

    def work(self, number: int) -> None:
        mortal = Mortal(self, number)
        try:
            while not self.over.is_set():
                with suppress(Empty):
                    mortal.do(*self.messages.get(timeout=0.2))
        except Exception as error:  # noqa: BLE001  # shown by the test
            self.errors.append(repr(error))
        finally:
            mortal.stop()

    def recover(self) -> None:
        """Do what beat asks for, and more quickly: leases of the dead are over at once."""
        while not self.over.wait(SWEEP):
            names = [f"storm:{pid}" for pid in self.dead]
            Job.objects.filter(status__in=ACTIVE_JOB, worker__in=names).update(
                lease_until=timezone.now() - SHORT
            )
            job_recovery.recover_jobs()
            run_recovery.recover_runs()
        connection.close()

    def carry_out(self) -> None:
        hands = [threading.Thread(target=self.work, args=(n,)) for n in range(HANDS)]
        hands.append(threading.Thread(target=self.recover))
        for hand in hands:
            hand.start()
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until and not self.errors:
            time.sleep(1)
            if not Run.objects.exclude(status__in=FINISHED_RUN).exists():
                break
        self.over.set()
        for hand in hands:
            hand.join(30)
        assert self.errors == []


def database_url() -> str:
    it = connection.settings_dict
    who = f"{it['USER']}:{it['PASSWORD']}" if it["PASSWORD"] else it["USER"]
    return f"postgresql://{who}@{it['HOST']}:{it['PORT']}/{it['NAME']}"


@pytest.fixture
def storm(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Storm]:
    settings.JOB_LIMIT = LIMIT
    monkeypatch.setattr(run_recovery, "PATIENCE", SHORT)
    monkeypatch.setattr(job_recovery, "UNHEARD", SHORT)
    storm = Storm()
    before_task_publish.connect(storm.hear, weak=False)
    yield storm
    before_task_publish.disconnect(storm.hear)


def make_orchestrations() -> list[Orchestration]:
    """Orchestrations of five shapes; some share a configuration, some a nested orchestration."""
    component = make_component(max_parallel=5)
    shared = make_configuration(component)
    inner = make_orchestration([[make_configuration(component)]])

    def fresh(name: str = "works") -> Configuration:
        return make_configuration(component, name=name)

    def shape(number: int) -> list[list[Any]]:
        retried = {"retries": 2, "retry_delay": 0}
        shapes: list[list[list[Any]]] = [
            [[fresh()], [fresh(), fresh()]],
            [[shared], [fresh()]],
            [[{"configuration": fresh(FAILS).pk, **retried}], [fresh()]],
            [[{"configuration": fresh().pk, **retried}, fresh()]],
            [[inner, {"configuration": fresh(FAILS).pk, "continue_on_failure": True}], [fresh()]],
        ]
        return shapes[number % 5]

    return [make_orchestration(shape(number)) for number in range(ORCHESTRATIONS)]


def test_500_runs_in_a_storm(storm: Storm) -> None:
    orchestrations = make_orchestrations()
    for _ in range(RUNS_EACH):
        for orchestration in orchestrations:
            start_run(orchestration, started_by=StartedBy.API)
    storm.carry_out()
    assert Run.objects.exclude(started_by=StartedBy.NESTED).count() == 500
    nothing_is_left()
    assert len(storm.dead) > 20
    each_attempt_has_one_job()
    one_at_a_time(
        JobEvent.objects.values_list("job__configuration", "job", "at", "new_status"), ACTIVE_JOB
    )
    one_at_a_time(
        RunEvent.objects.filter(task_run=None).values_list(
            "run__orchestration", "run", "at", "new_status"
        ),
        ACTIVE_RUN,
    )
    runs_began_in_order()


def nothing_is_left() -> None:
    assert Counter(Run.objects.exclude(status__in=FINISHED_RUN).values_list("status")) == {}
    assert Counter(Job.objects.exclude(status__in=FINISHED_JOB).values_list("status")) == {}
    assert Counter(TaskRun.objects.exclude(status__in=FINISHED_TASK).values_list("status")) == {}


def each_attempt_has_one_job() -> None:
    """No job belongs to no attempt, and the attempts of each task are 1, 2, 3 up to its last."""
    assert not Job.objects.filter(attempt=None).exists()
    attempts: dict[int, list[int]] = {}
    for task, number in TaskAttempt.objects.order_by("number").values_list("task_run", "number"):
        attempts.setdefault(task, []).append(number)
    for pk, last, child, status in TaskRun.objects.values_list("pk", "attempt", "child", "status"):
        wanted = [] if child or status == "skipped" else list(range(1, last + 1))
        assert attempts.get(pk, []) == wanted, (pk, status)
        assert (status == "skipped") == (last == 0)
    # each status of a task once for each attempt: nothing that happened was done twice
    ends = RunEvent.objects.filter(task_run__isnull=False, new_status__in=FINISHED_TASK)
    assert set(Counter(ends.values_list("task_run", flat=True)).values()) == {1}


def one_at_a_time(rows: Any, active: tuple[Any, ...]) -> None:
    """Of each group, one begins only after the one before it has ended."""
    changes: dict[int, list[tuple[datetime, int, str]]] = {}
    for group, member, at, status in rows:
        changes.setdefault(group, []).append((at, member, status))
    for group, found in changes.items():
        busy: set[int] = set()
        for _, member, status in sorted(found):
            if status in active:
                busy.add(member)
            else:
                busy.discard(member)
            assert len(busy) <= 1, group


def runs_began_in_order() -> None:
    began = Run.objects.exclude(started_at=None).order_by("orchestration", "started_at")
    for _, runs in itertools.groupby(began, key=lambda run: run.orchestration_id):
        ids = [run.pk for run in runs]
        assert ids == sorted(ids)
