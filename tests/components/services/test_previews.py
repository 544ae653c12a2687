"""What pages show and hand out of a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from components.exceptions import StorageError
from components.models import Bucket, Table
from components.queries import storage as queries
from components.services.previews import export, preview
from tests.builders import make_configuration, make_user
from tests.storage_tables import KEY, load, values


@pytest.fixture(autouse=True)
def _own_store(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_URL = f"file://{tmp_path}/store"


@pytest.mark.django_db
def test_a_preview_shows_the_first_rows_and_finds_text() -> None:
    load("SELECT i AS id, 'Name ' || i AS v, NULL AS n FROM range(250) t(i)")
    table = Table.objects.select_related("current").get(key=KEY)
    found = preview(table)
    assert (len(found.rows), found.total, found.version, found.is_cut) == (100, 250, 1, True)
    assert found.rows[0] == ["0", "Name 0", None]
    assert [column["name"] for column in found.columns] == ["id", "v", "n"]
    some = preview(table, text="nAME 24")
    assert [row[0] for row in some.rows] == ["24", *(str(i) for i in range(240, 250))]
    assert some.is_cut is False
    assert preview(table, text="%").rows == []


@pytest.mark.django_db
def test_a_preview_cuts_long_values() -> None:
    load("SELECT repeat('x', 501) AS a, repeat('y', 500) AS b, '' AS c")
    (row,) = preview(Table.objects.get(key=KEY)).rows
    assert row == ["x" * 500 + "…", "y" * 500, ""]


@pytest.mark.django_db
def test_a_table_that_was_never_loaded_has_no_preview() -> None:
    bucket = Bucket.objects.create(key="in.c-x", stage="in", name="x")
    table = Table.objects.create(key="in.c-x.t", bucket=bucket, name="t")
    with pytest.raises(StorageError, match=r"^The table in.c-x.t has no rows yet.$"):
        preview(table)


@pytest.mark.django_db
def test_csv_export_tells_null_from_empty() -> None:
    version = load(values("(1, 'a,\"b\"')", "(2, NULL)", "(3, '')"))
    with export(version.table) as file:
        assert file.read() == b'id,v\n1,"a,""b"""\n2,\n3,""\n'


@pytest.mark.django_db
def test_parquet_export_is_parquet_of_the_wanted_version(tmp_path: Path) -> None:
    first = load(values("(1, 'a')"))
    load(values("(2, 'b')"))
    copy = tmp_path / "x.parquet"
    with export(first.table, format="parquet", version=first) as file:
        copy.write_bytes(file.read())
    assert duckdb.read_parquet(str(copy)).fetchall() == [(1, "a")]


@pytest.mark.django_db
def test_another_export_format_is_refused() -> None:
    version = load(values("(1, 'a')"))
    with pytest.raises(StorageError, match="“xls” is no export format; use csv or parquet"):
        export(version.table, format="xls")


@pytest.mark.django_db
def test_pages_list_buckets_tables_and_uses(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    load(values("(1, 'a')", "(2, 'b')"))
    load(values("(1, 'a')"), table="in.c-shop.items")
    load(values("(1, 'a')"), table="out.c-report.sums")
    with django_assert_num_queries(1):
        found = [(b.key, b.table_count, b.row_count) for b in queries.buckets()]  # type: ignore[attr-defined]
    assert found == [("in.c-shop", 2, 3), ("out.c-report", 1, 1)]
    (shop,) = queries.buckets("item")
    assert (shop.key, shop.table_count) == ("in.c-shop", 2)  # type: ignore[attr-defined]
    assert [table.key for table in queries.tables("o")] == [
        "in.c-shop.items",
        KEY,
        "out.c-report.sums",
    ]
    assert [table.key for table in queries.tables(bucket=shop)] == ["in.c-shop.items", KEY]
    with django_assert_num_queries(1):
        detail = queries.table_detail(KEY)
        assert detail is not None
        assert detail.current is not None
        assert (detail.bucket.key, detail.current.rows) == ("in.c-shop", 2)
    assert queries.table_detail("in.c-x.y") is None
    total = queries.totals()
    assert (total.tables, total.rows) == (3, 4)
    reader = make_configuration(name="a", input=[{"source": KEY}])
    writer = make_configuration(name="b", output=[{"source": "x", "destination": KEY}])
    make_configuration(name="c", input=[{"source": "in.c-shop.items"}])
    make_configuration(name="d", input=[{"source": KEY}], deleted_at=timezone.now())
    uses = [(use.configuration, use.reads, use.writes) for use in queries.table_uses(KEY)]
    assert uses == [(reader, True, False), (writer, False, True)]


MOMENTS = (
    "SELECT TIMESTAMPTZ '2026-02-03 04:05:06.5+02' AS at, 'x' AS v"
    " UNION ALL SELECT NULL, 'y' ORDER BY v"
)


@pytest.mark.django_db
def test_moments_of_a_time_zone_are_shown_in_utc(client: Client) -> None:
    version = load(MOMENTS)
    assert version.columns[0]["type"] == "TIMESTAMP WITH TIME ZONE"
    assert preview(version.table).rows == [["2026-02-03 02:05:06.5+00", "x"], [None, "y"]]
    assert preview(version.table, text="02:05:06").rows == [["2026-02-03 02:05:06.5+00", "x"]]
    with export(version.table) as file:
        assert file.read() == b"at,v\n2026-02-03 02:05:06.5+00,x\n,y\n"
    client.force_login(make_user(role="Viewer"))
    rows = client.get(f"/api/v1/tables/{KEY}/rows").json()["rows"]
    assert rows == [["2026-02-03 02:05:06.5+00", "x"], [None, "y"]]
    csv = client.get(f"/api/v1/tables/{KEY}/rows?format=csv")
    assert b"".join(csv.streaming_content) == b"at,v\n2026-02-03 02:05:06.5+00,x\n,y\n"  # type: ignore[attr-defined]


@pytest.mark.django_db
def test_moments_of_a_time_zone_are_a_key() -> None:
    load(MOMENTS + " LIMIT 1", key=["at"])
    later = "SELECT TIMESTAMPTZ '2026-02-03 02:05:06.5+00' AS at, 'z' AS v"
    version = load(later, key=["at"], incremental=True)
    assert preview(version.table).rows == [["2026-02-03 02:05:06.5+00", "z"]]
