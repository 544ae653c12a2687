from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from components import tasks
from components.enums import JobOrigin, JobStatus
from components.exceptions import NotAllowed
from components.models import Component, Configuration, Job, Segment, Table, TableVersion
from components.services import jobs, storage_files
from components.services.catalogue import sync_components
from components.services.job_specs import WORK_FOLDER, merged
from components.services.jobs import JobRequest, create_job, create_jobs, run_job, terminate_job
from components.store.segments import open_store
from orchestrator_site.lib.secrets import encrypt_tree
from tests.builders import make_configuration, make_user
from tests.waiting import eventually

S = JobStatus


@pytest.fixture(autouse=True)
def installation(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """A data directory of its own, with the components for tests."""
    settings.HOME = tmp_path
    settings.STORAGE_URL = f"file://{tmp_path / 'storage'}"
    settings.COMPONENT_MODULES = ["tests.job_components"]
    storage_files._store.cache_clear()  # noqa: SLF001  # one per process otherwise
    yield tmp_path
    storage_files._store.cache_clear()  # noqa: SLF001


@pytest.fixture
def configuration(db: None) -> Configuration:  # noqa: ARG001  # asks for the database
    return script("succeed")


def script(do: str, *, name: str | None = None, **fields: Any) -> Configuration:
    """A configuration of the test component; `fields` are parameters unless they are mappings."""
    sync_components()
    mappings = {key: fields.pop(key) for key in ("input", "output", "state") if key in fields}
    parameters = encrypt_tree({"do": do, **fields})
    return make_configuration("test-script", name=name, parameters=parameters, **mappings)


def done(configuration: Configuration, **options: Any) -> Job:
    """The job of one run of the configuration, from creation to its end."""
    job = create_job(configuration, **options)
    run_job(job.pk)
    return Job.objects.get(pk=job.pk)


def rows(key: str) -> list[tuple[Any, ...]]:
    version = Table.objects.get(key=key).current
    assert version is not None
    with storage_files.open_bench() as bench:
        paths = [segment.path for segment in version.segments.all()]
        with bench.store.reading(paths) as files:
            names = [str(file) for file in files.values()]
            return bench.connection.read_parquet(names).order("ALL").fetchall()


def test_jobs_are_asked_for_in_bulk(
    configuration: Configuration,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    user = make_user(name="ann")
    soon = timezone.now() + timedelta(seconds=30)
    late = timezone.now() + timedelta(hours=1)
    requests = [
        JobRequest(configuration, time_limit=5, parameters={"#key": "secret"}),
        JobRequest(configuration, not_before=soon),
        JobRequest(configuration, not_before=late),
    ]
    with django_capture_on_commit_callbacks() as callbacks:
        made = create_jobs(requests, user=user, origin=JobOrigin.API)
    first = Job.objects.get(pk=made[0].pk)
    assert (first.status, first.origin, first.created_by, first.time_limit) == (
        "created",
        "api",
        user,
        5,
    )
    assert first.parameters["#key"].startswith("enc::")
    assert (first.configuration_name, first.configuration_version) == (configuration.name, 1)
    assert first.rung_at is not None
    assert list(first.events.values_list("old_status", "new_status", "actor")) == [
        ("", "created", "ann")
    ]
    bells = [callback.args for callback in callbacks]  # type: ignore[attr-defined]  # partials
    assert [(task, ids) for task, ids, _ in bells] == [
        (tasks.run_job, (made[0].pk,)),
        (tasks.run_job, (made[1].pk,)),
    ]
    assert bells[0][2] is None
    assert 25 < bells[1][2] <= 30


def test_a_phase_of_many_jobs_costs_two_inserts(
    configuration: Configuration, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(4):  # the savepoint and both inserts
        create_jobs([JobRequest(configuration)] * 20)


def test_what_is_in_the_trash_cannot_run(configuration: Configuration) -> None:
    configuration.deleted_at = timezone.now()
    with pytest.raises(NotAllowed, match="is in the trash; restore it first"):
        create_jobs([JobRequest(configuration), JobRequest(configuration)])
    assert Job.objects.count() == 0


def test_a_job_runs_to_its_end(configuration: Configuration, installation: Path) -> None:
    job = done(configuration, parameters={"value": 3})
    assert (job.status, job.error, job.error_type) == ("success", "", "")
    assert job.result == {"given": 3, "number": "NaN", "text": "a\ufffdb"}
    assert sorted(job.log.values_list("level", "message")) == [
        ("info", "It begins."),
        ("info", "printed"),
    ]
    assert [line.seq for line in job.log.all()] == [1, 2]
    assert job.peak_memory is not None
    assert job.worker == jobs.worker_name()
    configuration.refresh_from_db()
    assert configuration.state == {"count": 1}
    assert list((installation / WORK_FOLDER).iterdir()) == []
    assert done(configuration).status == "success"
    configuration.refresh_from_db()
    assert configuration.state == {"count": 2}


def test_a_job_runs_the_version_it_was_made_for(configuration: Configuration) -> None:
    job = create_job(configuration)
    Configuration.objects.filter(pk=configuration.pk).update(
        version=2, parameters={"do": "fail"}, name="Renamed"
    )
    run_job(job.pk)
    assert Job.objects.get(pk=job.pk).status == "success"


def test_an_error_of_the_person_is_told_as_it_is(db: None) -> None:  # noqa: ARG001
    job = done(script("fail", **{"#secret": "horse"}))
    assert (job.status, job.error_type) == ("error", "user")
    assert job.error == "No such place: [hidden]."
    assert job.error_reference == ""
    assert list(job.log.values_list("level", "message")) == [("error", "No such place: [hidden].")]


def test_an_error_of_ours_has_a_reference_and_a_traceback_in_the_log(
    db: None,  # noqa: ARG001
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = done(script("break_down", **{"#secret": "horse"}))
    assert (job.status, job.error_type) == ("error", "application")
    assert job.error == (f"Something went wrong on our side. Reference: {job.error_reference}.")
    assert len(job.error_reference) == 8
    assert job.error_reference in caplog.text
    assert "break_down" in caplog.text
    assert "horse" not in caplog.text


def test_a_crash_says_how_the_process_ended(db: None) -> None:  # noqa: ARG001
    job = done(script("crash"))
    assert (job.status, job.error_type) == ("error", "application")
    assert job.error == (
        "The component's process was ended by signal 11 (Segmentation fault). "
        f"Reference: {job.error_reference}."
    )


def test_limits_come_from_the_job_then_the_component_then_the_installation(
    installation: Path,
    settings: Settings,
    db: None,  # noqa: ARG001
) -> None:
    until = {"began": str(installation / "began"), "until": str(installation / "never")}
    settings.JOB_TIME_LIMIT = 3600
    configuration = script("wait_for_file", **until)
    Component.objects.filter(key="test-script").update(time_limit=120)
    configuration.refresh_from_db()
    job = done(configuration, time_limit=1)
    assert job.error == "The job ran longer than its time limit of 1 second."
    Component.objects.filter(key="test-script").update(time_limit=1)
    assert done(configuration).error == "The job ran longer than its time limit of 1 second."
    Component.objects.filter(key="test-script").update(time_limit=None, memory_limit_mb=200)
    job = done(script("hog"))
    assert (job.error, job.error_type) == ("The job used more than 200 MB of memory.", "user")
    assert job.peak_memory is not None
    assert job.peak_memory > 200 * 1024 * 1024


def test_outputs_become_visible_with_the_success(db: None) -> None:  # noqa: ARG001
    user = make_user()
    tables = {"Orders": "SELECT 1 AS id, 'a' AS name", "items": "SELECT range AS n FROM range(3)"}
    mapping = [{"source": "items", "destination": "out.c-done.items", "primary_key": ["n"]}]
    job = done(script("write", name="My shop", tables=tables, output=mapping), user=user)
    assert (job.status, job.error) == ("success", "")
    assert [(t["table"], t["rows"], t["version"], t["kind"]) for t in job.tables_out] == [
        ("in.c-my-shop.orders", 1, 1, "full"),
        ("out.c-done.items", 3, 1, "full"),
    ]
    assert rows("in.c-my-shop.orders") == [(1, "a")]
    assert rows("out.c-done.items") == [(0,), (1,), (2,)]
    version = TableVersion.objects.get(table__key="out.c-done.items")
    assert (version.job, version.created_by, version.primary_key) == (job, user, ["n"])


def test_an_error_leaves_every_table_as_it_was(db: None) -> None:  # noqa: ARG001
    assert done(script("write", name="Shop", tables={"a": "SELECT 1 AS x"})).status == "success"
    job = done(script("write", name="Shop", tables={"a": "SELECT 2 AS x"}, then="fail"))
    assert (job.status, job.error, job.tables_out) == ("error", "Changed my mind.", [])
    assert rows("in.c-shop.a") == [(1,)]


def test_one_table_that_cannot_be_loaded_keeps_back_all(db: None) -> None:  # noqa: ARG001
    tables = {"good": "SELECT 1 AS id", "keyless": "SELECT NULL::INTEGER AS id"}
    state = {"kept": True}
    configuration = script("write", name="Shop", tables=tables, key=["id"], state=state)
    job = done(configuration)
    assert (job.status, job.error_type) == ("error", "user")
    assert "in.c-shop" in job.error or "id" in job.error
    assert (Table.objects.filter(current__isnull=False).count(), Segment.objects.count()) == (0, 0)
    configuration.refresh_from_db()
    assert configuration.state == state


def test_mapped_tables_reach_the_component_and_nothing_else_does(
    db: None,  # noqa: ARG001
) -> None:
    done(script("write", name="Shop", tables={"a": "SELECT range AS x, 'k' AS y FROM range(3)"}))
    mapping = [
        {
            "source": "in.c-shop.a",
            "destination": "alias",
            "columns": ["x"],
            "where_column": "x",
            "where_operator": "ne",
            "where_values": ["1"],
        }
    ]
    job = done(script("copy", name="Copy", input=mapping))
    assert (job.status, job.error) == ("success", "")
    assert job.result == {"columns": [["x"]]}
    assert [(t["table"], t["rows"], t["version"]) for t in job.tables_in] == [("in.c-shop.a", 3, 1)]
    assert rows("in.c-copy.alias") == [(0,), (2,)]


def test_a_mapped_table_that_is_gone_is_named(db: None) -> None:  # noqa: ARG001
    job = done(script("copy", input=[{"source": "in.c-no.where"}]))
    assert (job.status, job.error_type) == ("error", "user")
    assert job.error == "The table in.c-no.where does not exist."


def test_a_file_given_in_the_page_is_read(installation: Path, db: None) -> None:  # noqa: ARG001
    given = installation / "given.csv"
    given.write_text("id,name\n1,ann\n")
    store = open_store(f"file://{installation / 'storage-uploads'}", cache=installation / "cache")
    reference = f"{store.put(given)}/people list.csv"
    job = done(script("read_upload", name="Up", file=reference))
    assert (job.status, job.result) == ("success", {"name": "people list.csv"})
    assert rows("in.c-up.people-list") == [(1, "ann")]
    gone = done(script("read_upload", file=f"ab/{uuid.uuid4().hex}.parquet/people.csv"))
    assert gone.error == "The file “people.csv” is gone; give it again."
    for bad in ("../../secret_key", "people.csv", "a/.."):
        assert done(script("read_upload", file=bad)).error_type == "user"


def test_laying_parameters_over_others() -> None:
    base = {"a": 1, "b": {"c": 2, "d": [1]}}
    assert merged(base, {"b": {"d": [2]}, "e": 3}) == {"a": 1, "b": {"c": 2, "d": [2]}, "e": 3}


def run_in_thread(job: Job) -> threading.Thread:
    def work() -> None:
        try:
            run_job(job.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_terminate_stops_a_running_job_within_seconds(installation: Path) -> None:
    began = installation / "began"
    waiting = {"began": str(began), "until": str(installation / "never")}
    tables = {"a": "SELECT 1 AS x"}
    job = create_job(script("write", name="Shop", tables=tables, wait=True, **waiting))
    thread = run_in_thread(job)
    eventually(began.exists)
    user = make_user()
    assert terminate_job(job, user=user).status == S.TERMINATING
    started = time.monotonic()
    thread.join(10)
    assert time.monotonic() - started < 3
    job.refresh_from_db()
    assert (job.status, job.error, job.terminated_by) == ("terminated", "", user)
    assert job.ended_at is not None
    assert Table.objects.filter(current__isnull=False).count() == 0
    assert terminate_job(job).status == S.TERMINATED


@pytest.mark.django_db(transaction=True)
def test_the_log_is_there_while_the_job_runs(installation: Path) -> None:
    until = installation / "until"
    job = create_job(script("flood", until=str(until)))
    thread = run_in_thread(job)
    eventually(lambda: job.log.count() > 100)
    until.touch()
    thread.join(10)
    job.refresh_from_db()
    assert job.status == "success"
    numbers = list(job.log.values_list("seq", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.django_db(transaction=True)
def test_an_attempt_declared_dead_ends_its_child_and_changes_nothing(installation: Path) -> None:
    began, until = installation / "began", installation / "until"
    tables = {"a": "SELECT 1 AS x"}
    waiting = {"wait": True, "began": str(began), "until": str(until)}
    job = create_job(script("write", name="Shop", tables=tables, **waiting))
    thread = run_in_thread(job)
    eventually(began.exists)
    Job.objects.filter(pk=job.pk).update(token=uuid.uuid4())
    thread.join(10)
    assert not thread.is_alive()
    assert not Path(f"/proc/{began.read_text()}").exists()
    job.refresh_from_db()
    assert job.status == S.PROCESSING  # somebody else's now
    assert Table.objects.filter(current__isnull=False).count() == 0
