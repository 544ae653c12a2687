from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from components.enums import JobStatus
from components.models import Configuration
from orchestrations.enums import RunStatus
from orchestrations.models import Run
from orchestrations.queries import runs as queries
from orchestrations.queries.runs import Outcome
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


def test_runs_are_listed_newest_first_page_by_page() -> None:
    orchestration = make_empty_orchestration()
    made = [make_ended_run(orchestration) for _ in range(5)]
    other = make_ended_run(make_empty_orchestration())
    newest = made[::-1]
    first = queries.list_runs(orchestration, limit=2)
    assert (first.runs, first.after) == (newest[:2], newest[1].pk)
    second = queries.list_runs(orchestration, limit=2, after=first.after)
    assert (second.runs, second.after) == (newest[2:4], newest[3].pk)
    third = queries.list_runs(orchestration, limit=2, after=second.after)
    assert (third.runs, third.after) == (newest[4:], None)
    assert queries.list_runs(orchestration, limit=5).after is None
    assert queries.list_runs().runs == [other, *newest]


def test_tabs_of_the_run_list() -> None:
    orchestration = make_empty_orchestration()
    made = {
        status: make_run(orchestration, status=status) for status in R if status != R.TERMINATING
    }
    successful = queries.list_runs(orchestration, outcome=Outcome.SUCCESSFUL).runs
    failed = queries.list_runs(orchestration, outcome=Outcome.FAILED).runs
    assert successful == [made[R.WARNING], made[R.SUCCESS]]
    assert failed == [made[R.ERROR]]
    assert len(queries.list_runs(orchestration).runs) == len(made)


def test_the_run_list_costs_the_same_for_many_runs() -> None:
    def count(runs: int) -> int:
        for _ in range(runs):
            make_ended_run(make_empty_orchestration())
        with CaptureQueriesContext(connection) as found:
            for run in queries.list_runs().runs:
                shown = (run.created_by, run.schedule, run.retry_of)
                assert (run.orchestration.name != "", shown) == (True, (None, None, None))
        return len(found)

    assert (count(1), count(3)) == (1, 1)


def test_the_duration_chart_shows_runs_that_ended_oldest_first() -> None:
    orchestration = make_empty_orchestration()
    first, second = make_ended_run(orchestration), make_ended_run(orchestration, R.ERROR)
    make_run(orchestration, status=R.CANCELLED, ended_at=NOW)
    make_run(orchestration, status=R.PROCESSING, started_at=NOW)
    make_ended_run(make_empty_orchestration())
    assert queries.last_runs(orchestration) == [first, second]
    assert queries.last_runs(orchestration, limit=1) == [second]


def test_the_latest_failures_come_in_the_order_of_their_ends() -> None:
    orchestration = make_orchestration()
    now = datetime.now(UTC)
    long, short = (
        make_run(orchestration, status=RunStatus.ERROR, ended_at=now - timedelta(minutes=minutes))
        for minutes in (1, 5)
    )
    assert queries.dashboard().failures == [long, short]


def test_the_dashboard(control: Control) -> None:
    a, b = make(2)
    orchestration = make_orchestration([[a], [b]])
    old = make_ended_run(orchestration, R.SUCCESS, 100)
    Run.objects.filter(pk=old.pk).update(created_at=NOW - timedelta(days=2))
    failed = make_ended_run(orchestration, R.ERROR, 150)
    make_ended_run(orchestration, R.SUCCESS, 200)
    run, queued = make_run(orchestration), make_run(orchestration)
    control.advance(run)
    control.advance(queued)
    control.end(run, "t1")
    run.refresh_from_db()
    shown = queries.dashboard()
    assert shown.counts == {
        **dict.fromkeys(R, 0),
        R.ERROR: 1,
        R.SUCCESS: 1,
        R.PROCESSING: 1,
        R.WAITING: 1,
    }
    assert shown.failures == [failed]
    assert run.started_at is not None
    assert [(r.run, r.done, r.total, r.expected_end) for r in shown.running] == [
        (run, 1, 2, run.started_at + timedelta(seconds=150)),
        (queued, 0, 0, None),
    ]


def test_the_dashboard_costs_the_same_for_many_runs(control: Control) -> None:
    def count(runs: int) -> int:
        for _ in range(runs):
            [a] = make(1)
            control.advance(make_run(make_orchestration([[a]])))
            make_ended_run(make_empty_orchestration(), R.ERROR)
        with CaptureQueriesContext(connection) as found:
            shown = queries.dashboard()
            for each in [*shown.failures, *(r.run for r in shown.running)]:
                assert each.orchestration.name != ""
        return len(found)

    assert (count(1), count(3)) == (7, 7)


def test_the_latest_runs_of_each() -> None:
    first, second, third = (make_empty_orchestration() for _ in range(3))
    made = {o.pk: [make_ended_run(o) for _ in range(n)] for o, n in ((first, 5), (second, 2))}
    make_ended_run(third)
    found = queries.latest_runs([first.pk, second.pk], limit=3)
    assert found == [*made[first.pk][2:], *made[second.pk]]
    assert queries.latest_runs([]) == []
