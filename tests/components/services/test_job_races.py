"""Many workers at once, on a database that really runs transactions side by side."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from components.enums import JobStatus
from components.exceptions import StaleToken
from components.models import Job
from components.services import job_transitions as transitions
from components.services.jobs import JobRequest, create_job, create_jobs
from tests.builders import make_component, make_configuration

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.postgres_database,
    pytest.mark.django_db(transaction=True),
]
THREADS = 8


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """Call `work` with 0, 1, … in threads that begin together; raises what one of them raised."""
    begin = threading.Barrier(THREADS)
    results: list[Any] = [None] * THREADS
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            begin.wait(10)
            results[number] = work(number)
        except BaseException as error:  # noqa: BLE001  # raised again below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return results


def test_one_of_many_workers_gets_the_job() -> None:
    for _ in range(10):
        job = create_job(make_configuration())
        claims = [c for c in at_once(lambda n: transitions.claim(job.pk, worker=f"w{n}")) if c]  # noqa: B023  # joined before the next turn
        assert len(claims) == 1
        fresh = Job.objects.get(pk=job.pk)
        assert (fresh.token, fresh.worker) == (claims[0].token, claims[0].job.worker)
        assert job.events.count() == 2


def test_jobs_of_one_configuration_never_overlap_and_keep_their_order(
    settings: Settings,
) -> None:
    settings.JOB_LIMIT = 100
    jobs = create_jobs([JobRequest(make_configuration())] * THREADS)
    ended: list[int] = []
    while len(ended) < THREADS:
        claims = [c for c in at_once(lambda n: transitions.claim(jobs[n].pk, worker="w")) if c]
        assert len(claims) == 1
        ended.append(claims[0].job.pk)
        transitions.end(claims[0], JobStatus.SUCCESS, fields={})
    assert ended == [job.pk for job in jobs]


def test_the_limits_are_exact(settings: Settings) -> None:
    settings.JOB_LIMIT = 5
    component = make_component(max_parallel=2)
    few = create_jobs([JobRequest(make_configuration(component)) for _ in range(4)])
    many = create_jobs([JobRequest(make_configuration()) for _ in range(THREADS - 4)])
    jobs = [*few, *many]
    claims = [c for c in at_once(lambda n: transitions.claim(jobs[n].pk, worker="w")) if c]
    kinds = Counter(claim.job.component_id == component.pk for claim in claims)
    assert kinds[True] <= 2
    assert len(claims) == 5
    waiting = Job.objects.filter(status=JobStatus.WAITING)
    assert all(job.waiting_for for job in waiting)
    assert waiting.count() == THREADS - 5


def test_of_an_end_and_a_declaration_of_death_one_counts() -> None:
    for _ in range(10):
        job = create_job(make_configuration())
        claim = transitions.claim(job.pk, worker="w")
        assert claim is not None
        Job.objects.filter(pk=job.pk).update(lease_until="2020-01-01T00:00:00Z")
        seen = Job.objects.get(pk=job.pk)

        def work(
            number: int, claim: transitions.Claim = claim, seen: Job = seen
        ) -> JobStatus | None:
            if number % 2:
                return JobStatus.ERROR if transitions.declare_dead(seen, error="gone") else None
            try:
                return transitions.end(claim, JobStatus.SUCCESS, fields={})
            except StaleToken:
                return None

        winners = [status for status in at_once(work) if status]
        assert len(winners) == 1
        assert Job.objects.get(pk=job.pk).status == winners[0]
        assert job.events.count() == 3
