from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from components.enums import JobStatus
from components.models import Configuration, Job
from components.queries.waiting import Place, job_places, ordinal
from tests.builders import make_component, make_configuration

pytestmark = pytest.mark.django_db
S = JobStatus
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_half_past_ten() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def job(configuration: Configuration, status: JobStatus = S.CREATED, **fields: Any) -> Job:
    return Job.objects.create(
        component=configuration.component,
        configuration=configuration,
        configuration_name=configuration.name,
        configuration_version=1,
        status=status,
        **fields,
    )


def ran(configuration: Configuration, seconds: int) -> None:
    start = NOW - timedelta(days=1)
    job(configuration, S.SUCCESS, started_at=start, ended_at=start + timedelta(seconds=seconds))


def texts(jobs: list[Job]) -> list[str]:
    places = job_places(jobs)
    return [places[j.pk].text if j.pk in places else "" for j in jobs]


def test_numbers_are_said_as_places() -> None:
    said = [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 101, 111)]
    assert said == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "111th"]


def test_jobs_of_one_configuration_stand_in_line_behind_the_one_that_runs() -> None:
    configuration = make_configuration()
    for seconds in (600, 840):
        ran(configuration, seconds)
    # it was asked for later than the one that waits: a delayed one may
    waits = job(configuration, S.WAITING)
    runs = job(configuration, S.PROCESSING, started_at=NOW)
    second = job(configuration)
    ended = job(configuration, S.SUCCESS)
    behind = f"in line behind job {runs.pk}, which usually ends at about 2026-11-22 10:42 UTC."
    assert texts([runs, waits, second, ended]) == ["", f"1st {behind}", f"2nd {behind}", ""]
    place = job_places([second])[second.pk]
    assert (place.position, place.url, place.ends_at, place.is_late) == (
        2,
        f"/jobs/{runs.pk}/",
        NOW + timedelta(minutes=12),
        False,
    )


def test_one_that_takes_longer_than_usual_is_said_to() -> None:
    configuration = make_configuration()
    ran(configuration, 60)
    runs = job(configuration, S.PROCESSING, started_at=NOW - timedelta(seconds=61))
    waits = job(configuration)
    assert texts([waits]) == [f"1st in line behind job {runs.pk}, which takes longer than usual."]


def test_without_a_history_nothing_is_said_about_the_end() -> None:
    configuration = make_configuration()
    runs = job(configuration, S.TERMINATING, started_at=NOW)
    job(configuration, S.ERROR, started_at=NOW, ended_at=NOW + timedelta(hours=1))
    assert texts([job(configuration)]) == [f"1st in line behind job {runs.pk}."]


def test_the_first_of_each_configuration_waits_for_a_free_place(settings: Settings) -> None:
    settings.JOB_LIMIT = 1
    one, other, third = (make_configuration() for _ in range(3))
    job(one, S.PROCESSING, started_at=NOW)
    job(one)  # in its own line, not in that for a place
    first, second, behind = job(other), job(third), job(other)
    line = "in line for a free place: 1 job is running, which is the limit."
    assert texts([first, second, behind]) == [
        f"1st {line}",
        f"2nd {line}",
        f"1st in line behind job {first.pk}, which has not begun.",
    ]


def test_the_limit_of_a_component_has_a_line_of_its_own() -> None:
    component = make_component(max_parallel=2)
    for _ in range(2):
        job(make_configuration(component), S.PROCESSING, started_at=NOW)
    elsewhere = job(make_configuration())
    first, second = (job(make_configuration(component)) for _ in range(2))
    line = "in line for its component: 2 jobs are running, which is its limit."
    assert texts([elsewhere, first, second]) == [
        "1st in line for a worker.",
        f"1st {line}",
        f"2nd {line}",
    ]


def test_a_job_whose_time_has_not_come_is_in_no_line() -> None:
    configuration = make_configuration()
    later = job(configuration, not_before=NOW + timedelta(hours=1))
    assert job_places([later]) == {later.pk: Place(starts_at=NOW + timedelta(hours=1))}
    assert texts([later]) == ["Starts at 2026-11-22 11:30 UTC."]
    assert texts([job(configuration)]) == ["1st in line for a worker."]


@pytest.mark.parametrize("count", [1, 3])
def test_places_cost_six_queries(count: int, django_assert_num_queries: Any) -> None:
    jobs = []
    for _ in range(count):
        configuration = make_configuration()
        job(configuration, S.PROCESSING, started_at=NOW)
        jobs += [job(configuration), job(make_configuration())]
    with django_assert_num_queries(6):
        assert len(job_places(jobs)) == 2 * count
    with django_assert_num_queries(0):
        assert job_places(Job(status=S.SUCCESS) for _ in range(count)) == {}
