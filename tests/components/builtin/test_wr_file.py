from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from components.builtin.wr_file import MANIFEST
from components.exceptions import RunnerError
from components.runners.inline import try_inline

Run = Callable[..., Any]
Table = Callable[[str, str], Any]
ROWS = "SELECT * FROM (VALUES (1, 'a,\"b\"'), (2, ''), (3, NULL)) t(id, text)"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def test_csv_keeps_null_and_empty_apart(run: Run, table: Table, files: Path) -> None:
    done = run(MANIFEST, {"folder": "out/today"}, inputs=[table("orders", ROWS)])
    file = files / "out/today/orders.csv"
    assert file.read_text() == 'id,text\n1,"a,""b"""\n2,""\n3,\n'
    assert done.result == {
        "files": [
            {
                "path": "out/today/orders.csv",
                "table": "in.c-test.orders",
                "rows": 3,
                "bytes": file.stat().st_size,
            }
        ]
    }


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"delimiter": ";"}, "id;text\n1;x\n"),
        ({"header": False}, "1,x\n"),
        ({"format": "tsv"}, "id\ttext\n1\tx\n"),
        ({"format": "ndjson"}, '{"id":1,"text":"x"}\n'),
    ],
)
def test_the_text_formats(
    run: Run, table: Table, files: Path, parameters: Any, expected: str
) -> None:
    run(MANIFEST, parameters, inputs=[table("t", "SELECT 1 AS id, 'x' AS text")])
    (file,) = files.iterdir()
    assert file.name == f"t.{parameters.get('format', 'csv')}"
    assert file.read_text() == expected


@pytest.mark.parametrize("where", ["true", "false"])
def test_json_is_one_list(run: Run, table: Table, files: Path, where: str) -> None:
    sql = f"SELECT 1 AS id, NULL AS text WHERE {where}"
    run(MANIFEST, {"format": "json"}, inputs=[table("t", sql)])
    expected = [{"id": 1, "text": None}] if where == "true" else []
    assert json.loads((files / "t.json").read_text()) == expected


def test_parquet_keeps_types(run: Run, table: Table, files: Path) -> None:
    sql = "SELECT 1.50::DECIMAL(9,2) AS price, DATE '2026-02-03' AS day"
    run(MANIFEST, {"format": "parquet", "gzip": True}, inputs=[table("t", sql)])
    found = duckdb.execute(f"DESCRIBE SELECT * FROM '{files}/t.parquet'").fetchall()
    assert [row[1] for row in found] == ["DECIMAL(9,2)", "DATE"]


def test_files_are_packed(run: Run, table: Table, files: Path) -> None:
    run(MANIFEST, {"gzip": True}, inputs=[table("t", "SELECT 1 AS id")])
    assert gzip.decompress((files / "t.csv.gz").read_bytes()) == b"id\n1\n"


def test_several_tables_and_a_second_job(run: Run, table: Table, files: Path) -> None:
    inputs = [table("a", "SELECT 1 AS x"), table("b", "SELECT 2 AS x")]
    run(MANIFEST, {}, inputs=inputs)
    run(MANIFEST, {}, inputs=[table("a", "SELECT 3 AS x")])
    read = {file.name: file.read_text() for file in files.iterdir()}
    assert read == {"a.csv": "x\n3\n", "b.csv": "x\n2\n"}


@pytest.mark.parametrize("folder", ["../out", "/tmp", "a/../../b"])
def test_no_folder_outside(run: Run, table: Table, tmp_path: Path, folder: str) -> None:
    with pytest.raises(RunnerError, match="not inside the files folder"):
        run(MANIFEST, {"folder": folder}, inputs=[table("t", "SELECT 1 AS x")])
    assert list((tmp_path / "files").iterdir()) == []
    assert list(tmp_path.rglob("t.csv")) == []


def test_no_folder_behind_a_link(run: Run, table: Table, files: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (files / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(RunnerError, match="links are not followed"):
        run(MANIFEST, {"folder": "link"}, inputs=[table("t", "SELECT 1 AS x")])
    assert list((tmp_path / "outside").iterdir()) == []


def test_without_a_table_there_is_nothing_to_write(run: Run) -> None:
    with pytest.raises(RunnerError, match="No table is mapped"):
        run(MANIFEST, {})


def test_the_folder_is_tested(tmp_path: Path, files: Path) -> None:
    assert try_inline(MANIFEST, {"folder": "a/b"}, root=tmp_path) == (
        "The folder “a/b” in the files folder can be written."
    )
    assert (files / "a/b").is_dir()
    with pytest.raises(RunnerError, match="not inside the files folder"):
        try_inline(MANIFEST, {"folder": ".."}, root=tmp_path)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("csv", "id,at\n1,2026-02-03 02:05:06+00\n2,\n"),
        ("tsv", "id\tat\n1\t2026-02-03 02:05:06+00\n2\t\n"),
        ("ndjson", '{"id":1,"at":"2026-02-03 02:05:06+00"}\n{"id":2,"at":null}\n'),
    ],
)
def test_moments_of_a_time_zone_are_written_in_utc(
    run: Run, table: Table, files: Path, kind: str, written: str
) -> None:
    rows = "SELECT 1 AS id, TIMESTAMPTZ '2026-02-03 04:05:06+02' AS at UNION ALL SELECT 2, NULL"
    run(MANIFEST, {"format": kind}, inputs=[table("moments", rows)])
    assert (files / f"moments.{kind}").read_text() == written
