"""What a person's SQL finds in a job: the mapped rows and columns, and no way to the segments."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from components.builtin.contract import InputTable
from components.exceptions import RunnerError
from components.runners.base import JobSpec, StoreSettings
from components.runners.workbench import StoreWorkbench
from components.store.tables import InputPlan

CHANGED = "2026-11-22 12:00:00.000000"
COLUMNS = [
    {"name": "id", "type": "BIGINT"},
    {"name": "who", "type": "VARCHAR"},
    {"name": "salary", "type": "BIGINT"},
]


def workbench(root: Path, *plans: dict[str, Any], memory_mb: int = 256) -> StoreWorkbench:
    work = root / "work"
    work.mkdir(exist_ok=True)
    spec = JobSpec(
        component="tr-sql",
        action="run",
        parameters={},
        work=str(work),
        memory_mb=memory_mb,
        store=StoreSettings(f"file://{root / 'store'}", str(root / "cache"), 100),
        inputs=list(plans),
    )
    return StoreWorkbench(spec, lambda _message, _level: None, lambda _done, _total: None)


def stored(bench: StoreWorkbench, sql: str) -> str:
    """Write the rows of a query to the store; its path there."""
    with bench.connect() as connection:
        return bench.store_query(connection, sql)["path"]


def plan(path: str, *, deletes: str | None = None, **mapped: Any) -> dict[str, Any]:
    segment = {
        "path": path,
        "columns": COLUMNS,
        "changed_at": CHANGED,
        "deletes": [deletes] if deletes else [],
    }
    whole = InputPlan(
        source="in.c-hr.people",
        destination="people",
        columns=[{"name": "id", "type": "BIGINT"}, {"name": "who", "type": "VARCHAR"}],
        all_columns=COLUMNS,  # type: ignore[typeddict-item]  # plain JSON, as it arrives
        segments=[segment],  # type: ignore[list-item]  # plain JSON, as it arrives
        where=None,
        changed_since=None,
        limit=None,
        rows=4,
        bytes=1,
        version=1,
        version_at=CHANGED,
    )
    return {**whole, **mapped}


@pytest.fixture
def people(tmp_path: Path) -> Iterator[tuple[StoreWorkbench, duckdb.DuckDBPyConnection]]:
    """Four people: one is superseded, the mapping leaves out another and every salary."""
    first = workbench(tmp_path)
    path = stored(
        first,
        "SELECT * FROM (VALUES (1, 'Ann', 7001), (2, 'Bob', 7002), (3, 'Cyd', 7003),"
        " (4, 'Dan', 7004)) t(id, who, salary)",
    )
    deletes = stored(first, "SELECT 2::BIGINT AS pos")
    where = {"column": "who", "operator": "ne", "values": ["Dan"]}
    bench = workbench(tmp_path, plan(path, deletes=deletes, where=where))
    with closing(bench.sandbox(bench.inputs())) as connection:
        yield bench, connection
    bench.close()


def contents(root: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in (root / "store").rglob("*.parquet")}


def test_only_the_mapped_rows_and_columns_are_there(
    people: tuple[StoreWorkbench, duckdb.DuckDBPyConnection],
) -> None:
    _, connection = people
    assert connection.sql("FROM people").columns == ["id", "who"]
    assert connection.execute("FROM people").fetchall() == [(1, "Ann"), (2, "Bob")]


def test_nothing_that_it_may_open_holds_what_the_mapping_leaves_out(
    people: tuple[StoreWorkbench, duckdb.DuckDBPyConnection],
) -> None:
    _, connection = people
    ((paths, folders),) = connection.execute(
        "SELECT current_setting('allowed_paths'), current_setting('allowed_directories')"
    ).fetchall()
    files = [Path(path) for path in paths if Path(path).exists()]
    files += [file for folder in folders for file in Path(folder).rglob("*") if file.is_file()]
    read = b"".join(file.read_bytes() for file in files)
    assert b"Ann" in read  # the job's own database
    assert b"Cyd" not in read
    assert b"Dan" not in read
    assert (7001).to_bytes(8, "little") not in read


@pytest.mark.parametrize(
    "statement",
    [
        "FROM read_parquet('{segment}')",
        "FROM '{segment}'",
        "FROM read_blob('{segment}')",
        "FROM glob('{store}/**')",
        "COPY (SELECT 1) TO '{segment}' (FORMAT parquet, USE_TMP_FILE false)",
        "COPY (SELECT 1) TO '{segment}'",
        "COPY (SELECT 1) TO '{store}/new.parquet'",
        "ATTACH '{segment}' AS a",
        "SELECT salary FROM people",
    ],
)
def test_a_segment_cannot_be_read_or_overwritten(
    people: tuple[StoreWorkbench, duckdb.DuckDBPyConnection], tmp_path: Path, statement: str
) -> None:
    bench, connection = people
    before = contents(tmp_path)
    assert len(before) == 2  # the people and the superseded position
    for segment in bench.inputs()[0].paths:
        with pytest.raises(duckdb.Error):
            connection.execute(statement.format(segment=segment, store=tmp_path / "store"))
    assert contents(tmp_path) == before


def test_its_rows_become_a_segment_that_it_cannot_reach(
    people: tuple[StoreWorkbench, duckdb.DuckDBPyConnection], tmp_path: Path
) -> None:
    bench, connection = people
    connection.execute("CREATE VIEW names AS SELECT who FROM people")
    written = bench.store_query(connection, "FROM names")
    assert written["rows"] == 2
    with bench.store.reading([written["path"]]) as files:
        (file,) = files.values()
        with pytest.raises(duckdb.PermissionException):
            connection.execute(f"FROM '{file}'")
        with pytest.raises(duckdb.PermissionException):
            connection.execute(f"COPY (SELECT 1) TO '{file}' (FORMAT parquet, USE_TMP_FILE false)")
    assert list((tmp_path / "work/out").iterdir()) == []


def test_changing_a_copy_changes_no_table(
    people: tuple[StoreWorkbench, duckdb.DuckDBPyConnection], tmp_path: Path
) -> None:
    bench, connection = people
    before = contents(tmp_path)
    connection.execute("DELETE FROM people WHERE id = 1")
    assert connection.execute("FROM people").fetchall() == [(2, "Bob")]
    assert contents(tmp_path) == before
    with closing(bench.sandbox(bench.inputs())) as other:
        assert other.execute("FROM people").fetchall() == [(1, "Ann"), (2, "Bob")]


def test_two_inputs_of_one_alias_are_named(tmp_path: Path) -> None:
    inputs = [InputTable("in.c-a.x", name, [], "SELECT 1 AS a") for name in ("orders", "Orders")]
    with pytest.raises(RunnerError, match="Two input tables have the alias “Orders”"):
        workbench(tmp_path).sandbox(inputs)


def test_a_million_rows_are_taken_in_within_the_limit(tmp_path: Path) -> None:
    wide = (
        "SELECT i AS id, hash(i)::VARCHAR || repeat(hash(i + 1)::VARCHAR, 12) AS who,"
        " i AS salary FROM range(1000000) t(i)"
    )
    path = stored(workbench(tmp_path), wide)
    bench = workbench(tmp_path, plan(path, rows=1_000_000), memory_mb=256)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with closing(bench.sandbox(bench.inputs())) as connection:
        limit = connection.execute("SELECT current_setting('memory_limit')").fetchone()
        counted = connection.execute("SELECT count(*), sum(id), max(length(who)) FROM people")
        assert counted.fetchall()[0][:2] == (1_000_000, 499_999_500_000)
    assert limit == ("145.9 MiB",)  # 153 MB of the job's 256
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 * 1024  # KB; the rows are more than 250 MB
