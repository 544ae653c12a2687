from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestrations.models import Orchestration
from orchestrations.queries.orchestrations import (
    list_orchestrations,
    orchestration_rows,
    orchestrations_using,
)
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_orchestration,
    make_run,
    make_schedule,
)

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def names(found: object) -> list[str]:
    return [str(o) for o in found]  # type: ignore[attr-defined]


def test_the_list_is_by_name_outside_the_trash() -> None:
    for name in ("b", "a", "c"):
        make_empty_orchestration(name=name)
    Orchestration.objects.filter(name="c").update(deleted_at=timezone.now())
    assert names(list_orchestrations()) == ["a", "b"]
    assert names(list_orchestrations(trash=True)) == ["c"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["Daily orders", "Weekly"]),
        ("ORDERS", ["Daily orders"]),
        ("day sunday", ["Weekly"]),
        ("orders sunday", []),
        ("\0daily", ["Daily orders"]),
        ("100%", []),
    ],
)
def test_search(search: str, found: list[str]) -> None:
    make_empty_orchestration(name="Daily orders")
    make_empty_orchestration(name="Weekly", description="Each Sunday")
    assert names(list_orchestrations(search)) == found


def test_the_switch_as_a_filter() -> None:
    make_empty_orchestration(name="on")
    make_empty_orchestration(name="off", is_enabled=False)
    assert names(list_orchestrations(enabled=True)) == ["on"]
    assert names(list_orchestrations(enabled=False)) == ["off"]


def test_rows() -> None:
    a, b = make_configuration(), make_configuration()
    full = make_orchestration([[a, b], [a]])
    empty = make_empty_orchestration()
    later = make_schedule(NOON + timedelta(hours=1), orchestration=full)
    sooner = make_schedule(NOON, orchestration=full)
    resting = make_schedule(None, orchestration=full, is_enabled=False)
    make_schedule(NOON - timedelta(hours=1), orchestration=full, deleted_at=NOON)
    runs = [make_run(full) for _ in range(22)]
    [first, second] = orchestration_rows([full, empty])
    assert (first.orchestration, first.phase_count, first.task_count) == (full, 2, 3)
    assert first.schedules == [later, sooner, resting]
    assert (first.next_fire_at, first.last_run) == (NOON, runs[-1])
    assert first.runs == runs[2:]
    assert (second.phase_count, second.task_count, second.schedules) == (0, 0, [])
    assert (second.next_fire_at, second.last_run, second.runs) == (None, None, [])


def test_rows_cost_the_same_for_many() -> None:
    def count(rows: int) -> int:
        made = []
        for _ in range(rows):
            made.append(make_orchestration([[make_configuration()]]))
            make_schedule(NOON, orchestration=made[-1])
            make_run(made[-1])
        with CaptureQueriesContext(connection) as found:
            for row in orchestration_rows(made):
                assert row.last_run is not None
                assert row.next_fire_at is not None
        return len(found)

    assert (count(1), count(3)) == (5, 5)


def test_which_orchestrations_use_a_configuration() -> None:
    used, other = make_configuration(), make_configuration()
    make_orchestration([[used, used], [used]], name="b")
    make_orchestration([[used]], name="a")
    make_orchestration([[other]], name="c")
    make_orchestration([[used]], name="d")
    Orchestration.objects.filter(name="d").update(deleted_at=NOON)
    assert names(orchestrations_using(used)) == ["a", "b"]
