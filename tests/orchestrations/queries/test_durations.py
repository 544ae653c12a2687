from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration
from orchestrations.queries.durations import usual_durations
from tests.builders import make_empty_orchestration, make_run

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def ran(orchestration: Orchestration, *seconds: int, status: RunStatus = RunStatus.SUCCESS) -> None:
    for lasted in seconds:
        end = NOON + timedelta(seconds=lasted)
        make_run(orchestration, status=status, started_at=NOON, ended_at=end)


def test_it_is_the_mean_of_the_last_twenty_finished_runs() -> None:
    some, many, none = (make_empty_orchestration() for _ in range(3))
    ran(some, 10, 30)
    ran(some, 50, status=RunStatus.ERROR)
    ran(some, 1000, status=RunStatus.TERMINATED)
    make_run(some, status=RunStatus.PROCESSING, started_at=NOON)
    ran(many, 1000, *[10] * 10, *[20] * 10)
    ran(none, 7, status=RunStatus.CANCELLED)
    assert usual_durations([some.pk, many.pk, none.pk, some.pk]) == {
        some.pk: timedelta(seconds=30),
        many.pk: timedelta(seconds=15),
    }
    assert usual_durations([]) == {}


@pytest.mark.parametrize("count", [1, 3])
def test_two_queries_however_many(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    orchestrations = [make_empty_orchestration() for _ in range(count)]
    for orchestration in orchestrations:
        ran(orchestration, 10)
    with django_assert_num_queries(2):
        assert len(usual_durations([o.pk for o in orchestrations])) == count
