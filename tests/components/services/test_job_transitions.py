from __future__ import annotations

import contextlib
import itertools
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import IntegrityError
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from components.enums import JOB_MOVES, UNFINISHED_JOB, JobStatus
from components.exceptions import StaleToken
from components.models import Configuration, Job, JobLog
from components.services import job_transitions as transitions
from components.services.jobs import JobRequest, create_job, create_jobs
from components.signals import job_finished, job_started
from tests.builders import make_component, make_configuration, make_user

pytestmark = pytest.mark.django_db
S = JobStatus


def events(job: Job) -> list[tuple[str, str]]:
    return list(job.events.values_list("old_status", "new_status"))


def rung(callbacks: list[Any]) -> list[int]:
    """Return the job ids that bells were rung for, out of callbacks on commit."""
    return [job_id for callback in callbacks for job_id in callback.args[1]]


def put(status: JobStatus, **fields: Any) -> Job:
    """A job in any status, as if it had come there."""
    job = create_job(make_configuration())
    if status in (S.PROCESSING, S.TERMINATING):
        fields = {"token": uuid.uuid4(), "lease_until": timezone.now() + transitions.LEASE} | fields
    Job.objects.filter(pk=job.pk).update(status=status, **fields)
    job.refresh_from_db()
    return job


def claimed(configuration: Configuration | None = None) -> transitions.Claim:
    claim = transitions.claim(create_job(configuration or make_configuration()).pk, worker="w")
    assert claim is not None
    return claim


MOVES: dict[JobStatus, Any] = {
    S.WAITING: lambda job: transitions._wait(job, "because"),  # noqa: SLF001  # inner move
    S.PROCESSING: lambda job: transitions.claim(job.pk, worker="w"),
    S.TERMINATING: transitions.ask_terminate,
    S.SUCCESS: lambda job: _end(job, S.SUCCESS),
    S.WARNING: lambda job: _end(job, S.WARNING),
    S.ERROR: lambda job: (
        transitions.fail_queued(job, error="no")
        if job.status in (S.CREATED, S.WAITING)
        else _end(job, S.ERROR)
    ),
    S.TERMINATED: lambda job: _end(job, S.TERMINATED),
    S.CANCELLED: lambda job: transitions.cancel(job, reason="no"),
}


def _end(job: Job, to: JobStatus) -> None:
    claim = transitions.Claim(job, job.token or uuid.uuid4())
    with transaction.atomic():
        transitions.end(claim, to, fields={})


@pytest.mark.parametrize(
    ("old", "new"), [pair for pair in itertools.product(S, MOVES) if pair[0] != pair[1]]
)
def test_every_pair_moves_only_as_allowed(old: JobStatus, new: JobStatus) -> None:
    job = put(old)
    before = events(job)
    with contextlib.suppress(StaleToken):
        MOVES[new](job)
    job.refresh_from_db()
    if new in JOB_MOVES[old]:
        # a job that is asked to terminate ends as Terminated, whatever else it would have been
        expected = S.TERMINATED if old == S.TERMINATING else new
        assert job.status == expected
        assert events(job) == [*before, (old, expected)]
    elif old in (S.CREATED, S.WAITING) and new == S.TERMINATING:
        assert job.status == S.CANCELLED  # what asking means for one that nobody runs
    elif old == S.TERMINATING and new in (S.SUCCESS, S.WARNING):
        assert job.status == S.TERMINATED
    else:
        assert job.status == old
        assert events(job) == before


def test_a_claim_takes_the_job_and_tells_of_it() -> None:
    heard: list[Job] = []

    def listen(job: Job, **_: Any) -> None:
        heard.append(job)

    job_started.connect(listen)
    try:
        claim = claimed()
    finally:
        job_started.disconnect(listen)
    job = Job.objects.get(pk=claim.job.pk)
    assert (job.status, job.token, job.worker) == (S.PROCESSING, claim.token, "w")
    assert job.started_at is not None
    assert job.lease_until is not None
    assert timedelta(seconds=28) < job.lease_until - timezone.now() <= timedelta(seconds=30)
    assert [j.pk for j in heard] == [job.pk]
    assert events(job) == [("", "created"), ("created", "processing")]


def test_a_second_message_for_the_same_job_changes_nothing() -> None:
    claim = claimed()
    assert transitions.claim(claim.job.pk, worker="other") is None
    assert Job.objects.get(pk=claim.job.pk).worker == "w"


def test_jobs_of_a_configuration_run_one_after_another_in_their_order(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    configuration = make_configuration()
    first, second, third = create_jobs([JobRequest(configuration)] * 3)
    assert transitions.claim(second.pk, worker="w") is None  # its bell came first
    second.refresh_from_db()
    assert (second.status, second.waiting_for) == (
        "waiting",
        f"Waiting for job {first.pk} of the same configuration",
    )
    claim = transitions.claim(first.pk, worker="w")
    assert claim is not None
    assert transitions.claim(third.pk, worker="w") is None
    with django_capture_on_commit_callbacks() as callbacks:
        transitions.end(claim, S.SUCCESS, fields={})
    assert rung(callbacks) == [second.pk]
    assert transitions.claim(third.pk, worker="w") is None
    following = transitions.claim(second.pk, worker="w")
    assert following is not None
    assert following.job.waiting_for == ""


def test_the_database_itself_refuses_a_second_active_job() -> None:
    claim = claimed()
    other = create_job(claim.job.configuration)  # type: ignore[arg-type]  # it has one
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=other.pk).update(status=S.PROCESSING)


def test_a_job_that_is_not_due_waits_and_stands_in_nobodys_way() -> None:
    configuration = make_configuration()
    later = create_job(configuration, not_before=timezone.now() + timedelta(hours=1))
    assert transitions.claim(later.pk, worker="w") is None
    assert Job.objects.get(pk=later.pk).status == S.CREATED
    assert transitions.claim(create_job(configuration).pk, worker="w") is not None


def test_the_project_limit_holds_and_its_end_wakes_the_oldest(
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.JOB_LIMIT = 1
    claim = claimed()
    waiting = [create_job(make_configuration()) for _ in range(2)]
    for job in waiting:
        assert transitions.claim(job.pk, worker="w") is None
    job = Job.objects.get(pk=waiting[0].pk)
    assert job.waiting_for == ("Waiting for a free place: 1 job is running, which is the limit")
    with django_capture_on_commit_callbacks() as callbacks:
        transitions.end(claim, S.ERROR, fields={"error": "no"})
    assert rung(callbacks) == [waiting[0].pk]
    assert transitions.claim(waiting[0].pk, worker="w") is not None


def test_the_limit_of_a_component_holds_for_it_alone(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    component = make_component(max_parallel=1)
    claim = claimed(make_configuration(component))
    waiting = create_job(make_configuration(component))
    assert transitions.claim(waiting.pk, worker="w") is None
    assert Job.objects.get(pk=waiting.pk).waiting_for == (
        "Waiting for another job of the component: 1 job is running, which is its limit"
    )
    other = claimed()
    with django_capture_on_commit_callbacks() as callbacks:
        transitions.end(other, S.SUCCESS, fields={})
    assert rung(callbacks) == []
    with django_capture_on_commit_callbacks() as callbacks:
        transitions.end(claim, S.SUCCESS, fields={})
    assert rung(callbacks) == [waiting.pk]


def test_a_configuration_that_went_away_ends_its_queued_jobs() -> None:
    trashed = create_job(make_configuration())
    Configuration.objects.filter(jobs=trashed).update(deleted_at=timezone.now())
    assert transitions.claim(trashed.pk, worker="w") is None
    trashed.refresh_from_db()
    assert trashed.status == S.CANCELLED
    assert trashed.events.last().reason == "The configuration was moved to the trash."  # type: ignore[union-attr]
    purged = create_job(make_configuration())
    Job.objects.filter(pk=purged.pk).update(configuration=None)
    assert transitions.claim(purged.pk, worker="w") is None
    purged.refresh_from_db()
    assert (purged.status, purged.error) == (
        "error",
        "The configuration was deleted before the job began.",
    )


def test_the_end_commits_with_what_belongs_to_it_or_not_at_all() -> None:
    claim = claimed()

    def refuse() -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        transitions.end(claim, S.SUCCESS, fields={}, commit=refuse)
    job = Job.objects.get(pk=claim.job.pk)
    assert (job.status, job.ended_at) == (S.PROCESSING, None)
    assert (
        transitions.end(
            claim,
            S.SUCCESS,
            fields={"result": {"a": 1}},
            commit=lambda: {"tables_out": [{"rows": 2}]},
        )
        == S.SUCCESS
    )
    job.refresh_from_db()
    assert (job.result, job.tables_out, job.lease_until) == ({"a": 1}, [{"rows": 2}], None)
    assert job.ended_at is not None


def test_a_success_that_comes_after_the_request_to_stop_is_no_success() -> None:
    claim = claimed()
    user = make_user()
    job = transitions.ask_terminate(claim.job, user=user)
    assert (job.status, job.terminated_by) == (S.TERMINATING, user)
    assert transitions.is_terminating(claim) is True
    committed: list[int] = []

    def commit() -> dict[str, Any]:
        committed.append(1)
        return {}

    fields = {"result": {"a": 1}}
    assert transitions.end(claim, S.SUCCESS, fields=fields, commit=commit) == S.TERMINATED
    job.refresh_from_db()
    assert (job.status, job.result, committed) == (S.TERMINATED, {}, [])


def test_asking_twice_changes_nothing_more() -> None:
    claim = claimed()
    first = transitions.ask_terminate(claim.job)
    again = transitions.ask_terminate(claim.job)
    assert again.terminate_at == first.terminate_at
    assert len(events(again)) == 3


def test_every_kind_of_end_is_told() -> None:
    heard: list[tuple[int, str]] = []

    def listen(job: Job, **_: Any) -> None:
        heard.append((job.pk, job.status))

    ends = [claimed() for _ in range(3)]
    cancelled, dead = create_job(make_configuration()), claimed()
    Job.objects.filter(pk=dead.job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    job_finished.connect(listen)
    try:
        transitions.end(ends[0], S.SUCCESS, fields={})
        transitions.end(ends[1], S.ERROR, fields={"error": "no"})
        transitions.ask_terminate(ends[2].job)
        transitions.end(ends[2], S.TERMINATED, fields={})
        transitions.ask_terminate(cancelled)
        transitions.declare_dead(Job.objects.get(pk=dead.job.pk), error="gone")
    finally:
        job_finished.disconnect(listen)
    jobs = [*(claim.job.pk for claim in ends), cancelled.pk, dead.job.pk]
    statuses = ["success", "error", "terminated", "cancelled", "error"]
    assert heard == list(zip(jobs, statuses, strict=True))


def test_a_worker_declared_dead_changes_nothing_any_more() -> None:
    claim = claimed()
    transitions.write_log(claim, [JobLog(job=claim.job, seq=1, at=timezone.now(), message="a")])
    Job.objects.filter(pk=claim.job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert transitions.declare_dead(Job.objects.get(pk=claim.job.pk), error="The worker stopped.")
    assert transitions.renew_lease(claim) is False
    assert transitions.is_terminating(claim) is None
    with pytest.raises(StaleToken):
        transitions.write_log(claim, [JobLog(job=claim.job, seq=2, at=timezone.now())])
    with pytest.raises(StaleToken):
        transitions.end(claim, S.SUCCESS, fields={}, commit=lambda: {"result": {"late": True}})
    job = Job.objects.get(pk=claim.job.pk)
    assert (job.status, job.error, job.result) == (S.ERROR, "The worker stopped.", {})
    assert job.log.count() == 1


def test_a_worker_that_came_back_in_time_is_not_dead() -> None:
    claim = claimed()
    Job.objects.filter(pk=claim.job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    seen = Job.objects.get(pk=claim.job.pk)
    assert transitions.renew_lease(claim) is True
    assert transitions.declare_dead(seen, error="gone") is False
    assert Job.objects.get(pk=claim.job.pk).status == S.PROCESSING


def test_log_lines_written_twice_stand_there_once() -> None:
    claim = claimed()
    line = {"job": claim.job, "seq": 1, "at": timezone.now(), "message": "a"}
    transitions.write_log(claim, [JobLog(**line)])
    transitions.write_log(claim, [JobLog(**line)])
    assert list(claim.job.log.values_list("seq", "message")) == [(1, "a")]


def test_the_words_for_unfinished_and_moves_agree() -> None:
    assert {status for status in S if JOB_MOVES[status]} == set(UNFINISHED_JOB)
