"""Compaction keeps the rows; sweeping removes what nobody can need any more."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from components.enums import JobStatus, SegmentKind
from components.models import Job, Segment, Table, TableVersion
from components.services import housekeeping
from components.services.housekeeping import compact_table, compact_tables, sweep_storage
from components.services.storage import delete_table, restore_version
from components.services.storage_files import segment_store
from components.services.table_versions import segments_of
from components.signals import table_updated
from tests.builders import make_configuration
from tests.storage_tables import KEY, load, output, rows_of, values

NO_GRACE = timedelta(0)


@pytest.fixture(autouse=True)
def _own_store(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_URL = f"file://{tmp_path}/store"


def current(key: str = KEY) -> TableVersion:
    version = Table.objects.select_related("current__table").get(key=key).current
    assert version is not None
    return version


def stored() -> set[str]:
    return {file.path for file in segment_store().files()}


def let_files_age(hours: float) -> None:
    for file in segment_store().files():
        with segment_store().reading([file.path]) as files:
            then = time.time() - hours * 3600
            os.utime(files[file.path], (then, then))


def make_job(status: JobStatus, *, started: timedelta) -> Job:
    configuration = make_configuration()
    return Job.objects.create(
        component=configuration.component,
        configuration=configuration,
        configuration_name=configuration.name,
        configuration_version=1,
        status=status,
        started_at=timezone.now() - started,
    )


@pytest.mark.django_db
def test_many_small_segments_become_one() -> None:
    for number in range(11):
        load(values(f"({number}, 'a')", "(99, 'b')"), incremental=True, key=["id"])
    before = current()
    heard: list[Any] = []

    def hear(**kwargs: Any) -> None:
        heard.append(kwargs)

    table_updated.connect(hear)
    assert compact_tables() == 1
    table_updated.disconnect(hear)
    after = current()
    assert (after.kind, after.number, heard) == ("compaction", before.number + 1, [])
    assert [segment.kind for segment in segments_of(after)] == ["data"]
    assert (after.rows, after.columns, after.primary_key) == (12, before.columns, ["id"])
    assert rows_of(after) == rows_of(before)
    assert after.table.imported_at == before.table.imported_at
    assert compact_tables() == 0


@pytest.mark.parametrize(("replaced", "compacted"), [(25, 0), (26, 1)])
@pytest.mark.django_db
def test_more_than_a_fifth_of_superseded_rows_is_written_again(
    replaced: int, compacted: int
) -> None:
    load("SELECT i AS id, 'a' AS v FROM range(100) t(i)", key=["id"])
    # superseded rows count against all that were written: 25 of 125, 26 of 126
    load(f"SELECT i AS id, 'b' AS v FROM range({replaced}) t(i)", incremental=True)
    before = rows_of(current())
    assert compact_tables() == compacted
    assert rows_of(current()) == before
    assert len(before) == 100


@pytest.mark.django_db
def test_only_the_segments_that_are_worth_it_are_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(housekeeping, "SMALL_BYTES", 0)
    big = load("SELECT i AS id, 'a' AS v FROM range(100, 200) t(i)", key=["id"])
    load("SELECT i AS id, 'b' AS v FROM range(50) t(i)", incremental=True)
    load("SELECT i AS id, 'c' AS v FROM range(45) t(i)", incremental=True)
    load("SELECT i AS id, 'd' AS v FROM range(100, 105) t(i)", incremental=True)
    before = current()
    assert compact_tables() == 1
    after = segments_of(current())
    assert [(s.kind, s.rows) for s in after] == [
        (SegmentKind.DATA, 100),
        (SegmentKind.DATA, 5),
        (SegmentKind.DATA, 45),
        (SegmentKind.DATA, 5),
        (SegmentKind.DELETES, 5),
    ]
    assert after[0] == segments_of(big)[0]
    assert rows_of(current()) == rows_of(before)


@pytest.mark.django_db
def test_a_load_in_the_meantime_wins() -> None:
    load(values("(1, 'a')", "(2, 'b')"), key=["id"])
    load(values("(1, 'c')"), incremental=True)
    table = Table.objects.select_related("current").get(key=KEY)
    newest = load(values("(3, 'd')"), incremental=True)
    before = stored()
    assert compact_table(table) is False
    assert current() == newest
    assert stored() == before


@pytest.mark.django_db
def test_rows_stay_updatable_after_compaction() -> None:
    load(values("(1, 'a')", "(2, 'b')"), key=["id"])
    load(values("(1, 'c')"), incremental=True)
    assert compact_tables() == 1
    load(values("(2, 'd')", "(3, 'e')"), incremental=True)
    assert rows_of(current()) == [("1", "c"), ("2", "d"), ("3", "e")]


@pytest.mark.django_db
def test_old_versions_go_and_their_files_after_the_grace(settings: Settings) -> None:
    settings.TABLE_VERSIONS_KEPT = 2
    versions = [load(values(f"({number}, 'a')")) for number in range(4)]
    assert sweep_storage() == 0
    assert list(TableVersion.objects.values_list("number", flat=True)) == [4, 3]
    assert len(stored()) == 4
    assert sweep_storage() == 0
    assert sweep_storage(grace=NO_GRACE) == 2
    assert stored() == set(Segment.objects.values_list("path", flat=True))
    assert Segment.objects.count() == 2
    assert [rows_of(version) for version in versions[2:]] == [[("2", "a")], [("3", "a")]]


@pytest.mark.django_db
def test_the_grace_counts_from_the_last_use(settings: Settings) -> None:
    settings.TABLE_VERSIONS_KEPT = 1
    load(values("(1, 'a')"))
    load(values("(2, 'b')"))
    let_files_age(hours=1000)
    sweep_storage()
    assert len(stored()) == 2
    Segment.objects.exclude(unreferenced_at=None).update(
        unreferenced_at=timezone.now() - timedelta(hours=25)
    )
    assert sweep_storage() == 1
    assert rows_of(current()) == [("2", "b")]


@pytest.mark.django_db
def test_a_segment_that_a_kept_version_shares_stays(settings: Settings) -> None:
    settings.TABLE_VERSIONS_KEPT = 1
    load(values("(1, 'a')"), key=["id"])
    load(values("(1, 'b')", "(2, 'c')"), incremental=True)
    sweep_storage(grace=NO_GRACE)
    assert sweep_storage(grace=NO_GRACE) == 0
    assert rows_of(current()) == [("1", "b"), ("2", "c")]


@pytest.mark.django_db
def test_a_restored_version_keeps_its_files(settings: Settings) -> None:
    settings.TABLE_VERSIONS_KEPT = 1
    first = load(values("(1, 'a')"))
    load(values("(2, 'b')"))
    restore_version(first, user=None)
    sweep_storage(grace=NO_GRACE)
    assert sweep_storage(grace=NO_GRACE) == 1
    assert rows_of(current()) == [("1", "a")]


@pytest.mark.django_db
def test_files_of_a_deleted_table_go() -> None:
    load(values("(1, 'a')"), key=["id"])
    load(values("(1, 'b')"), incremental=True)
    delete_table(current().table)
    sweep_storage(grace=NO_GRACE)
    assert sweep_storage(grace=NO_GRACE) == 3
    assert (stored(), Segment.objects.count()) == (set(), 0)


@pytest.mark.django_db
def test_unknown_files_go_after_the_grace() -> None:
    version = load(values("(1, 'a')"))
    orphan = output(values("(2, 'b')"))["segments"][0]["path"]
    assert sweep_storage() == 0
    let_files_age(hours=25)
    assert sweep_storage() == 1
    assert orphan not in stored()
    assert rows_of(version) == [("1", "a")]


@pytest.mark.parametrize("status", [JobStatus.PROCESSING, JobStatus.TERMINATING])
@pytest.mark.django_db
def test_a_running_job_keeps_what_it_may_read_or_commit(
    settings: Settings, status: JobStatus
) -> None:
    settings.TABLE_VERSIONS_KEPT = 1
    job = make_job(status, started=timedelta(hours=50))
    load(values("(1, 'a')"))
    load(values("(2, 'b')"))
    output(values("(3, 'c')"))
    let_files_age(hours=49)
    sweep_storage()
    Segment.objects.exclude(unreferenced_at=None).update(
        unreferenced_at=timezone.now() - timedelta(hours=49)
    )
    assert sweep_storage() == 0
    Job.objects.filter(pk=job.pk).update(status=JobStatus.SUCCESS)
    assert sweep_storage() == 2
    assert rows_of(current()) == [("2", "b")]


@pytest.mark.django_db
def test_half_written_files_go(tmp_path: Path) -> None:
    load(values("(1, 'a')"))
    half = tmp_path / "store/ab/x.part"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(b"x")
    let_files_age(hours=25)
    assert sweep_storage() == 1
    assert not half.exists()
