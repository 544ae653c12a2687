from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from components.enums import JobOrigin, JobStatus
from components.models import Configuration, Job, JobEvent
from components.services import job_transitions
from orchestrations.engine import dispatch
from orchestrations.enums import RunStatus
from orchestrations.models import Run, RunEvent, TaskAttempt
from orchestrations.services.orchestrations import save_orchestration
from tests.builders import (
    finish_job,
    make_component,
    make_configuration,
    make_orchestration,
    make_run,
    make_user,
)
from tests.control import Control

pytestmark = pytest.mark.django_db
J = JobStatus


def make(count: int) -> list[Configuration]:
    component = make_component()
    return [make_configuration(component, name="abcdefgh"[n]) for n in range(count)]


WARNED = {True: "warning: warning success", False: "error: warning skipped"}


def task(configuration: Configuration, **fields: Any) -> Any:
    return {"configuration": configuration.pk, **fields}


def events(run: Run) -> list[str]:
    lines = []
    for e in run.events.select_related("task_run").order_by("pk"):
        name = e.task_run.name if e.task_run else "run"
        lines.append(f"{name}: {e.old_status} → {e.new_status} {e.reason}".rstrip())
    return lines


def test_phases_run_one_after_another(control: Control) -> None:
    a, b, c = make(3)
    run = make_run(make_orchestration([[a], [b, c]]))
    control.advance(run)
    assert control.states(run) == "processing: waiting created created"
    control.end(run, "t1")
    assert control.states(run) == "processing: success waiting waiting"
    control.end(run, "t3")
    assert control.states(run) == "processing: success waiting success"
    control.end(run, "t2")
    assert control.states(run) == "success: success success success"
    assert control.jobs == list(Job.objects.order_by("pk").values_list("pk", flat=True))
    assert events(run) == [
        "run: created → processing",
        "a: created → waiting",
        "a: waiting → processing",
        "a: processing → success",
        "b: created → waiting",
        "c: created → waiting",
        "c: waiting → processing",
        "c: processing → success",
        "b: waiting → processing",
        "b: processing → success",
        "run: processing → success",
    ]


def test_a_task_shows_what_its_job_does(control: Control) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[a]]))
    control.advance(run)
    job = control.job(run, "t1")
    assert job_transitions.claim(job.pk, worker="test") is not None
    assert control.states(run) == "processing: processing"
    begun = control.task(run, "t1").started_at
    assert begun is not None
    finish_job(job)
    ended = control.task(run, "t1").ended_at
    assert ended is not None
    assert begun < ended


def test_a_job_is_made_as_the_version_says(control: Control) -> None:
    [a] = make(1)
    user = make_user()
    orchestration = make_orchestration([[task(a, parameters={"x": 1}, timeout=90)]])
    run = make_run(orchestration, created_by=user)
    save_orchestration(orchestration, user=user, expected_version=1, phases=[])
    control.advance(run)
    job = control.job(run, "t1")
    assert (job.configuration, job.origin, job.created_by) == (a, JobOrigin.ORCHESTRATION, user)
    assert (job.parameters, job.time_limit, job.configuration_version) == ({"x": 1}, 90, 1)


def test_a_run_keeps_the_versions_it_began_with(control: Control) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[a], [b]]))
    control.advance(run)
    Configuration.objects.filter(pk=b.pk).update(version=2)
    control.end(run, "t1")
    assert control.job(run, "t2").configuration_version == 1


def test_a_failed_task_stops_the_run_after_its_siblings(control: Control) -> None:
    a, b, c, d = make(4)
    run = make_run(make_orchestration([[a, b], [c], [d]]))
    control.advance(run)
    control.end(run, "t1", J.ERROR, "The file is empty.")
    assert control.states(run) == "processing: error waiting created created"
    control.end(run, "t2")
    assert control.states(run) == "error: error success skipped skipped"
    assert run.reason == "“a” failed: The file is empty."
    assert control.task(run, "t1").reason == "The file is empty."
    assert control.task(run, "t4").reason == "“a” failed before it."
    assert Job.objects.count() == 2


def test_a_failed_task_may_let_the_run_go_on(control: Control) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[task(a, continue_on_failure=True)], [b]]))
    control.advance(run)
    control.end(run, "t1", J.ERROR, "Broken.")
    control.end(run, "t2")
    assert control.states(run) == "warning: error success"
    assert run.reason == "“a” failed, and the run went on: Broken."


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_warning_is_no_success(control: Control, *, goes_on: bool) -> None:
    a, b = make(2)
    first = task(a, continue_on_failure=goes_on)
    run = make_run(make_orchestration([[first], [b]]))
    control.advance(run)
    control.end(run, "t1", J.WARNING, "Two rows were left out.")
    if goes_on:
        control.end(run, "t2")
    assert control.states(run) == (
        "warning: warning success" if goes_on else "error: warning skipped"
    )
    assert run.reason == f"“{a.name}” ended with a warning: Two rows were left out."


def test_inactive_tasks_are_skipped_with_a_row(control: Control) -> None:
    a, b, c = make(3)
    run = make_run(make_orchestration([[task(a, is_active=False)], [b, task(c, is_active=False)]]))
    control.advance(run)
    assert control.states(run) == "processing: skipped waiting skipped"
    assert control.task(run, "t3").reason == "Inactive."
    control.end(run, "t2")
    assert control.states(run) == "success: skipped success skipped"


def test_selected_tasks_run_even_if_inactive(control: Control) -> None:
    a, b, c = make(3)
    phases = [[a, task(b, is_active=False)], [c]]
    run = make_run(make_orchestration(phases), selected=["t2", "t3"])
    control.advance(run)
    assert control.states(run) == "processing: skipped waiting created"
    assert control.task(run, "t1").reason == "Not selected."


def test_a_run_with_nothing_to_do_succeeds_at_once(control: Control) -> None:
    run = make_run()
    control.advance(run)
    assert control.states(run) == "success:"
    assert run.started_at is not None
    assert run.ended_at is not None


def test_phases_that_depend_on_others_form_a_graph(control: Control) -> None:
    a, b, c, d = make(4)
    orchestration = make_orchestration([[a], [b], [c], [d]], waits=[[], [], ["p1"], ["p2", "p3"]])
    run = make_run(orchestration)
    control.advance(run)
    assert control.states(run) == "processing: waiting waiting created created"
    control.end(run, "t1")
    assert control.states(run) == "processing: success waiting waiting created"
    control.end(run, "t3")
    control.end(run, "t2", J.ERROR)
    assert control.states(run) == "error: success error success skipped"


def test_two_runs_of_one_orchestration_take_turns(control: Control) -> None:
    [a] = make(1)
    orchestration = make_orchestration([[a]])
    runs = [make_run(orchestration) for _ in range(3)]
    for run in reversed(runs):
        control.advance(run)
    assert [control.states(run) for run in runs] == ["processing: waiting", "waiting:", "waiting:"]
    for run in runs:
        control.end(run, "t1")
    assert [control.states(run) for run in runs] == ["success: success"] * 3


def test_a_doubled_or_late_message_changes_nothing(control: Control) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[a], [b]]))
    for _ in range(3):
        control.advance(run)
    control.end(run, "t1")
    for _ in range(3):
        control.advance(run)
    assert Job.objects.count() == 2
    control.end(run, "t2")
    before = RunEvent.objects.count()
    control.advance(run)
    dispatch.advance_run(987_654)
    assert (RunEvent.objects.count(), Job.objects.count()) == (before, 2)


def test_a_configuration_that_is_gone_fails_its_task(control: Control) -> None:
    a, b, c, d = make(4)
    run = make_run(
        make_orchestration([[task(a, continue_on_failure=True), b], [task(c, retries=3)], [d]])
    )
    Configuration.objects.filter(pk__in=[a.pk, c.pk]).update(deleted_at=timezone.now())
    control.advance(run)
    assert control.states(run) == "processing: error waiting created created"
    assert control.task(run, "t1").reason == "The configuration “a” is in the trash."
    control.end(run, "t2")
    assert control.states(run) == "error: error success error skipped"


def test_a_deleted_configuration_fails_its_task(control: Control) -> None:
    [a] = make(1)
    orchestration = make_orchestration([[a]])
    orchestration.phases.get().tasks.all().delete()
    run = make_run(orchestration)
    number = a.pk
    a.delete()
    control.advance(run)
    assert control.states(run) == "error: error"
    assert control.task(run, "t1").reason == (
        f"The configuration “Deleted configuration {number}” was deleted."
    )


# Retries and delays


def test_a_failed_task_is_tried_again_after_a_pause(control: Control) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[task(a, retries=2, retry_delay=10, retry_backoff=3)]]))
    with time_machine.travel("2026-11-22 12:00:00+00:00", tick=False) as clock:
        control.advance(run)
        control.end(run, "t1", J.ERROR, "Timed out.")
        assert control.states(run) == "processing: waiting"
        first = control.task(run, "t1")
        assert first.reason == "Attempt 1 failed: Timed out. Attempt 2 follows 10 sec later."
        assert first.not_before == timezone.now() + timedelta(seconds=10)
        assert control.later == [run.pk]
        control.advance(run)
        assert Job.objects.count() == 1
        clock.shift(10)
        control.advance(run)
        assert Job.objects.count() == 2
        assert control.task(run, "t1").not_before is None
        control.end(run, "t1", J.ERROR, "Timed out.")
        second = control.task(run, "t1")
        assert second.not_before == timezone.now() + timedelta(seconds=30)
        clock.shift(30)
        control.advance(run)
        control.end(run, "t1", J.ERROR, "Timed out again.")
    assert control.states(run) == "error: error"
    assert run.reason == "“a” failed: Timed out again."
    assert list(TaskAttempt.objects.values_list("number", flat=True)) == [1, 2, 3]


def test_a_retry_that_succeeds_leaves_a_success(control: Control) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[task(a, retries=1, retry_delay=0)], [b]]))
    control.advance(run)
    control.end(run, "t1", J.ERROR, "Oh.")
    control.advance(run)
    control.end(run, "t1")
    assert control.states(run) == "processing: success waiting"
    assert control.task(run, "t1").reason == ""


@pytest.mark.parametrize(
    ("match", "error", "state"),
    [
        ("timed out", "It timed out.", "processing: waiting"),
        ("timed out", "Wrong password.", "error: error"),
        ("", "Anything.", "processing: waiting"),
    ],
)
def test_only_matching_errors_are_tried_again(
    control: Control, match: str, error: str, state: str
) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[task(a, retries=1, retry_match=match)]]))
    control.advance(run)
    control.end(run, "t1", J.ERROR, error)
    assert control.states(run) == state


def test_a_terminated_job_is_not_tried_again(control: Control) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[task(a, retries=5)], [b]]))
    control.advance(run)
    with control.capture(execute=True):
        job_transitions.ask_terminate(control.job(run, "t1"))
    control.deliver()
    assert control.states(run) == "terminated: cancelled skipped"
    assert run.reason == "“a” was terminated."


def test_a_long_pause_is_left_to_recovery(control: Control) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[task(a, retries=1, retry_delay=61)]]))
    control.advance(run)
    control.end(run, "t1", J.ERROR)
    assert (control.states(run), control.later) == ("processing: waiting", [])


def test_a_delayed_task_begins_later_than_its_siblings(control: Control) -> None:
    a, b, c = make(3)
    run = make_run(make_orchestration([[a, task(b, delay=30)], [c]]))
    with time_machine.travel("2026-11-22 12:00:00+00:00", tick=False) as clock:
        control.advance(run)
        assert control.states(run) == "processing: waiting waiting created"
        assert (Job.objects.count(), control.later) == (1, [run.pk])
        assert control.task(run, "t2").reason == "Starts 30 s after its phase."
        control.end(run, "t1")
        clock.shift(29)
        control.advance(run)
        assert Job.objects.count() == 1
        clock.shift(1)
        control.advance(run)
    assert Job.objects.count() == 2
    assert control.task(run, "t2").reason == ""
    control.end(run, "t2")
    assert control.states(run) == "processing: success success waiting"


# Termination


def ask(run: Run) -> None:
    """What overlap policy and terminate_run do."""
    Run.objects.filter(pk=run.pk).update(terminate_at=timezone.now())


@pytest.mark.parametrize("status", [RunStatus.CREATED, RunStatus.WAITING])
def test_a_queued_run_is_cancelled(control: Control, status: RunStatus) -> None:
    [a] = make(1)
    orchestration = make_orchestration([[a]])
    run, following = make_run(orchestration, status=status), make_run(orchestration)
    ask(run)
    control.advance(run)
    assert control.states(run) == "cancelled:"
    assert control.states(following) == "processing: waiting"


def test_terminating_stops_what_runs_and_cancels_what_does_not(control: Control) -> None:
    a, b, c, d = make(4)
    user = make_user(name="ada")
    orchestration = make_orchestration([[a, b, task(c, delay=60)], [d]])
    run, following = make_run(orchestration), make_run(orchestration)
    control.advance(run)
    running = job_transitions.claim(control.job(run, "t1").pk, worker="test")
    assert running is not None
    with control.capture(execute=True):
        assert dispatch.terminate_run(run.pk, user_id=user.pk) is True
    control.deliver()
    assert control.states(run) == "terminating: terminating cancelled cancelled cancelled"
    job = control.job(run, "t1")
    assert (job.status, job.terminated_by) == (J.TERMINATING, user)
    assert JobEvent.objects.filter(job=job).latest("pk").reason == f"Run {run.pk} was terminated."
    with control.capture(execute=True):
        assert dispatch.terminate_run(run.pk) is False
        job_transitions.end(running, J.SUCCESS, fields={})
    control.deliver()
    assert control.states(run) == "terminated: terminated cancelled cancelled cancelled"
    assert set(run.events.filter(new_status="terminating").values_list("actor", flat=True)) == {
        "ada"
    }
    assert control.states(following) == "processing: waiting waiting waiting created"


def test_a_terminated_run_does_not_retry(control: Control) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[task(a, retries=3, retry_delay=0)]]))
    control.advance(run)
    claim = job_transitions.claim(control.job(run, "t1").pk, worker="test")
    assert claim is not None
    ask(run)
    control.advance(run)
    with control.capture(execute=True):
        job_transitions.end(claim, J.SUCCESS, fields={})
    control.deliver()
    assert control.states(run) == "terminated: terminated"
    assert Job.objects.count() == 1


def test_a_run_without_jobs_is_terminated_at_once(control: Control) -> None:
    a, b = make(2)
    run = make_run(make_orchestration([[task(a, delay=60)], [b]]))
    control.advance(run)
    ask(run)
    control.advance(run)
    assert control.states(run) == "terminated: cancelled cancelled"


# Cost


def queries_of(control: Control, count: int) -> tuple[int, int, int]:
    """Queries to begin a run of `count` tasks, to end one of many, and to end the last of all."""
    run = make_run(make_orchestration([make(1) * count, make(1) * count]))
    with CaptureQueriesContext(connection) as begin:
        control.advance(run)
    tasks = list(run.task_runs.filter(phase=0))
    for each in tasks[:-2]:
        control.end(run, each.key)
    job = control.job(run, tasks[-2].key)
    assert job_transitions.claim(job.pk, worker="test") is not None
    with CaptureQueriesContext(connection) as one:
        control.end(run, tasks[-2].key)
    with CaptureQueriesContext(connection) as last:
        control.end(run, tasks[-1].key)
    return len(begin), len(one), len(last)


def test_queries_do_not_grow_with_the_tasks(control: Control) -> None:
    few, many = queries_of(control, 3), queries_of(control, 20)
    assert few == many


def test_advancing_with_nothing_to_do_is_cheap(
    control: Control, django_assert_num_queries: Any
) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[a]]))
    control.advance(run)
    with django_assert_num_queries(5):  # savepoint, lock, tasks, mark, release
        dispatch.advance_run(run.pk)
