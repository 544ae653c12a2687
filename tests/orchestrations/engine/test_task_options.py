"""What people choose for a task, from the design to a real component and back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from components.models import Job
from components.services.catalogue import sync_components
from components.services.jobs import run_job
from orchestrations.engine import dispatch
from orchestrations.models import Run
from tests.builders import make_configuration, make_orchestration, make_run
from tests.control import Control

pytestmark = pytest.mark.django_db
Task = Callable[..., dict[str, Any]]


@pytest.fixture
def task(settings: Settings, tmp_path: Path) -> Task:
    """A task of the component for tests, which does what it is told to."""
    settings.HOME = tmp_path
    settings.COMPONENT_MODULES = ["tests.job_components"]
    sync_components()

    def make(do: str, *, options: dict[str, Any], **parameters: Any) -> dict[str, Any]:
        configuration = make_configuration("test-script", parameters={"do": do, **parameters})
        return {"configuration": configuration.pk, **options}

    return make


def work(control: Control) -> None:
    """Deliver every message that is there, and carry out the jobs."""
    control.deliver()
    while control.jobs:
        with control.capture(execute=True):
            run_job(control.jobs.pop(0))
        control.deliver()


def begin(control: Control, design: Any) -> Run:
    run = make_run(make_orchestration([[design]]))
    control.rung.append(run.pk)
    work(control)
    return run


def later(control: Control, run: Run, seconds: float) -> None:
    """Let so many seconds pass, and look at the run as recovery does then."""
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True):
        with control.capture(execute=True):
            dispatch.advance_run(run.pk)
        work(control)


def test_a_task_whose_time_is_over_fails_and_is_tried_again(
    control: Control, task: Task, tmp_path: Path
) -> None:
    waits = {"began": str(tmp_path / "began"), "until": str(tmp_path / "until")}
    options = {"timeout": 1, "retries": 1, "retry_delay": 30, "retry_match": "time limit"}
    run = begin(control, task("wait_for_file", options=options, **waits))
    assert control.states(run) == "processing: waiting"
    assert control.task(run, "t1").reason == (
        "Attempt 1 failed: The job ran longer than its time limit of 1 second. "
        "Attempt 2 follows 30 sec later."
    )
    later(control, run, 29)
    assert Job.objects.count() == 1
    (tmp_path / "until").touch()
    later(control, run, 31)
    assert control.states(run) == "success: success"
    assert list(Job.objects.order_by("pk").values_list("status", flat=True)) == [
        "error",
        "success",
    ]


def test_an_error_that_does_not_match_is_not_tried_again(control: Control, task: Task) -> None:
    options = {"retries": 3, "retry_match": "time limit"}
    run = begin(control, task("fail", options=options))
    assert control.states(run) == "error: error"
    assert Job.objects.count() == 1
    assert run.reason == "“{}” failed: No such place: .".format(control.task(run, "t1").name)


def test_each_pause_is_longer_by_the_back_off(control: Control, task: Task) -> None:
    options = {"retries": 2, "retry_delay": 10, "retry_backoff": 3.0}
    run = begin(control, task("fail", options=options))
    later(control, run, 11)
    assert control.task(run, "t1").reason.endswith("Attempt 3 follows 30 sec later.")
    later(control, run, 25)
    assert Job.objects.count() == 2
    later(control, run, 60)
    assert (Job.objects.count(), control.states(run)) == (3, "error: error")


def test_a_delay_comes_before_the_first_attempt(control: Control, task: Task) -> None:
    run = begin(control, task("succeed", options={"delay": 90}))
    assert control.states(run) == "processing: waiting"
    assert control.task(run, "t1").reason == "Starts 90 s after its phase."
    later(control, run, 89)
    assert Job.objects.count() == 0
    later(control, run, 91)
    assert control.states(run) == "success: success"
