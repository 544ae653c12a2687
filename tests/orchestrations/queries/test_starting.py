from __future__ import annotations

from typing import Any

import pytest

from components.enums import JobStatus
from components.models import Configuration
from orchestrations.enums import RunStatus
from orchestrations.queries import starting as queries
from tests.builders import make_component, make_configuration, make_orchestration, make_run
from tests.control import Control

pytestmark = pytest.mark.django_db
R, J = RunStatus, JobStatus


def make(count: int) -> list[Configuration]:
    component = make_component()
    return [make_configuration(component, name="abcdefgh"[n]) for n in range(count)]


def test_what_a_retry_runs_by_default(control: Control) -> None:
    a, b, c, d, e = make(5)
    inactive: Any = {"configuration": c.pk, "is_active": False}
    orchestration = make_orchestration([[a, b, inactive], [d, e]])
    run = make_run(orchestration)
    control.advance(run)
    control.end(run, "t1")
    control.end(run, "t2", J.ERROR)
    assert queries.tasks_to_retry(run) == ["t2", "t4", "t5"]
    chosen = make_run(orchestration, selected=["t2", "t3", "t4"])
    control.advance(chosen)
    control.end(chosen, "t2", J.ERROR)
    control.end(chosen, "t3")
    assert queries.tasks_to_retry(chosen) == ["t2", "t4"]


def test_a_retry_of_a_retry_leaves_alone_what_was_taken_over(control: Control) -> None:
    a, b = make(2)
    orchestration = make_orchestration([[a], [b]])
    run = make_run(orchestration)
    control.advance(run)
    control.end(run, "t1")
    control.end(run, "t2", J.ERROR)
    again = make_run(orchestration, retry_of=run, selected=["t2"])
    control.advance(again)
    control.end(again, "t2", J.ERROR)
    assert queries.tasks_to_retry(again) == ["t2"]
    states = queries.states_before(again)
    assert (states["t1"].status, states["t1"].kept_from) == ("skipped", run.pk)
    assert (states["t2"].status, states["t2"].kept_from) == ("error", None)


def test_a_retry_of_a_run_that_never_began_runs_all_of_it() -> None:
    a, b = make(2)
    inactive: Any = {"configuration": b.pk, "is_active": False}
    orchestration = make_orchestration([[a, inactive]])
    assert queries.tasks_to_retry(make_run(orchestration, status=R.CANCELLED)) == ["t1"]
    chosen = make_run(orchestration, status=R.CANCELLED, selected=["t2"])
    assert queries.tasks_to_retry(chosen) == ["t2"]


def test_a_warning_of_a_nested_orchestration_is_retried(control: Control) -> None:
    a, b = make(2)
    shaky: Any = {"configuration": a.pk, "continue_on_failure": True}
    inner = make_orchestration([[shaky]])
    run = make_run(make_orchestration([[inner, b]]))
    control.advance(run)
    child = control.task(run, "t1").child
    assert child is not None
    control.end(child, "t1", J.ERROR)
    control.end(run, "t2")
    assert control.task(run, "t1").status == "warning"
    assert queries.tasks_to_retry(run) == ["t1"]


def test_the_tasks_of_a_version_by_phase() -> None:
    a, b = make(2)
    inner = make_orchestration([[a]], name="inner")
    inactive: Any = {"configuration": b.pk, "is_active": False}
    orchestration = make_orchestration([[a, inactive], [inner]])
    version = queries.latest_version(orchestration)
    phases = queries.choices(version.definition)
    assert [
        (p.number, p.name, [(t.key, t.name, t.is_active) for t in p.tasks]) for p in phases
    ] == [
        (1, "Phase 1", [("t1", "a", True), ("t2", "b", False)]),
        (2, "Phase 2", [("t3", "inner", True)]),
    ]
    assert queries.active_keys(version.definition) == ["t1", "t3"]
    assert (phases[0].tasks[0].configuration, phases[1].tasks[0].orchestration) == (a, inner)


def test_what_a_new_run_waits_for() -> None:
    orchestration = make_orchestration([make(1)])
    assert queries.queue_before(orchestration) is None
    make_run(orchestration, status=R.SUCCESS)
    first = make_run(orchestration, status=R.PROCESSING)
    queue = queries.queue_before(orchestration)
    assert queue == queries.Queue(first, 1)
    make_run(orchestration, status=R.WAITING)
    queue = queries.queue_before(orchestration)
    assert queue is not None
    assert (queue.first, queue.between) == (first, 1)
