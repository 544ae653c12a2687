from __future__ import annotations

import os
import time
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from components.enums import ErrorType, JobStatus
from components.models import Job
from components.services import job_transitions as transitions
from components.services.job_specs import WORK_FOLDER
from components.services.jobs import JobRequest, create_job, create_jobs
from components.services.recovery import recover_jobs
from tests.builders import make_configuration

pytestmark = pytest.mark.django_db
S = JobStatus


@pytest.fixture(autouse=True)
def home(settings: Settings, tmp_path: Path) -> Path:
    settings.HOME = tmp_path
    return tmp_path


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def active(status: JobStatus, *, lease: datetime) -> Job:
    job = create_job(make_configuration())
    fields: dict[str, Any] = {"token": uuid.uuid4(), "lease_until": lease, "worker": "box:7"}
    Job.objects.filter(pk=job.pk).update(status=status, **fields)
    return job


def queued(seconds: float, **fields: Any) -> Job:
    """A job whose bell was rung that long ago."""
    job = create_job(make_configuration())
    Job.objects.filter(pk=job.pk).update(**{"rung_at": ago(seconds), **fields})
    return job


def sweep(capture: DjangoCaptureOnCommitCallbacks) -> list[int]:
    """Recover and return the ids of the jobs that were rung for."""
    with capture() as callbacks:
        recover_jobs()
    return [job_id for callback in callbacks for job_id in callback.args[1]]  # type: ignore[attr-defined]


def test_jobs_of_a_dead_worker_end(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    lease = datetime(2026, 3, 1, 12, 0, 30, tzinfo=timezone.get_default_timezone())
    dead = active(S.PROCESSING, lease=lease)
    asked = active(S.TERMINATING, lease=ago(1))
    living = active(S.PROCESSING, lease=timezone.now() + transitions.LEASE)
    assert sweep(django_capture_on_commit_callbacks) == []
    for job in (dead, asked, living):
        job.refresh_from_db()
    assert (dead.status, dead.error_type, dead.token) == (S.ERROR, ErrorType.APPLICATION, None)
    assert dead.error == (
        "The worker stopped. It ran as box:7 and was last heard of at 2026-03-01 12:00:00 UTC."
    )
    assert (asked.status, asked.error) == (S.TERMINATED, "")
    assert living.status == S.PROCESSING
    event = dead.events.last()
    assert event is not None
    assert (event.old_status, event.new_status, event.actor) == ("processing", "error", "recovery")


def test_the_end_of_a_dead_one_wakes_the_next(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    configuration = make_configuration()
    first, second = create_jobs([JobRequest(configuration)] * 2)
    assert transitions.claim(first.pk, worker="w")
    assert transitions.claim(second.pk, worker="w") is None
    Job.objects.filter(pk=first.pk).update(lease_until=ago(1))
    assert sweep(django_capture_on_commit_callbacks) == [second.pk]


def test_bells_that_nobody_heard_are_rung_again(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    lost = queued(11)
    waiting = queued(11, status=S.WAITING)
    never = queued(0, rung_at=None)
    due = queued(11, not_before=ago(1))
    queued(5)  # may still be on its way
    queued(11, not_before=timezone.now() + timedelta(minutes=1))
    older = active(S.PROCESSING, lease=timezone.now() + transitions.LEASE)
    behind = create_job(older.configuration)  # type: ignore[arg-type]  # it has one
    Job.objects.filter(pk=behind.pk).update(rung_at=ago(11))
    expected = [lost.pk, waiting.pk, never.pk, due.pk]
    assert sweep(django_capture_on_commit_callbacks) == expected
    assert sweep(django_capture_on_commit_callbacks) == []  # rung a moment ago


def test_only_as_many_are_rung_as_may_run(
    settings: Settings, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    settings.JOB_LIMIT = 3
    active(S.PROCESSING, lease=timezone.now() + transitions.LEASE)
    lost = [queued(11) for _ in range(4)]
    assert sweep(django_capture_on_commit_callbacks) == [job.pk for job in lost[:2]]
    settings.JOB_LIMIT = 1
    assert sweep(django_capture_on_commit_callbacks) == []


def test_scratch_of_killed_workers_is_removed(home: Path) -> None:
    old, young = home / WORK_FOLDER / "old", home / WORK_FOLDER / "young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    day = time.time() - 25 * 3600
    os.utime(old, (day, day))
    recover_jobs()
    assert list((home / WORK_FOLDER).iterdir()) == [young]
