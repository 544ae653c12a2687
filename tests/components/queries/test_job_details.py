from __future__ import annotations

from datetime import UTC, datetime

import pytest

from components.enums import LogLevel
from components.models import Job, JobLog
from components.queries.job_details import log_tail, log_text, parameters_of, present_tables
from components.services.jobs import create_job
from tests.builders import make_configuration
from tests.storage_tables import KEY, load, values

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 22, 18, 22, 1, 500, tzinfo=UTC)


@pytest.fixture
def job() -> Job:
    return create_job(make_configuration(parameters={"url": "http://a"}))


def write(job: Job, *messages: str, level: LogLevel = LogLevel.INFO) -> None:
    first = JobLog.objects.filter(job=job).count() + 1
    JobLog.objects.bulk_create(
        JobLog(job=job, seq=first + i, at=AT, level=level, message=message)
        for i, message in enumerate(messages)
    )


def test_the_end_of_a_log_and_what_comes_before_it(job: Job) -> None:
    write(job, "a", "b", "c", "d", "e")
    end = log_tail(job, limit=2)
    assert ([line.message for line in end.lines], end.before, end.last) == (["d", "e"], 4, 5)
    earlier = log_tail(job, before=4, limit=2)
    assert ([line.message for line in earlier.lines], earlier.before) == (["b", "c"], 2)
    first = log_tail(job, before=2, limit=2)
    assert ([line.message for line in first.lines], first.before) == (["a"], None)


def test_an_empty_log_has_no_last_line(job: Job) -> None:
    assert log_tail(job).last == 0


def test_the_end_of_a_log_by_level_and_text(job: Job) -> None:
    write(job, "Read 5 rows", "read nothing")
    write(job, "failed to read", level=LogLevel.ERROR)
    found = log_tail(job, text="READ", levels=[LogLevel.INFO])
    assert [line.message for line in found.lines] == ["Read 5 rows", "read nothing"]
    assert found.last == 3  # what comes later is asked for from here


def test_a_log_as_text(job: Job) -> None:
    write(job, "žluť")
    write(job, "bad", level=LogLevel.ERROR)
    at = "2026-11-22T18:22:01.000500Z"
    assert list(log_text(job)) == [f"{at}\tinfo\tžluť\n", f"{at}\terror\tbad\n"]


def test_parameters_are_those_of_the_version_that_ran(job: Job) -> None:
    job.configuration.parameters = {"url": "http://b"}  # type: ignore[union-attr]  # it has one
    job.configuration.save()  # type: ignore[union-attr]
    assert parameters_of(job) == {"url": "http://a"}
    job.configuration.delete()  # type: ignore[union-attr]
    job.refresh_from_db()
    assert parameters_of(job) is None


def test_tables_that_are_still_there(job: Job) -> None:
    load(values("(1, 'a')"))
    job.tables_in = [{"table": "in.c-gone.t", "rows": 1, "bytes": 1}]
    job.tables_out = [{"table": KEY, "rows": 1, "bytes": 1}]
    assert present_tables(job) == {KEY}
