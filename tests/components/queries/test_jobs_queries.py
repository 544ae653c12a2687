from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from components.enums import JobStatus
from components.models import Job, JobLog
from components.queries.jobs import (
    JobFilter,
    QuickFilter,
    job_detail,
    last_job_by_configuration,
    last_jobs,
    list_jobs,
    log_lines,
)
from tests.builders import make_component, make_configuration, make_user

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


def ids(page: Any) -> list[int]:
    return [job.pk for job in page.jobs]


def test_pages_follow_one_another_newest_first() -> None:
    made = [job().pk for _ in range(5)]
    first = list_jobs(limit=2)
    job()  # a new one moves no page
    second = list_jobs(limit=2, after=first.after)
    third = list_jobs(limit=2, after=second.after)
    assert [ids(first), ids(second), ids(third)] == [made[4:2:-1], made[2:0:-1], made[:1]]
    assert (first.after, second.after, third.after) == (made[3], made[1], None)


@pytest.mark.parametrize("count", [1, 3])
def test_a_page_costs_one_query(count: int, django_assert_num_queries: Any) -> None:
    for _ in range(count):
        job(created_by=make_user())
    with django_assert_num_queries(1):
        for row in list_jobs().jobs:
            assert (row.component.name, row.created_by) != ("", None)


def test_each_filter_keeps_what_it_names() -> None:
    ann, now = make_user(name="ann"), timezone.now()
    component = make_component("ex-one", name="The One")
    configuration = make_configuration(component)
    one = job(
        configuration=configuration,
        created_by=ann,
        status=S.ERROR,
        error="No such host.",
        created_at=now - timedelta(days=2),
        started_at=now - timedelta(seconds=100),
        ended_at=now - timedelta(seconds=50),
    )
    other = job(started_at=now - timedelta(seconds=40), status=S.PROCESSING)
    kept = {
        "statuses": JobFilter(statuses=[S.ERROR, S.CANCELLED]),
        "component": JobFilter(component="ex-one"),
        "configuration": JobFilter(configuration=configuration.pk),
        "user": JobFilter(user="ann"),
        "to": JobFilter(created_to=now - timedelta(days=1)),
        "error": JobFilter(text=" such HOST"),
        "name": JobFilter(text=configuration.name),
        "component name": JobFilter(text="the one"),
        "longer": JobFilter(longer_than=45),
    }
    for name, where in kept.items():
        assert ids(list_jobs(where)) == [one.pk], name
    assert one.pk in ids(list_jobs(JobFilter(text=str(one.pk))))
    assert ids(list_jobs(JobFilter(created_from=now - timedelta(days=1)))) == [other.pk]
    assert ids(list_jobs(JobFilter(excluded_users=["ann"]))) == [other.pk]
    assert ids(list_jobs(JobFilter(longer_than=30))) == [other.pk, one.pk]
    assert ids(list_jobs(JobFilter(longer_than=60))) == []
    assert ids(list_jobs(JobFilter(text="9" * 30))) == []


def test_quick_filters() -> None:
    ann, now = make_user(), timezone.now()
    long_ago = now - timedelta(days=8)
    mine = job(created_by=ann)
    my_failed = job(created_by=ann, status=S.ERROR, created_at=long_ago)
    failed = job(created_by=make_user(), status=S.ERROR)
    slow = job(status=S.PROCESSING, started_at=now - timedelta(minutes=11))
    job(status=S.PROCESSING, started_at=now)
    found = {quick: ids(list_jobs(quick=quick, user=ann)) for quick in QuickFilter}
    assert found == {
        QuickFilter.LONG_RUNNING: [slow.pk],
        QuickFilter.MINE: [my_failed.pk, mine.pk],
        QuickFilter.MY_FAILED: [my_failed.pk],
        QuickFilter.FAILED_LATELY: [failed.pk],
    }
    assert ids(list_jobs(quick=QuickFilter.MINE)) == []


def test_last_jobs_of_configurations(django_assert_num_queries: Any) -> None:
    one, two, none = (make_configuration() for _ in range(3))
    made = [job(configuration=one).pk for _ in range(3)]
    other = job(configuration=two)
    assert [j.pk for j in last_jobs(one, limit=2)] == made[:0:-1]
    with django_assert_num_queries(2):
        newest = last_job_by_configuration([one.pk, two.pk, none.pk])
    assert {pk: found.pk for pk, found in newest.items()} == {one.pk: made[2], two.pk: other.pk}


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
