"""Loads and versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from components.enums import VersionKind
from components.exceptions import ImportRejected, NotAllowed
from components.models import Bucket, Job, Segment, Table, TableVersion
from components.services.storage import (
    commit_outputs,
    delete_bucket,
    delete_table,
    prepare_outputs,
    restore_version,
)
from components.services.storage_files import segment_store
from components.signals import table_updated
from tests.builders import make_configuration, make_user
from tests.storage_tables import KEY, load, output, rows_of, types_of, values


@pytest.fixture(autouse=True)
def _own_store(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_URL = f"file://{tmp_path}/store"


@pytest.fixture
def updates() -> Iterator[list[tuple[str, int]]]:
    """Every table_updated as (table, version number)."""
    heard: list[tuple[str, int]] = []

    def hear(table: Table, version: TableVersion, **_: Any) -> None:
        heard.append((table.key, version.number))

    table_updated.connect(hear)
    yield heard
    table_updated.disconnect(hear)


@pytest.mark.django_db
def test_a_full_load_replaces_everything(updates: list[Any]) -> None:
    first = load(values("(1, 'a')", "(2, 'b')"))
    second = load(values("(3, 'c')"))
    assert (first.number, first.kind, rows_of(first)) == (1, "full", [("1", "a"), ("2", "b")])
    assert (second.number, second.kind, rows_of(second)) == (2, "full", [("3", "c")])
    table = Table.objects.get(key=KEY)
    assert table.current == second
    assert (table.name, table.bucket.key, table.bucket.stage) == ("orders", "in.c-shop", "in")
    assert updates == [(KEY, 1), (KEY, 2)]


@pytest.mark.django_db
def test_a_load_says_what_it_did() -> None:
    done = commit_outputs(
        [output(values("(1, 'a')", "(2, 'b')"), values("(3, 'c')"))], job=None, user=None
    )
    size = sum(segment.bytes for segment in Segment.objects.all())
    assert done == [{"table": KEY, "rows": 3, "bytes": size, "version": 1, "kind": "full"}]


@pytest.mark.django_db
def test_a_load_is_told_on_the_table() -> None:
    configuration = make_configuration()
    job = Job.objects.create(
        component=configuration.component,
        configuration=configuration,
        configuration_name=configuration.name,
        configuration_version=1,
    )
    before = timezone.now()
    version = load(values("(1, 'a')"), job=job)
    table = Table.objects.get(key=KEY)
    assert (version.job, table.last_job) == (job, job)
    assert table.imported_at is not None
    assert before <= table.imported_at <= timezone.now()


@pytest.mark.django_db
def test_an_incremental_load_appends() -> None:
    load(values("(1, 'a')"))
    version = load(values("(1, 'a')", "(2, 'b')"), incremental=True)
    assert (version.kind, version.primary_key) == ("incremental", [])
    assert rows_of(version) == [("1", "a"), ("1", "a"), ("2", "b")]


@pytest.mark.django_db
def test_an_upsert_replaces_rows_of_the_same_key() -> None:
    load(values("(1, 'a')", "(2, 'b')", "(3, 'c')"), key=["id"])
    version = load(values("(2, 'B')", "(4, 'd')"), incremental=True, key=["ID"])
    assert (version.kind, version.primary_key) == ("upsert", ["id"])
    assert rows_of(version) == [("1", "a"), ("2", "B"), ("3", "c"), ("4", "d")]
    again = load(values("(2, 'BB')", "(4, 'D')"), incremental=True)
    assert rows_of(again) == [("1", "a"), ("2", "BB"), ("3", "c"), ("4", "D")]
    assert rows_of(version) == [("1", "a"), ("2", "B"), ("3", "c"), ("4", "d")]


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.django_db
def test_of_equal_keys_in_one_load_the_last_survives(*, incremental: bool) -> None:
    load(values("(1, 'old')", "(9, 'z')"), key=["id"])
    version = load(
        values("(1, 'a')", "(2, 'b')", "(1, 'c')"),
        values("(2, 'd')", "(5, 'e')"),
        incremental=incremental,
        key=["id"],
    )
    kept = [("9", "z")] if incremental else []
    assert rows_of(version) == [("1", "c"), ("2", "d"), ("5", "e"), *kept]


@pytest.mark.django_db
def test_a_key_of_two_columns_compares_both() -> None:
    columns = "a, b, v"
    load(values("(1, 'x', 1)", "(1, 'y', 2)", columns=columns), key=["a", "b"])
    version = load(values("(1, 'y', 3)", columns=columns), incremental=True)
    assert rows_of(version) == [("1", "x", "1"), ("1", "y", "3")]


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.django_db
def test_a_key_without_a_value_is_refused(*, incremental: bool) -> None:
    old = load(values("(1, 'a')"), key=["id"])
    sentence = r"^The key column “id” is empty in 2 rows; every row needs a value there.$"
    with pytest.raises(ImportRejected, match=sentence):
        load(values("(2, 'b')", "(NULL, 'c')", "(NULL, 'd')"), incremental=incremental, key=["id"])
    assert Table.objects.get(key=KEY).current == old


@pytest.mark.django_db
def test_a_key_must_name_columns() -> None:
    sentence = r"^The primary key names columns that are not in the table: x, y.$"
    with pytest.raises(ImportRejected, match=sentence):
        load(values("(1, 'a')"), key=["id", "x", "y"])
    assert (Table.objects.count(), Bucket.objects.count()) == (0, 0)


@pytest.mark.django_db
def test_another_key_is_taken_over_where_the_rows_allow_it() -> None:
    load(values("(1, 'a')", "(2, 'b')"), key=["id"])
    version = load(values("(3, 'b')"), incremental=True, key=["v"])
    assert version.primary_key == ["v"]
    assert rows_of(version) == [("1", "a"), ("3", "b")]


@pytest.mark.parametrize("old_key", [["id"], []])
@pytest.mark.parametrize("rows", [["(1, 'a')", "(2, 'a')"], ["(1, 'b')", "(2, NULL)"]])
@pytest.mark.django_db
def test_another_key_that_does_not_fit_leaves_the_old_with_a_warning(
    old_key: list[str], rows: list[str]
) -> None:
    load(values(*rows), key=old_key)
    (done,) = commit_outputs(
        [output(values("(1, 'new')"), incremental=True, key=["v"])], job=None, user=None
    )
    stays = "(id) stays" if old_key else "is not set"
    assert done["warning"] == (
        f"The primary key of {KEY} {stays}: rows that are there already are empty or repeated in v."
    )
    current = Table.objects.get(key=KEY).current
    assert current is not None
    assert current.primary_key == old_key
    assert current.rows == (2 if old_key else 3)


@pytest.mark.django_db
def test_types_widen_and_older_versions_keep_theirs() -> None:
    first = load(values("(1, 2)"))
    second = load(values("(2, 2.5::DOUBLE)"), incremental=True)
    third = load(values("('x', NULL)"), incremental=True)
    assert [types_of(v) for v in (first, second, third)] == [
        {"id": "INTEGER", "v": "INTEGER"},
        {"id": "INTEGER", "v": "DOUBLE"},
        {"id": "VARCHAR", "v": "DOUBLE"},
    ]
    assert rows_of(first) == [("1", "2")]
    assert rows_of(third) == [("1", "2.0"), ("2", "2.5"), ("x", None)]


@pytest.mark.django_db
def test_keys_are_compared_in_the_wider_type() -> None:
    load(values("(1, 'a')"), key=["id"])
    version = load(values("('1', 'b')", "('x', 'c')"), incremental=True)
    assert rows_of(version) == [("1", "b"), ("x", "c")]


@pytest.mark.django_db
def test_a_column_that_was_always_empty_takes_the_first_real_type() -> None:
    load(values("(1, NULL::VARCHAR)"))
    second = load(values("(2, 5)"), incremental=True)
    third = load(values("(3, NULL::VARCHAR)"), incremental=True)
    assert types_of(second) == types_of(third) == {"id": "INTEGER", "v": "INTEGER"}
    assert rows_of(third) == [("1", None), ("2", "5"), ("3", None)]


@pytest.mark.django_db
def test_new_columns_join_at_the_end_whatever_their_case() -> None:
    load(values("(1, 'a')"))
    version = load(values("('x', 2, 'b')", columns="w, ID, V"), incremental=True)
    assert [column["name"] for column in version.columns] == ["id", "v", "w"]
    assert rows_of(version) == [("1", "a", None), ("2", "b", "x")]


@pytest.mark.django_db
def test_missing_columns_are_named() -> None:
    old = load(values("(1, 2, 3)", columns="a, b, c"))
    sentence = rf"^Some columns are missing in the load of {KEY}: b, c.$"
    with pytest.raises(ImportRejected, match=sentence):
        load("SELECT 1 AS a", incremental=True)
    assert Table.objects.get(key=KEY).current == old


@pytest.mark.parametrize(
    "table", ["orders", "in.shop.orders", "x.c-a.b", "in.c-a.b c", "in.c-a.b/"]
)
@pytest.mark.django_db
def test_a_table_needs_a_proper_id(table: str) -> None:
    with pytest.raises(ImportRejected, match=r"is no table id; a table is named like in\.c-sales"):
        load(values("(1, 'a')"), table=table)


@pytest.mark.django_db
def test_several_tables_commit_together_or_not_at_all(updates: list[Any]) -> None:
    old = load(values("(1, 'a')"))
    updates.clear()
    good = output(values("(2, 'b')"), table="in.c-shop.a")
    bad = output("SELECT 5 AS id", incremental=True)
    with pytest.raises(ImportRejected):
        commit_outputs([good, bad], job=None, user=None)
    assert list(Table.objects.values_list("key", flat=True)) == [KEY]
    assert Table.objects.get(key=KEY).current == old
    done = commit_outputs([good, output(values("(3, 'c')"))], job=None, user=None)
    assert [(d["table"], d["version"]) for d in done] == [("in.c-shop.a", 1), (KEY, 2)]


@pytest.mark.django_db
def test_a_load_prepared_over_an_older_version_is_prepared_again() -> None:
    load(values("(1, 'a')", "(2, 'b')"), key=["id"])
    slow = output(values("(1, 'slow')", "(3, 'slow')"), incremental=True)
    prepared = prepare_outputs([slow])
    load(values("(1, 'fast')", "(3, 'fast')", "(4, 'fast')"), incremental=True)
    commit_outputs([slow], job=None, user=None, prepared=prepared)
    current = Table.objects.get(key=KEY).current
    assert current is not None
    assert rows_of(current) == [("1", "slow"), ("2", "b"), ("3", "slow"), ("4", "fast")]


@pytest.mark.django_db
def test_a_restored_version_is_a_new_one(updates: list[Any]) -> None:
    first = load(values("(1, 'a')"), key=["id"])
    load(values("(1, 'b')"), incremental=True)
    user = make_user()
    restored = restore_version(first, user=user)
    assert (restored.number, restored.kind, restored.created_by) == (3, "restore", user)
    assert (rows_of(restored), restored.primary_key) == ([("1", "a")], ["id"])
    assert rows_of(load(values("(1, 'c')"), incremental=True)) == [("1", "c")]
    assert updates == [(KEY, 1), (KEY, 2), (KEY, 3), (KEY, 4)]


@pytest.mark.django_db
def test_the_current_version_cannot_be_restored() -> None:
    with pytest.raises(NotAllowed, match="Version 1 is the current one"):
        restore_version(load(values("(1, 'a')")), user=None)


@pytest.mark.django_db
def test_a_table_is_deleted_with_its_versions() -> None:
    load(values("(1, 'a')"), key=["id"])
    version = load(values("(1, 'b')"), incremental=True)
    bucket = version.table.bucket
    with pytest.raises(NotAllowed, match=r"^in.c-shop has tables; delete them first.$"):
        delete_bucket(bucket)
    delete_table(version.table)
    delete_bucket(bucket)
    assert (Table.objects.count(), TableVersion.objects.count(), Bucket.objects.count()) == (
        0,
        0,
        0,
    )
    assert load(values("(1, 'a')")).number == 1


@pytest.mark.django_db
def test_versions_come_one_after_another_even_if_the_clock_goes_back() -> None:
    first = load(values("(1, 'a')"))
    TableVersion.objects.filter(pk=first.pk).update(created_at=timezone.now() + timedelta(hours=1))
    second = load(values("(2, 'b')"), incremental=True)
    first.refresh_from_db()
    assert second.created_at == first.created_at + timedelta(microseconds=1)


@pytest.mark.django_db
def test_no_file_is_left_without_a_row() -> None:
    load(values("(1, 'a')", "(1, 'b')"), key=["id"])
    load(values("(1, 'c')"), incremental=True)
    stored = {file.path for file in segment_store().files()}
    assert stored == set(Segment.objects.values_list("path", flat=True))
    assert Segment.objects.count() == 4
    assert Table.objects.get(key=KEY).current.kind == VersionKind.UPSERT  # type: ignore[union-attr]
