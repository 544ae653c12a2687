"""A control worker in the test's own thread: the fixture `control`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from celery.signals import before_task_publish
from pytest_django import DjangoCaptureOnCommitCallbacks

from components.enums import JobStatus
from components.models import Job
from orchestrations.engine import dispatch
from orchestrations.models import Run, TaskRun
from tests.builders import finish_job

ADVANCE, RUN_JOB = "orchestrations.tasks.advance_run", "components.tasks.run_job"
FIRE = "orchestrations.tasks.fire_triggers"
RETIME = "orchestrations.tasks.retime_schedules"


class Control:
    """Does in the test's own thread what a control worker does; jobs end when the test says so."""

    def __init__(self, capture: DjangoCaptureOnCommitCallbacks) -> None:
        self.capture = capture
        self.rung: deque[int] = deque()  # runs to be advanced now
        self.later: list[int] = []  # runs to be advanced after a delay
        self.jobs: list[int] = []  # jobs that were queued, in order
        self.triggers: list[int] = []  # triggers to be looked at, in order
        self.retimed: list[int] = []  # orchestrations whose schedules are to be retimed, in order

    def hear(self, sender: str, body: Any, headers: dict[str, Any], **_: Any) -> None:
        if sender == RUN_JOB:
            self.jobs.append(body[0][0])
        elif sender == FIRE:
            self.triggers += body[0][0]
        elif sender == RETIME:
            self.retimed.append(body[0][0])
        elif sender == ADVANCE:
            (self.later if headers.get("eta") else self.rung).append(body[0][0])

    def advance(self, run: Run) -> None:
        """Advance one run, and whatever that rings."""
        self.rung.append(run.pk)
        self.deliver()

    def deliver(self) -> None:
        while self.rung:
            with self.capture(execute=True):
                dispatch.advance_run(self.rung.popleft())

    def end(
        self, run: Run, key: str, status: JobStatus = JobStatus.SUCCESS, error: str = ""
    ) -> None:
        """End the present job of a task, and deliver whatever that rings."""
        with self.capture(execute=True):
            finish_job(self.job(run, key), status, error=error)
        self.deliver()

    def job(self, run: Run, key: str) -> Job:
        return Job.objects.filter(attempt__task_run__run=run, attempt__task_run__key=key).latest(
            "pk"
        )

    def task(self, run: Run, key: str) -> TaskRun:
        return run.task_runs.get(key=key)

    def states(self, run: Run) -> str:
        """The run's status, and those of its tasks in order: "processing: success waiting"."""
        run.refresh_from_db()
        tasks = run.task_runs.values_list("status", flat=True)
        return f"{run.status}: {' '.join(tasks)}".rstrip()


@pytest.fixture
def control(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> Iterator[Control]:
    control = Control(django_capture_on_commit_callbacks)
    before_task_publish.connect(control.hear, weak=False)
    yield control
    before_task_publish.disconnect(control.hear)
