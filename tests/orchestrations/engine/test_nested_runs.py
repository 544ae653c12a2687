"""Orchestrations inside orchestrations, as runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from components.enums import JobStatus
from components.models import Configuration
from components.services.catalogue import sync_components
from components.services.jobs import run_job
from orchestrations.engine import dispatch
from orchestrations.enums import StartedBy
from orchestrations.models import Run
from orchestrations.services.orchestrations import move_to_trash
from tests.builders import (
    make_component,
    make_configuration,
    make_orchestration,
    make_run,
    make_user,
)
from tests.control import Control

pytestmark = pytest.mark.django_db
J = JobStatus
WARNED = {True: "warning: warning success", False: "error: warning skipped"}


def make(count: int) -> list[Configuration]:
    component = make_component()
    return [make_configuration(component, name="abcdefgh"[n]) for n in range(count)]


def task(configuration: Configuration, **fields: Any) -> Any:
    return {"configuration": configuration.pk, **fields}


def child_of(run: Run, key: str = "t1") -> Run:
    child = run.task_runs.get(key=key).child
    assert child is not None
    return child


def test_a_nested_orchestration_is_a_run_of_its_own(control: Control) -> None:
    a, b, c = make(3)
    inner = make_orchestration([[a], [b]], name="inner")
    user = make_user()
    run = make_run(make_orchestration([[inner], [c]]), created_by=user, variables={"x": "1"})
    control.advance(run)
    child = child_of(run)
    assert (child.started_by, child.created_by, child.variables) == (
        StartedBy.NESTED,
        user,
        {"x": "1"},
    )
    assert control.states(run) == "processing: processing created"
    assert control.states(child) == "processing: waiting created"
    assert control.task(run, "t1").name == "inner"
    control.end(child, "t1")
    control.end(child, "t2")
    assert control.states(child) == "success: success success"
    assert control.states(run) == "processing: success waiting"
    control.end(run, "t2")
    assert control.states(run) == "success: success success"


def test_a_child_that_fails_fails_its_task(control: Control) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[make_orchestration([[a]])], [b]]))
    control.advance(run)
    control.end(child_of(run), "t1", J.ERROR, "Bad.")
    assert control.states(run) == "error: error skipped"


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_child_that_ends_with_a_warning_is_no_success(control: Control, *, goes_on: bool) -> None:
    a, b = make(2)
    inner = make_orchestration([[task(a, continue_on_failure=True)]], name="inner")
    above: Any = {"orchestration": inner.pk, "continue_on_failure": goes_on}
    run = make_run(make_orchestration([[above], [b]]))
    control.advance(run)
    control.end(child_of(run), "t1", J.ERROR, "Bad.")
    if goes_on:
        control.end(run, "t2")
    assert control.states(child_of(run)) == "warning: error"
    assert control.states(run) == WARNED[goes_on]
    assert run.reason == (
        f"“inner” ended with a warning: “{a.name}” failed, and the run went on: Bad."
    )


def test_a_child_waits_for_another_run_of_its_orchestration(control: Control) -> None:
    [a] = make(1)
    inner = make_orchestration([[a]])
    other = make_run(inner)
    control.advance(other)
    run = make_run(make_orchestration([[inner]]))
    control.advance(run)
    assert control.states(run) == "processing: waiting"
    assert control.states(child_of(run)) == "waiting:"
    control.end(other, "t1")
    assert control.states(run) == "processing: processing"


def test_a_nested_orchestration_is_tried_again(control: Control) -> None:
    [a] = make(1)
    inner = make_orchestration([[a]])
    design: Any = {"orchestration": inner.pk, "retries": 1, "retry_delay": 0}
    run = make_run(make_orchestration([[design]]))
    control.advance(run)
    first = child_of(run)
    control.end(first, "t1", J.ERROR, "Oh.")
    control.advance(run)
    second = child_of(run)
    assert first.pk < second.pk
    control.end(second, "t1")
    assert control.states(run) == "success: success"


def test_a_nested_orchestration_in_the_trash_fails_its_task(control: Control) -> None:
    [a] = make(1)
    inner = make_orchestration([[a]], name="inner")
    run = make_run(make_orchestration([[inner]]))
    move_to_trash(inner, user=None)
    control.advance(run)
    assert control.states(run) == "error: error"
    assert control.task(run, "t1").reason == "The orchestration “inner” is in the trash."


def test_nesting_that_was_made_too_deep_later_fails(control: Control, settings: Any) -> None:
    [a] = make(1)
    settings.NESTING_LIMIT = 3
    inner = make_orchestration([[a]], name="D")
    third = make_orchestration([[inner]], name="C")
    run = make_run(make_orchestration([[make_orchestration([[third]], name="B")]], name="A"))
    settings.NESTING_LIMIT = 2
    control.advance(run)
    assert control.states(run) == "error: error"
    assert run.reason.endswith(": A → B → C → D: orchestrations may be nested 2 deep at most.")
    assert Run.objects.filter(orchestration=inner).count() == 0


def test_a_circle_made_behind_the_checks_fails(control: Control) -> None:
    [a] = make(1)
    inner = make_orchestration([[a]], name="Shop")
    outer = make_orchestration([[inner]], name="Nightly")
    version = inner.versions.get()
    version.definition["phases"][0]["tasks"][0] |= {
        "configuration": None,
        "orchestration": outer.pk,
    }
    version.save()
    run = make_run(outer)
    control.advance(run)
    assert control.states(run) == "error: error"
    assert run.reason.endswith("Nightly → Shop → Nightly would run inside itself.")


def test_terminating_reaches_child_runs(control: Control) -> None:
    [a] = make(1)
    user = make_user()
    run = make_run(make_orchestration([[make_orchestration([[make_orchestration([[a]])]])]]))
    control.advance(run)
    inner = child_of(run)
    innermost = child_of(inner)
    with control.capture(execute=True):
        dispatch.terminate_run(run.pk, user_id=user.pk)
    control.deliver()
    assert [control.states(r) for r in (run, inner, innermost)] == [
        "terminated: terminated",
        "terminated: terminated",
        "terminated: cancelled",
    ]
    innermost.refresh_from_db()
    assert innermost.terminated_by == user


def test_terminating_a_child_terminates_its_task_only(control: Control) -> None:
    a, b = make(2)
    design: Any = {"orchestration": make_orchestration([[a]]).pk, "continue_on_failure": True}
    run = make_run(make_orchestration([[design], [b]]))
    control.advance(run)
    with control.capture(execute=True):
        dispatch.terminate_run(child_of(run).pk)
    control.deliver()
    assert control.states(run) == "processing: terminated waiting"


def test_one_worker_with_one_thread_finishes_a_run_two_deep(
    control: Control, settings: Settings, tmp_path: Path
) -> None:
    """Whoever held a worker while what is below runs would wait for ever here."""
    settings.HOME = tmp_path
    settings.COMPONENT_MODULES = ["tests.job_components"]
    sync_components()
    a, b, c, d, e = (
        make_configuration("test-script", parameters={"do": "succeed"}) for _ in range(5)
    )
    below = make_orchestration([[a], [b]])
    middle = make_orchestration([[below, c], [d]])
    run = make_run(make_orchestration([[middle], [e]]))
    control.rung.append(run.pk)
    while control.rung or control.jobs:  # one message after the other, each to its end
        with control.capture(execute=True):
            if control.rung:
                dispatch.advance_run(control.rung.popleft())
            else:
                run_job(control.jobs.pop(0))
    assert control.states(run) == "success: success success"
    below_it = Run.objects.filter(started_by=StartedBy.NESTED).order_by("pk")
    assert [control.states(child) for child in below_it] == [
        "success: success success success",
        "success: success success",
    ]
