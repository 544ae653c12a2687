from __future__ import annotations

from typing import Any

import pytest

from components.enums import JobStatus
from components.models import Configuration, Job
from components.services import job_transitions
from orchestrations.engine.stopping import terminate_task
from orchestrations.exceptions import NotAllowed
from orchestrations.models import Orchestration, Run
from orchestrations.services.runs import terminate_task as terminate_task_service
from tests.builders import make_configuration, make_orchestration, make_run, make_user
from tests.control import Control

pytestmark = pytest.mark.django_db
J = JobStatus


@pytest.fixture
def targets() -> list[Configuration]:
    return [make_configuration(name=name) for name in "abc"]


def begin(control: Control, orchestration: Orchestration) -> Run:
    run = make_run(orchestration)
    control.advance(run)
    return run


def stop(control: Control, run: Run, key: str, **fields: Any) -> bool:
    with control.capture(execute=True):
        asked = terminate_task(control.task(run, key).pk, **fields)
    control.deliver()
    return asked


def test_a_processing_job_is_asked_to_stop_and_the_others_go_on(
    control: Control, targets: list[Configuration]
) -> None:
    a, b, c = targets
    ada = make_user(name="ada")
    run = begin(control, make_orchestration([[a, b], [c]]))
    assert job_transitions.claim(control.job(run, "t1").pk, worker="test") is not None
    assert stop(control, run, "t1", user=ada)
    job = control.job(run, "t1")
    assert (job.status, job.terminated_by) == (J.TERMINATING, ada)
    assert control.states(run) == "processing: terminating waiting created"
    assert control.task(run, "t1").events.latest("pk").actor == "ada"
    control.end(run, "t1", J.TERMINATED)
    control.end(run, "t2")
    assert control.states(run) == "terminated: terminated success skipped"


def test_a_queued_job_is_cancelled_at_once(control: Control, targets: list[Configuration]) -> None:
    a, b, _ = targets
    shaky: Any = {"configuration": a.pk, "continue_on_failure": True}
    run = begin(control, make_orchestration([[shaky], [b]]))
    assert stop(control, run, "t1")
    assert Job.objects.get(attempt__task_run__key="t1").status == J.CANCELLED
    assert control.states(run) == "processing: cancelled waiting"


def test_the_pause_before_a_retry_ends_the_task(
    control: Control, targets: list[Configuration]
) -> None:
    retried: Any = {"configuration": targets[0].pk, "retries": 3, "retry_delay": 3600}
    run = begin(control, make_orchestration([[retried]]))
    control.end(run, "t1", J.ERROR, "Oh.")
    assert control.states(run) == "processing: waiting"
    assert stop(control, run, "t1")
    assert control.states(run) == "terminated: terminated"
    assert Job.objects.count() == 1


def test_a_delay_is_cancelled(control: Control, targets: list[Configuration]) -> None:
    delayed: Any = {"configuration": targets[0].pk, "delay": 3600}
    run = begin(control, make_orchestration([[delayed]]))
    assert stop(control, run, "t1")
    assert control.states(run) == "terminated: cancelled"
    assert not Job.objects.exists()


def test_a_task_that_was_asked_to_stop_is_not_tried_again(
    control: Control, targets: list[Configuration]
) -> None:
    retried: Any = {"configuration": targets[0].pk, "retries": 3, "retry_delay": 0}
    run = begin(control, make_orchestration([[retried]]))
    assert job_transitions.claim(control.job(run, "t1").pk, worker="test") is not None
    assert stop(control, run, "t1")
    assert stop(control, run, "t1")
    control.end(run, "t1", J.ERROR, "It failed while it was stopped.")
    assert control.states(run) == "terminated: terminated"
    assert Job.objects.count() == 1


def test_a_child_run_is_terminated(control: Control, targets: list[Configuration]) -> None:
    a, b, _ = targets
    inner = make_orchestration([[a]])
    run = begin(control, make_orchestration([[inner, b]]))
    child = control.task(run, "t1").child
    assert child is not None
    assert stop(control, run, "t1", user=make_user(name="ada"))
    assert control.states(child) == "terminated: cancelled"
    assert control.states(run) == "processing: terminated waiting"
    control.end(run, "t2")
    assert control.states(run) == "terminated: terminated success"


def test_what_does_not_run_is_left_alone(control: Control, targets: list[Configuration]) -> None:
    a, b, _ = targets
    run = begin(control, make_orchestration([[a], [b]]))
    assert not stop(control, run, "t2")
    with pytest.raises(NotAllowed, match="“b” has not begun"):
        terminate_task_service(control.task(run, "t2"))
    control.end(run, "t1")
    with pytest.raises(NotAllowed, match="“a” has already ended"):
        terminate_task_service(control.task(run, "t1"))
    assert control.states(run) == "processing: success waiting"
