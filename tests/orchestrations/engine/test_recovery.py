from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from components import signals
from components.enums import JobStatus
from components.models import Configuration, Job
from components.services import job_transitions
from orchestrations import receivers
from orchestrations.engine import dispatch, recovery, transitions
from orchestrations.enums import RunStatus
from orchestrations.models import Run
from tests.builders import (
    finish_job,
    make_component,
    make_configuration,
    make_orchestration,
    make_run,
)
from tests.control import Control

pytestmark = pytest.mark.django_db
J = JobStatus
START = datetime.fromisoformat("2026-11-22T12:00:00+00:00")


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def sweep(control: Control, clock: Any) -> Callable[[float], list[int]]:
    """Let so many seconds pass, sweep, and return the runs that were rung."""

    def do(seconds: float) -> list[int]:
        clock.shift(seconds)
        with control.capture(execute=True):
            recovery.recover_runs()
        return list(control.rung)

    return do


Sweep = Callable[[float], list[int]]


def make(count: int) -> list[Configuration]:
    component = make_component()
    return [make_configuration(component) for _ in range(count)]


def end_silently(control: Control, run: Run, key: str) -> None:
    """End a job in a worker that dies between the commit and the advance."""
    finish_job(control.job(run, key))  # what is to follow the commit is never called


def test_a_queued_run_is_rung_again(control: Control, sweep: Sweep) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[a]]), rung_at=timezone.now())
    assert sweep(10) == []
    assert sweep(1) == [run.pk]
    control.rung.clear()
    assert sweep(10) == []
    assert sweep(1) == [run.pk]
    control.deliver()
    assert control.states(run) == "processing: waiting"


def test_a_run_that_was_never_rung_is_rung(sweep: Sweep) -> None:
    run = make_run()
    assert sweep(11) == [run.pk]


def test_a_run_behind_another_is_left_alone(control: Control, sweep: Sweep) -> None:
    [a] = make(1)
    orchestration = make_orchestration([[a]])
    first, second = make_run(orchestration), make_run(orchestration)
    control.advance(first)
    control.advance(second)
    assert sweep(60) == []
    transitions.move_run(Run.objects.get(pk=first.pk), RunStatus.ERROR)
    assert sweep(60) == [second.pk]


def test_a_phase_that_ended_unnoticed_goes_on(control: Control, sweep: Sweep) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[a], [b]]))
    control.advance(run)
    end_silently(control, run, "t1")
    assert control.states(run) == "processing: success created"
    assert sweep(10) == []
    assert sweep(1) == [run.pk]
    control.deliver()
    assert control.states(run) == "processing: success waiting"


def test_a_phase_that_ended_before_a_long_outage_goes_on(control: Control, sweep: Sweep) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[a], [b]]))
    control.advance(run)
    end_silently(control, run, "t1")
    assert sweep(24 * 3600) == [run.pk]


def test_a_side_of_a_graph_goes_on_while_the_other_runs(control: Control, sweep: Sweep) -> None:
    a, b, c = make(3)
    run = make_run(make_orchestration([[a], [b], [c]], waits=[[], [], ["p1"]]))
    control.advance(run)
    end_silently(control, run, "t1")
    assert sweep(11) == [run.pk]
    control.deliver()
    assert control.states(run) == "processing: success waiting waiting"


def test_a_last_phase_that_ended_unnoticed_ends_the_run(control: Control, sweep: Sweep) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[a]]))
    control.advance(run)
    end_silently(control, run, "t1")
    sweep(11)
    control.deliver()
    assert control.states(run) == "success: success"


def test_a_run_whose_jobs_run_is_left_alone(control: Control, sweep: Sweep) -> None:
    a, b, c = make(3)
    run = make_run(make_orchestration([[a, b], [c]]))
    control.advance(run)
    control.end(run, "t1")
    assert sweep(3600) == []


def test_a_run_is_left_alone_once_it_was_advanced_later(control: Control, sweep: Sweep) -> None:
    """Clocks of workers may differ, so a run is advanced again up to a minute after its phase."""
    a, b = make(2)
    run = make_run(make_orchestration([[a], [b]]))
    control.advance(run)
    control.end(run, "t1")
    assert sweep(60) == [run.pk]
    control.deliver()
    assert sweep(60) == []
    assert Job.objects.count() == 2


def test_an_end_that_was_not_told_is_noticed(control: Control, sweep: Sweep) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[a], [b]]))
    control.advance(run)
    job = control.job(run, "t1")
    claim = job_transitions.claim(job.pk, worker="test")
    assert claim is not None
    signals.job_finished.disconnect(receivers.settle_task)
    try:
        job_transitions.end(claim, J.SUCCESS, fields={})
    finally:
        signals.job_finished.connect(receivers.settle_task)
    assert control.states(run) == "processing: processing created"
    sweep(11)
    assert control.states(run) == "processing: success waiting"


def test_a_delay_that_is_over_is_noticed(control: Control, sweep: Sweep) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[{"configuration": a.pk, "delay": 100}]]))
    control.advance(run)
    assert sweep(99) == []
    assert sweep(1) == [run.pk]
    control.deliver()
    assert Job.objects.count() == 1


def test_a_termination_that_was_not_heard_is_done(control: Control, sweep: Sweep) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[a]]))
    control.advance(run)
    Run.objects.update(terminate_at=timezone.now())
    assert sweep(10) == []
    assert sweep(1) == [run.pk]
    control.deliver()
    assert control.states(run) == "terminated: cancelled"


def test_jobs_of_a_terminating_run_are_stopped_later(control: Control, sweep: Sweep) -> None:
    """The worker died after writing Terminating, before it stopped the jobs."""
    [a] = make(1)
    run = make_run(make_orchestration([[a]]))
    control.advance(run)
    dispatch.terminate_run(run.pk)  # what is to follow the commit is never called
    assert control.states(run) == "terminating: terminating"
    sweep(11)
    control.deliver()
    assert control.states(run) == "terminated: cancelled"


def test_a_child_that_ended_unnoticed_is_noticed(control: Control, sweep: Sweep) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[make_orchestration([[a]])], [b]]))
    control.advance(run)
    child = run.task_runs.get(key="t1").child
    assert child is not None
    transitions.move_run(child, RunStatus.ERROR, reason="Oh.")
    sweep(11)
    control.deliver()
    assert control.states(run) == "error: error skipped"


@pytest.mark.parametrize(("retries", "states"), [(0, "error: error"), (1, "processing: waiting")])
def test_a_child_that_takes_too_long_is_stopped(
    control: Control, sweep: Sweep, retries: int, states: str
) -> None:
    [a] = make(1)
    design: Any = {
        "orchestration": make_orchestration([[a]]).pk,
        "timeout": 60,
        "retries": retries,
    }
    run = make_run(make_orchestration([[design]]))
    control.advance(run)
    sweep(60)
    assert control.states(run) == "processing: processing"
    sweep(1)
    control.deliver()
    assert control.states(run) == states


def test_sweeping_twice_does_no_harm(control: Control, sweep: Sweep) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[a], [b]]))
    control.advance(run)
    end_silently(control, run, "t1")
    sweep(11)
    sweep(0)
    control.deliver()
    assert control.states(run) == "processing: success waiting"
    assert Job.objects.count() == 2


def test_a_sweep_with_nothing_to_do_asks_little(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(9):
        recovery.recover_runs()
