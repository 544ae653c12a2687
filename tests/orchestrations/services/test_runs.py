from __future__ import annotations

from typing import Any

import pytest

from components.enums import JobStatus
from components.models import Configuration
from components.services import job_transitions
from orchestrations.enums import StartedBy
from orchestrations.exceptions import InvalidOrchestration, NotAllowed
from orchestrations.models import Orchestration, Run
from orchestrations.services.orchestrations import move_to_trash, save_orchestration
from orchestrations.services.runs import start_run, terminate_run
from tests.builders import make_component, make_configuration, make_orchestration, make_user
from tests.control import Control

pytestmark = pytest.mark.django_db
J = JobStatus


@pytest.fixture
def configurations() -> list[Configuration]:
    component = make_component()
    return [make_configuration(component, name=name) for name in "abc"]


def begin(control: Control, orchestration: Orchestration, **fields: Any) -> Run:
    with control.capture(execute=True):
        run = start_run(orchestration, **{"started_by": StartedBy.MANUAL, **fields})
    control.deliver()
    return run


def test_starting_rings_and_a_worker_begins(
    control: Control, configurations: list[Configuration]
) -> None:
    orchestration, user = make_orchestration([configurations[:1]]), make_user(name="ada")
    with control.capture(execute=True):
        run = start_run(
            orchestration, started_by=StartedBy.MANUAL, user=user, variables={"day": "today"}
        )
    assert list(control.rung) == [run.pk]
    stored = Run.objects.get()
    assert (stored.started_by, stored.created_by, stored.variables, stored.version.number) == (
        StartedBy.MANUAL,
        user,
        {"day": "today"},
        1,
    )
    event = run.events.get()
    assert (event.new_status, event.reason, event.actor) == ("created", "By hand.", "ada")
    control.deliver()
    assert control.states(run) == "processing: waiting"


def test_a_run_takes_the_latest_version(
    control: Control, configurations: list[Configuration]
) -> None:
    orchestration = make_orchestration([configurations])
    save_orchestration(orchestration, user=None, expected_version=1, phases=[])
    assert control.states(begin(control, orchestration)) == "success:"


def test_a_second_run_waits(control: Control, configurations: list[Configuration]) -> None:
    orchestration = make_orchestration([configurations[:1]])
    first, second = begin(control, orchestration), begin(control, orchestration)
    assert control.states(second) == "waiting:"
    assert second.reason == f"Waiting for run {first.pk} of this orchestration."


def test_a_disabled_orchestration_can_be_run_by_hand(
    control: Control, configurations: list[Configuration]
) -> None:
    orchestration = make_orchestration([configurations[:1]])
    Orchestration.objects.update(is_enabled=False)
    assert control.states(begin(control, orchestration)) == "processing: waiting"


def test_one_in_the_trash_cannot_be_run(configurations: list[Configuration]) -> None:
    orchestration = make_orchestration([configurations])
    stale = Orchestration.objects.get()
    move_to_trash(orchestration, user=None)
    with pytest.raises(NotAllowed):
        start_run(stale, started_by=StartedBy.MANUAL)
    assert Run.objects.count() == 0


def test_chosen_tasks(control: Control, configurations: list[Configuration]) -> None:
    orchestration = make_orchestration([configurations])
    run = begin(control, orchestration, selected=["t2", "t2"])
    assert control.states(run) == "processing: skipped waiting skipped"
    assert run.selected == ["t2"]
    with pytest.raises(InvalidOrchestration) as error:
        start_run(orchestration, started_by=StartedBy.API, selected=["t1", "nope"])
    assert error.value.fields == {"tasks": "This orchestration has no task “nope”."}


def failed_run(control: Control, orchestration: Orchestration) -> Run:
    """t1 succeeded, t2 failed, t3 was not executed."""
    run = begin(control, orchestration, variables={"x": "1"})
    control.end(run, "t1")
    control.end(run, "t2", J.ERROR, "Oh.")
    return run


def retry(control: Control, run: Run, **fields: Any) -> Run:
    return begin(control, run.orchestration, started_by=StartedBy.RETRY, retry_of=run, **fields)


def test_a_retry_runs_what_did_not_succeed(
    control: Control, configurations: list[Configuration]
) -> None:
    a, b, c = configurations
    run = failed_run(control, make_orchestration([[a], [b], [c]]))
    assert control.states(run) == "error: success error skipped"
    again = retry(control, run)
    assert (again.retry_of, again.selected, again.variables) == (run, ["t2", "t3"], {"x": "1"})
    assert control.task(again, "t1").reason == f"Kept from run {run.pk}."
    assert again.events.order_by("pk")[0].reason == f"Retry of run {run.pk}."
    control.end(again, "t2", J.ERROR)
    third = retry(control, again)
    assert control.task(third, "t1").reason == f"Kept from run {run.pk}."
    control.end(third, "t2")
    control.end(third, "t3")
    assert control.states(third) == "success: skipped success success"


def test_a_retry_takes_the_version_that_failed_with_configurations_as_they_are_now(
    control: Control, configurations: list[Configuration]
) -> None:
    a, b, c = configurations
    orchestration = make_orchestration([[a], [b], [c]])
    run = failed_run(control, orchestration)
    save_orchestration(orchestration, user=None, expected_version=1, phases=[])
    Configuration.objects.filter(pk=b.pk).update(version=2)
    again = retry(control, run)
    assert again.version == run.version
    assert control.job(again, "t2").configuration_version == 2


def test_a_retry_of_chosen_tasks(control: Control, configurations: list[Configuration]) -> None:
    a, b, c = configurations
    run = failed_run(control, make_orchestration([[a], [b], [c]]))
    again = retry(control, run, selected=["t3"])
    assert control.states(again) == "processing: skipped skipped waiting"
    assert control.task(again, "t2").reason == "Not selected."


def test_retries_that_make_no_sense_are_refused(
    control: Control, configurations: list[Configuration]
) -> None:
    a, b, _ = configurations
    orchestration = make_orchestration([[a, {"configuration": b.pk, "is_active": False}]])
    run = begin(control, orchestration)
    with pytest.raises(NotAllowed, match="has not ended yet"):
        retry(control, run)
    control.end(run, "t1")
    run.refresh_from_db()
    with pytest.raises(NotAllowed, match="succeeded"):
        retry(control, run)
    with pytest.raises(NotAllowed, match="not one of this orchestration"):
        start_run(make_orchestration(), started_by=StartedBy.RETRY, retry_of=run)
    assert Run.objects.count() == 1


def test_terminating_twice(control: Control, configurations: list[Configuration]) -> None:
    run = begin(control, make_orchestration([configurations[:1]]))
    claim = job_transitions.claim(control.job(run, "t1").pk, worker="test")
    assert claim is not None
    for _ in range(2):
        with control.capture(execute=True):
            terminate_run(Run.objects.get())
    assert control.states(run) == "terminating: terminating"
    assert run.events.filter(new_status="terminating", task_run=None).count() == 1


def test_terminating(control: Control, configurations: list[Configuration]) -> None:
    user = make_user(name="ada")
    run = begin(control, make_orchestration([configurations[:1]]))
    stale = Run.objects.get()
    with control.capture(execute=True):
        answer = terminate_run(run, user=user)
    assert (answer.terminated_by, answer.terminate_at is not None) == (user, True)
    control.deliver()
    assert control.states(run) == "terminated: cancelled"
    assert terminate_run(stale).terminated_by == user  # somebody else was quicker
    with pytest.raises(NotAllowed, match=f"Run {run.pk} has already ended."):
        terminate_run(run)


def test_a_run_that_ended_by_itself_cannot_be_terminated(
    control: Control, configurations: list[Configuration]
) -> None:
    run = begin(control, make_orchestration([configurations[:1]]))
    stale = Run.objects.get()
    control.end(run, "t1")
    for each in (stale, Run.objects.get()):
        with pytest.raises(NotAllowed, match=f"Run {run.pk} has already ended."):
            terminate_run(each)
    assert control.states(run) == "success: success"
