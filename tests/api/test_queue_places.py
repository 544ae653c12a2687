from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from components.enums import JobStatus
from components.services import job_transitions
from components.services.jobs import create_job
from orchestrations.enums import RunStatus
from tests.builders import make_configuration, make_empty_orchestration, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(make_user(role="Viewer"))
    return client


def places(answer: Any) -> list[tuple[str, int | None]]:
    return [(row["waiting_for"], row["queue_position"]) for row in answer.json()["items"]]


@pytest.mark.parametrize("count", [1, 3])
def test_jobs_say_where_they_stand(
    reader: Client, count: int, django_assert_num_queries: Any
) -> None:
    configuration = make_configuration()
    first = create_job(configuration)
    job_transitions.claim(first.pk, worker="w")
    queued = [create_job(configuration) for _ in range(count)]
    said = f"1st in line behind job {first.pk}."
    one = reader.get(f"/api/v1/jobs/{queued[0].pk}").json()
    assert (one["waiting_for"], one["queue_position"]) == (said, 1)
    with django_assert_num_queries(8):
        listed = places(reader.get("/api/v1/jobs"))
    assert listed[-2:] == [(said, 1), ("", None)]
    assert [position for _, position in listed] == [*range(count, 0, -1), None]
    assert reader.get(f"/api/v1/jobs/{first.pk}").json()["status"] == JobStatus.PROCESSING


@pytest.mark.parametrize("count", [1, 3])
def test_runs_say_where_they_stand(
    reader: Client, count: int, django_assert_num_queries: Any
) -> None:
    orchestration = make_empty_orchestration()
    first = make_run(orchestration, status=RunStatus.PROCESSING)
    queued = [make_run(orchestration) for _ in range(count)]
    said = f"1st in line behind run {first.pk}."
    one = reader.get(f"/api/v1/runs/{queued[0].pk}").json()
    assert (one["waiting_for"], one["queue_position"]) == (said, 1)
    with django_assert_num_queries(9):
        listed = places(reader.get(f"/api/v1/orchestrations/{orchestration.pk}/runs"))
    assert listed[-2:] == [(said, 1), ("", None)]
    assert [position for _, position in listed] == [*range(count, 0, -1), None]
