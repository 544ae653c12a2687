from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from components.enums import JobStatus
from components.models import Job, JobLog
from components.queries.jobs import job_detail, last_jobs, log_lines
from tests.builders import make_configuration, make_user

pytestmark = pytest.mark.django_db
S = JobStatus


def job(**fields: Any) -> Job:
    configuration = fields.pop("configuration", None) or make_configuration(
        fields.pop("component", None)
    )
    created_at = fields.pop("created_at", None)
    made = Job.objects.create(
        component=configuration.component,
        configuration=configuration,
        configuration_name=configuration.name,
        configuration_version=1,
        **{"status": S.SUCCESS, **fields},
    )
    if created_at:
        Job.objects.filter(pk=made.pk).update(created_at=created_at)
    return made


def test_last_jobs_of_a_configuration() -> None:
    one = make_configuration()
    made = [job(configuration=one).pk for _ in range(3)]
    job()
    assert [j.pk for j in last_jobs(one, limit=2)] == made[:0:-1]


def test_a_job_with_all_that_its_page_shows(django_assert_num_queries: Any) -> None:
    made = job(created_by=make_user())
    made.events.create(new_status=S.CREATED)
    with django_assert_num_queries(2):
        found = job_detail(made.pk)
        assert [event.new_status for event in found.events.all()] == ["created"]
        assert (found.configuration, found.created_by) == (made.configuration, made.created_by)


def test_log_lines_after_a_number_with_filters() -> None:
    made, other = job(), job()
    levels = ["info", "warning", "error", "info"]
    for seq, level in enumerate(levels, 1):
        JobLog.objects.create(
            job=made, seq=seq, at=timezone.now(), level=level, message=f"Line {seq}"
        )
    JobLog.objects.create(job=other, seq=2, at=timezone.now(), message="another's")
    page = log_lines(made, after=1, limit=2)
    assert ([line.seq for line in page.lines], page.after, page.more) == ([2, 3], 3, True)
    rest = log_lines(made, after=page.after)
    assert ([line.seq for line in rest.lines], rest.after, rest.more) == ([4], 4, False)
    assert [line.seq for line in log_lines(made, levels=["warning", "error"]).lines] == [2, 3]
    assert [line.seq for line in log_lines(made, text="LINE 3").lines] == [3]
    assert log_lines(made, after=9).after == 9
