from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from components.enums import LogLevel
from components.models import Job, JobLog
from orchestrations.enums import RunStatus
from orchestrations.models import Run, RunEvent, TaskRun
from orchestrations.queries import run_log
from orchestrations.queries.run_log import Cursor, LogPage, Wanted, log_after, log_tail, log_text
from tests.builders import make_configuration, make_orchestration, make_run
from tests.control import Control

pytestmark = pytest.mark.django_db
T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
INFO, ERROR = LogLevel.INFO, LogLevel.ERROR


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def write(job: Job, second: float, text: str, level: LogLevel = INFO) -> JobLog:
    seq = JobLog.objects.filter(job=job).count() + 1
    return JobLog.objects.create(job=job, seq=seq, at=at(second), level=level, message=text)


def happen(run: Run, second: float, status: str, task: TaskRun | None = None) -> RunEvent:
    event = RunEvent.objects.create(run=run, task_run=task, new_status=status)
    RunEvent.objects.filter(pk=event.pk).update(at=at(second))
    return event


@pytest.fixture
def run(control: Control) -> Run:
    """A run that ended, with the tasks “a” and “b”, a job each, and nothing in its log."""
    made = make_run(make_orchestration([[make_configuration(name=name) for name in "ab"]]))
    control.advance(made)
    RunEvent.objects.all().delete()
    Run.objects.update(status=RunStatus.SUCCESS, started_at=T0, ended_at=at(1000), created_at=T0)
    made.refresh_from_db()
    return made


def jobs(run: Run) -> list[Job]:
    return list(Job.objects.filter(attempt__task_run__run=run).order_by("pk"))


def texts(page: LogPage) -> list[str]:
    return [entry.text for entry in page.entries]


def test_events_and_the_lines_of_all_jobs_are_merged_in_order_of_time(run: Run) -> None:
    a, b = jobs(run)
    task = run.task_runs.get(key="t1")
    happen(run, 0, "processing")
    write(a, 2, "a begins")
    write(b, 1, "b begins")
    happen(run, 3, "error", task)
    write(a, 3, "a ends", ERROR)
    page = log_after(run)
    assert [(e.at, e.level, e.task, e.job, e.text) for e in page.entries] == [
        (at(0), INFO, None, None, "Processing"),
        (at(1), INFO, "b", b.pk, "b begins"),
        (at(2), INFO, "a", a.pk, "a begins"),
        (at(3), ERROR, "a", None, "Error"),
        (at(3), ERROR, "a", a.pk, "a ends"),
    ]
    assert log_tail(run).entries == page.entries
    assert (page.before, page.more) == (None, False)


def test_another_runs_lines_are_not_in_it(run: Run, control: Control) -> None:
    other = make_run(make_orchestration([[make_configuration()]]))
    control.advance(other)
    write(jobs(other)[0], 1, "not mine")
    write(jobs(run)[0], 2, "mine")
    assert texts(log_after(run)) == ["mine"]


@pytest.mark.parametrize("sorted_up_to", [20_000, 0])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_every_entry_is_on_one_page_both_ways(
    run: Run, monkeypatch: pytest.MonkeyPatch, limit: int, sorted_up_to: int
) -> None:
    monkeypatch.setattr(run_log, "SORTED", sorted_up_to)
    a, b = jobs(run)
    for number, second in enumerate([1, 1, 1, 2, 2, 3, 3, 3, 3, 4]):
        write((a, b)[number % 2], second, f"line {number}")
    for second in (1, 1, 3, 5):
        happen(run, second, "processing")
    everything = log_after(run).entries
    assert len(everything) == 14
    assert [e.place for e in everything] == sorted(e.place for e in everything)
    forward, after = [], None
    for _ in itertools.count():
        page = log_after(run, after=after, limit=limit)
        forward += page.entries
        after = Cursor.of(str(page.after))
        if not page.more:
            break
    assert forward == everything
    backward: list[run_log.Entry] = []
    before = None
    for _ in itertools.count():
        page = log_tail(run, before=before, limit=limit)
        backward = page.entries + backward
        if page.before is None:
            break
        before = Cursor.of(str(page.before))
    assert backward == everything


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(level="info"), ["Processing", "one", "two fails", "Error", "Cancelled"]),
        (Wanted(level="warning"), ["two fails", "Error", "Cancelled"]),
        (Wanted(level="error"), ["two fails", "Error"]),
        (Wanted(level="debug"), ["Processing", "zero", "one", "two fails", "Error", "Cancelled"]),
        (Wanted(words="TWO"), ["two fails"]),
        (Wanted(words="error"), ["Error"]),
        (Wanted(words="100%"), []),
        (Wanted(words="fails", level="error"), ["two fails"]),
    ],
)
def test_what_is_wanted(run: Run, wanted: Wanted, found: list[str]) -> None:
    a, b = jobs(run)
    happen(run, 0, "processing")
    write(a, 1, "zero", LogLevel.DEBUG)
    write(a, 2, "one")
    write(b, 3, "two fails", ERROR)
    happen(run, 4, "error", run.task_runs.get(key="t2"))
    happen(run, 5, "cancelled")
    assert texts(log_after(run, wanted)) == found
    assert texts(log_tail(run, wanted)) == found


def test_one_task(run: Run) -> None:
    a, b = jobs(run)
    task = run.task_runs.get(key="t2")
    happen(run, 0, "processing")
    happen(run, 1, "success", task)
    write(a, 2, "of a")
    write(b, 3, "of b")
    assert texts(log_after(run, Wanted(task=task.pk))) == ["Success", "of b"]


def test_an_unfinished_run_holds_back_what_may_not_be_complete(run: Run) -> None:
    [a, _] = jobs(run)
    Run.objects.update(status=RunStatus.PROCESSING, ended_at=None)
    write(a, 1, "long ago")
    JobLog.objects.create(job=a, seq=2, at=datetime.now(UTC), level=INFO, message="just now")
    unfinished = Run.objects.get()
    assert texts(log_tail(unfinished)) == ["long ago"]
    Run.objects.update(status=RunStatus.SUCCESS, ended_at=datetime.now(UTC))
    seen = log_tail(unfinished).after
    assert texts(log_after(Run.objects.get(), after=seen)) == ["just now"]


def test_the_file_has_all_of_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "CHUNK", 2)
    [a, _] = jobs(run)
    happen(run, 0, "processing")
    for number in range(4):
        write(a, number + 1, f"line {number}")
    assert list(log_text(run)) == [
        "2026-11-20T12:00:00.000000Z\tinfo\t-\tProcessing\n",
        *(f"2026-11-20T12:00:0{n + 1}.000000Z\tinfo\ta\tline {n}\n" for n in range(4)),
    ]


def test_the_log_costs_the_same_for_many_jobs(control: Control) -> None:
    def count(tasks: int) -> int:
        made = make_run(make_orchestration([[make_configuration() for _ in range(tasks)]]))
        control.advance(made)
        Run.objects.filter(pk=made.pk).update(status=RunStatus.SUCCESS)
        for number, job in enumerate(jobs(made)):
            write(job, number, "line")
        with CaptureQueriesContext(connection) as found:
            assert len(log_tail(Run.objects.get(pk=made.pk)).entries) > tasks
        return len(found)

    assert (count(1), count(6)) == (5, 5)


@pytest.mark.parametrize("text", [None, "", "x", "12", "12e", "e12", "99999999999999999e1", "1x2"])
def test_a_place_that_makes_no_sense_is_none(text: str | None) -> None:
    assert Cursor.of(text) is None


def test_a_place_is_read_back_from_its_text() -> None:
    place = Cursor(datetime(2026, 11, 25, 1, 2, 3, 456789, tzinfo=UTC), "l", 17)
    assert Cursor.of(str(place)) == place
