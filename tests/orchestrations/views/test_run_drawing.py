from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import RequestFactory

from components.enums import JobStatus
from components.models import Job
from orchestrations.enums import RunStatus
from orchestrations.models import Run, TaskRun
from orchestrations.queries.run_page import RunDetail, run_detail
from orchestrations.services.forecasts import forecast_of
from orchestrations.views import run_drawing
from orchestrations.views.run_drawing import Asked, draw_gantt, shown_phases
from tests.builders import make_configuration, make_orchestration, make_run
from tests.control import Control

pytestmark = pytest.mark.django_db
T0 = datetime(2026, 11, 25, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def asked(query: str = "") -> Asked:
    return Asked.of(RequestFactory().get(f"/?{query}"))


def detail_of(run: Run) -> RunDetail:
    found = run_detail(run.pk)
    assert found is not None
    return found


def make_phases(*sizes: int) -> Run:
    """A run with so many tasks in each phase, all of which succeeded."""
    target = make_configuration()
    run = make_run(make_orchestration([[target] * size for size in sizes]))
    TaskRun.objects.bulk_create(
        TaskRun(
            run=run,
            key=f"t{number}-{position}",
            phase=number,
            phase_key=f"p{number + 1}",
            phase_name=f"Phase {number + 1}",
            position=position,
            name=f"{number}-{position}",
            design={"delay": 0},
            status="success",
        )
        for number, size in enumerate(sizes)
        for position in range(size)
    )
    return run


def drawn(run: Run, query: str = "") -> list[int | None]:
    """How many rows of each phase are drawn; None for one that is shut."""
    views = shown_phases(detail_of(run).phases, asked(query))
    return [len(view.rows) if view.is_open else None for view in views]


def test_what_the_address_asks_for() -> None:
    found = asked("tab=gantt&open=2&open=x&shut=1&all=3&zoom=4")
    assert found == Asked("gantt", frozenset({2, 3}), frozenset({1}), frozenset({3}), 4)
    assert asked("tab=nonsense&zoom=x") == Asked(
        "tasks", frozenset(), frozenset(), frozenset(), None
    )


def test_a_small_run_is_open() -> None:
    assert drawn(make_phases(3, 40)) == [3, 40]
    assert drawn(make_phases(3, 2), "shut=1") == [None, 2]


def test_of_a_large_run_only_some_is_drawn_at_first() -> None:
    run = make_phases(500, 60, 10, 30)
    assert drawn(run) == [40, 40, 10, None]
    assert drawn(run, "open=4&shut=1") == [None, 40, 10, 30]
    assert drawn(run, "all=1") == [500, None, None, None]


def test_what_failed_is_drawn_first_and_opens_its_phase() -> None:
    run = make_phases(500, 500, 90)
    run.task_runs.filter(phase=2, position__in=[80, 89]).update(status="error")
    views = shown_phases(detail_of(run).phases, asked("shut=1&shut=2"))
    assert [view.is_open for view in views] == [False, False, True]
    names = [row.task.position for row in views[2].rows]
    assert names == [*range(38), 80, 89]
    assert views[2].hidden == 50
    assert drawn(run) == [40, 40, 40]


@pytest.fixture
def timed(control: Control) -> Run:
    """From 0: a took 10 s and b 30 s, then c took 10 s."""
    a, b, c = (make_configuration(name=name) for name in "abc")
    run = make_run(make_orchestration([[a, b], [c]]))
    control.advance(run)
    for key in ("t1", "t2", "t3"):
        control.end(run, key)
    for key, begin, end in (("t1", 0, 10), ("t2", 0, 30), ("t3", 30, 40)):
        times: Any = {"started_at": at(begin), "ended_at": at(end)}
        run.task_runs.filter(key=key).update(**times)
        jobs = Job.objects.filter(attempt__task_run__run=run, attempt__task_run__key=key)
        jobs.update(created_at=at(begin), **times)
    Run.objects.update(started_at=at(0), ended_at=at(40))
    return Run.objects.get()


def test_the_gantt_chart(timed: Run) -> None:
    detail = detail_of(timed)
    views = shown_phases(detail.phases, asked())
    chart = draw_gantt(detail, views, asked(), now=at(100), zone=UTC)
    rows = [row for phase in chart.phases for row in phase.rows]
    assert [(r.row.task.name, r.is_critical, [(b.x, b.width) for b in r.bars]) for r in rows] == [
        ("a", False, [(0, 25)]),
        ("b", True, [(0, 75)]),
        ("c", True, [(75, 25)]),
    ]
    assert [[(b.x, b.width) for b in p.bars] for p in chart.phases] == [[(0, 75)], [(75, 25)]]
    assert [row.task.name for row in chart.critical] == ["b", "c"]
    assert [tick.label for tick in chart.ticks][:3] == ["12:00:00", "12:00:10", "12:00:20"]


def test_one_phase_of_it(timed: Run) -> None:
    detail = detail_of(timed)
    zoom = asked("zoom=2")
    chart = draw_gantt(detail, shown_phases(detail.phases, zoom), zoom, now=at(100), zone=UTC)
    [phase] = chart.phases
    assert [(r.row.task.name, [(b.x, b.width) for b in r.bars]) for r in phase.rows] == [
        ("c", [(0, 100)])
    ]
    assert chart.zoomed == detail.phases[1]


def test_a_forecast_needs_a_history(control: Control, timed: Run) -> None:
    assert forecast_of(detail_of(timed), at(100)) is None
    first = make_run(make_orchestration([[make_configuration()]]))
    control.advance(first)
    assert forecast_of(detail_of(first), at(100)) is None
    second = make_run(timed.orchestration)
    assert forecast_of(detail_of(second), at(100)) is None
    control.advance(second)
    Run.objects.filter(pk=second.pk).update(started_at=at(100))
    control.end(second, "t1")
    control.end(second, "t2")
    second.task_runs.filter(phase=0).update(started_at=at(100), ended_at=at(105))
    second.task_runs.filter(phase=1).update(started_at=None)
    found = forecast_of(detail_of(second), at(106))
    assert found is not None
    assert (found.usual, found.left, found.ready_at) == (40, 10, at(116))


def test_a_run_that_is_being_terminated_has_no_forecast(control: Control, timed: Run) -> None:
    second = make_run(timed.orchestration)
    control.advance(second)
    assert forecast_of(detail_of(second), at(0)) is not None
    Run.objects.filter(pk=second.pk).update(terminate_at=at(0))
    assert forecast_of(detail_of(second), at(0)) is None


def test_a_child_run_is_drawn_as_the_task(control: Control) -> None:
    inner = make_orchestration([[make_configuration()]])
    run = make_run(make_orchestration([[inner]]))
    control.advance(run)
    child = control.task(run, "t1").child
    assert child is not None
    control.end(child, "t1", JobStatus.ERROR, "Oh.")
    Run.objects.filter(pk=child.pk).update(created_at=at(0), started_at=at(1), ended_at=at(5))
    [[row]] = [phase.tasks for phase in detail_of(run).phases]
    spans = run_drawing.spans_of(row)
    assert [(s.part, s.start, s.end, s.text) for s in spans] == [
        ("queued", at(0), at(1), ""),
        ("attempt", at(1), at(5), "Error"),
    ]
    run.refresh_from_db()
    assert run.status == RunStatus.ERROR
