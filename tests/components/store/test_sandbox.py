"""A person's SQL reads what it was given, and nothing else of the machine (I12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from components.store.sandbox import connect, sandbox
from orchestrator_site.lib.duck import StatementRefused, person_statements


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`given/one` may be read, `out` written; everything else is secret."""
    for name in ("given", "other", "out", "spill"):
        (tmp_path / name).mkdir()
    with closing(duckdb.connect()) as connection:
        for name in ("given/one", "given/two", "other/three"):
            connection.execute(f"COPY (SELECT '{name}' AS s) TO '{tmp_path}/{name}.parquet'")
        connection.execute(f"ATTACH '{tmp_path}/other/x.db' AS x")
    (tmp_path / "other/secret.txt").write_text("secret")
    (tmp_path / "out/link.txt").symlink_to(tmp_path / "other/secret.txt")
    (tmp_path / "out/folder").symlink_to(tmp_path / "other")
    return tmp_path


@pytest.fixture
def locked(root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(connect(root / "spill", memory_mb=64)) as connection:
        one = root / "given/one.parquet"
        connection.execute(f"CREATE VIEW one AS SELECT * FROM read_parquet('{one}')")
        sandbox(connection, files=[one], directories=[root / "out"])
        yield connection


def everything(root: Path) -> list[tuple[str, int]]:
    folders = (root / "given", root / "other")
    return sorted((str(f), f.stat().st_mtime_ns) for folder in folders for f in folder.iterdir())


def test_it_reads_what_it_was_given(locked: duckdb.DuckDBPyConnection, root: Path) -> None:
    assert locked.execute("SELECT s FROM one").fetchall() == [("given/one",)]
    locked.execute(f"COPY (SELECT s FROM one) TO '{root}/out/result.parquet'")
    found = locked.execute(f"FROM '{root}/out/result.parquet'").fetchall()
    assert found == [("given/one",)]


@pytest.mark.parametrize(
    "statement",
    [
        "FROM '{root}/given/two.parquet'",
        "FROM '{root}/other/three.parquet'",
        "FROM '{root}/given/../other/three.parquet'",
        "FROM '{root}/out/../other/three.parquet'",
        "FROM '{root}/given/*.parquet'",
        "FROM read_text('{root}/other/secret.txt')",
        "FROM read_text('{root}/out/link.txt')",
        "FROM read_text('{root}/out/folder/secret.txt')",
        "FROM glob('{root}/other/*')",
        "FROM glob('{root}/out/folder/*')",
        "FROM read_text('/etc/passwd')",
        "FROM read_blob('/etc/passwd')",
        "FROM read_csv('/etc/passwd')",
        "FROM sniff_csv('/etc/passwd')",
        "FROM read_text('/proc/self/environ')",
        "FROM parquet_metadata('{root}/other/three.parquet')",
        "FROM read_csv('http://127.0.0.1:1/x.csv')",
        "ATTACH '{root}/other/x.db'",
        "ATTACH '{root}/other/new.db' AS new",
        "COPY (SELECT 1) TO '{root}/other/written.csv'",
        "COPY (SELECT 1) TO '{root}/given/written.csv'",
        "COPY (SELECT 1) TO '{root}/out/folder/written.csv'",
        "EXPORT DATABASE '{root}/other/all'",
        "IMPORT DATABASE '{root}/other'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '{root}/other/x.duckdb_extension'",
        "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
        "SELECT getenv('PATH')",
        "FROM python_variable",
        "SET memory_limit = '1GB'",
        "SET threads = 64",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET lock_configuration",
        "PRAGMA memory_limit = '1GB'",
        "CALL enable_logging()",
        "SET profiling_output = '{root}/other/profile'",
    ],
)
def test_it_does_nothing_else(
    locked: duckdb.DuckDBPyConnection, root: Path, statement: str
) -> None:
    python_variable = duckdb.connect().execute("SELECT 'secret' AS s")
    before = everything(root)
    with pytest.raises(duckdb.Error):
        locked.execute(statement.format(root=root)).fetchall()
    assert everything(root) == before
    assert python_variable.fetchall() == [("secret",)]


def test_it_spills_to_its_own_folder(locked: duckdb.DuckDBPyConnection) -> None:
    rows = "SELECT hash(i)::VARCHAR || hash(i + 1)::VARCHAR AS s FROM range(2000000) t(i)"
    found = locked.execute(f"SELECT count(*), min(s) < max(s) FROM ({rows} ORDER BY s)").fetchone()
    assert found == (2_000_000, True)


@pytest.mark.parametrize(
    "script",
    [
        "COPY (SELECT 1) TO 'x'",
        "-- a comment\nCOPY one TO 'x'",
        "/* one */ COPY (PIVOT one ON s) TO 'x'",
        "/* /* two */ select */ COPY (PIVOT one ON s) TO 'x'",
        "COPY t FROM 'x'",
        "SELECT 1; COPY one TO 'x'",
        "PREPARE p AS COPY (SELECT 1) TO 'x'",
        "EXECUTE p",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'x'",
        "EXPLAIN ANALYZE (PIVOT one ON s)",
        "EXPORT DATABASE 'x'",
        "ATTACH 'x'",
        "DETACH x",
        "INSTALL x",
        "LOAD x",
        "CALL x()",
        "PRAGMA x",
        "BEGIN",
        "CHECKPOINT",
        "UPDATE EXTENSIONS",
    ],
)
def test_a_script_may_not_leave_its_tables(script: str) -> None:
    with pytest.raises(StatementRefused, match="is not allowed here: a script may only read"):
        person_statements(script)


def test_the_refused_word_is_named() -> None:
    with pytest.raises(StatementRefused, match=r"^COPY is not allowed"):
        person_statements("-- why\n copy one to 'x'")


def test_a_script_is_split_where_its_statements_end() -> None:
    script = """
        CREATE TABLE t AS SELECT ';' AS a, $$;$$ AS b; -- ; not here
        INSERT INTO t VALUES ('x', 'y'); /* ; */
        PIVOT t ON a USING count(*);
        WITH c AS (FROM t) SELECT * FROM c;
        ;
    """
    found = person_statements(script)
    assert len(found) == 4
    with closing(duckdb.connect()) as connection:
        results = [connection.execute(statement).fetchall() for statement in found]
    assert results[1] == [(1,)]
    assert sorted(results[3]) == [(";", ";"), ("x", "y")]


def test_what_is_no_sql_is_the_parsers_error() -> None:
    with pytest.raises(duckdb.ParserException):
        person_statements("SELEC 1")
