from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from components.enums import JobStatus
from components.models import Configuration, Job
from components.services import job_transitions
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Run
from orchestrations.queries import run_page as queries
from tests.builders import (
    make_component,
    make_configuration,
    make_empty_orchestration,
    make_ended_run,
    make_orchestration,
    make_run,
)
from tests.control import Control

pytestmark = pytest.mark.django_db
R, J = RunStatus, JobStatus
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def make(count: int) -> list[Configuration]:
    component = make_component()
    return [make_configuration(component, name="abcdefgh"[n]) for n in range(count)]


def test_the_page_of_a_run(control: Control) -> None:
    a, b, c = make(3)
    inner = make_orchestration([[c]], name="inner")
    retried: Any = {"configuration": a.pk, "retries": 1, "retry_delay": 0}
    run = make_run(make_orchestration([[retried, inner], [b]]))
    control.advance(run)
    control.end(run, "t1", J.ERROR, "Oh.")
    control.advance(run)
    detail = queries.run_detail(run.pk)
    assert detail is not None
    assert [(p.number, p.name, [t.task.name for t in p.tasks]) for p in detail.phases] == [
        (1, "Phase 1", ["a", "inner"]),
        (2, "Phase 2", ["b"]),
    ]
    [[first, nested], [last]] = [phase.tasks for phase in detail.phases]
    jobs = list(Job.objects.filter(configuration=a).order_by("pk"))
    assert [(row.number, row.job) for row in first.attempts] == list(enumerate(jobs, 1))
    assert (first.job, nested.job, last.job) == (jobs[1], None, None)
    assert (detail.task_count, detail.ended_count, detail.parent) == (3, 0, None)
    assert nested.task.child is not None
    inside = queries.run_detail(nested.task.child.pk)
    assert inside is not None
    assert inside.parent == nested.task
    assert inside.parent is not None
    assert inside.parent.run == run
    control.end(run, "t1")
    again = queries.run_detail(run.pk)
    assert again is not None
    assert again.ended_count == 1


def test_a_waiting_task_says_why(control: Control) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[a]]))
    other = make_run(make_orchestration([[a]]))
    inner = make_orchestration([[a]])
    busy = make_run(inner)
    outer = make_run(make_orchestration([[inner]]))
    for each in (run, other, busy, outer):
        control.advance(each)
    assert job_transitions.claim(control.job(run, "t1").pk, worker="test") is not None
    assert job_transitions.claim(control.job(other, "t1").pk, worker="test") is None

    def reason(of: Run) -> str:
        detail = queries.run_detail(of.pk)
        assert detail is not None
        return detail.phases[0].tasks[0].reason

    assert reason(run) == ""
    waiting = control.job(other, "t1").waiting_for
    assert waiting != ""
    assert reason(other) == waiting
    assert reason(outer) == f"Waiting for run {busy.pk} of this orchestration."


def test_the_page_of_a_run_costs_the_same_for_many_tasks(control: Control) -> None:
    def count(tasks: int) -> int:
        run = make_run(make_orchestration([make(tasks), make(tasks)]))
        control.advance(run)
        with CaptureQueriesContext(connection) as found:
            detail = queries.run_detail(run.pk)
            assert detail is not None
            for phase in detail.phases:
                for row in phase.tasks:
                    assert (row.reason, row.task.configuration, row.task.child) is not None
        return len(found)

    assert (count(1), count(6)) == (7, 7)


def test_there_is_no_page_of_an_unknown_run() -> None:
    assert queries.run_detail(987_654) is None


def test_a_run_shows_its_retries() -> None:
    orchestration = make_empty_orchestration()
    run = make_ended_run(orchestration, R.ERROR)
    again = make_run(orchestration, retry_of=run, started_by=StartedBy.RETRY)
    detail = queries.run_detail(run.pk)
    assert detail is not None
    assert detail.retries == [again]


def test_the_task_of_a_job(control: Control) -> None:
    [a] = make(1)
    run = make_run(make_orchestration([[a]]))
    control.advance(run)
    task = queries.task_of_job(control.job(run, "t1").pk)
    assert task == run.task_runs.get()
    assert queries.task_of_job(987_654) is None
