from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from orchestrations.enums import RunStatus, StartedBy
from orchestrations.queries.waiting import run_places
from tests.builders import make_empty_orchestration, make_run

pytestmark = pytest.mark.django_db
R = RunStatus
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@time_machine.travel(NOW, tick=False)
def test_runs_of_one_orchestration_stand_in_line_whatever_started_them() -> None:
    orchestration = make_empty_orchestration()
    start = NOW - timedelta(days=1)
    make_run(
        orchestration,
        status=R.SUCCESS,
        started_at=start,
        ended_at=start + timedelta(minutes=12),
    )
    runs = make_run(orchestration, status=R.PROCESSING, started_at=NOW)
    origins = (StartedBy.SCHEDULE, StartedBy.API, StartedBy.TRIGGER)
    queued = [make_run(orchestration, started_by=origin) for origin in origins]
    places = run_places([runs, *queued[::-1]])
    assert {pk: place.position for pk, place in places.items()} == {
        run.pk: number for number, run in enumerate(queued, 1)
    }
    assert places[queued[1].pk].text == (
        f"2nd in line behind run {runs.pk}, which usually ends at about 2026-11-22 10:42 UTC."
    )
    assert places[queued[1].pk].url == f"/runs/{runs.pk}/"


def test_a_run_behind_one_that_has_not_begun() -> None:
    orchestration = make_empty_orchestration()
    first, second = make_run(orchestration, status=R.WAITING), make_run(orchestration)
    places = run_places([first, second])
    assert list(places) == [second.pk]
    assert places[second.pk].text == f"1st in line behind run {first.pk}, which has not begun."


@pytest.mark.parametrize("count", [1, 3])
def test_places_cost_three_queries(count: int, django_assert_num_queries: Any) -> None:
    queued = []
    for _ in range(count):
        orchestration = make_empty_orchestration()
        make_run(orchestration, status=R.PROCESSING, started_at=NOW)
        queued.append(make_run(orchestration))
    with django_assert_num_queries(3):
        assert len(run_places(queued)) == count
    with django_assert_num_queries(0):
        assert run_places([make for make in queued if make.is_finished]) == {}
