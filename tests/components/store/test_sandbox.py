"""A person's SQL works on what was taken in, and on nothing else of the machine (I12)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from components.store.sandbox import connect, locked, take_in
from orchestrator_site.lib.duck import StatementRefused, person_statements


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """`given/one` is taken in, `out` may be written; everything else is secret."""
    for name in ("given", "other", "out", "spill"):
        (tmp_path / name).mkdir()
    with closing(duckdb.connect()) as connection:
        for name in ("given/one", "given/two", "other/three"):
            connection.execute(
                f"COPY (SELECT '{name}' AS s, 'secret' AS hidden) TO '{tmp_path}/{name}.parquet'"
            )
        connection.execute(f"ATTACH '{tmp_path}/other/x.db' AS x")
    (tmp_path / "other/secret.txt").write_text("secret")
    (tmp_path / "spill/old.tmp").write_text("secret")
    (tmp_path / "out/link.txt").symlink_to(tmp_path / "other/secret.txt")
    (tmp_path / "out/folder").symlink_to(tmp_path / "other")
    return tmp_path


@pytest.fixture
def sandbox(root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    database = root / "taken.duckdb"
    with closing(connect(root / "spill", database=database)) as connection:
        take_in(connection, {"one": f"SELECT s FROM read_parquet('{root}/given/one.parquet')"})
    with closing(
        locked(database, root / "new_spill", out=root / "out", memory_mb=64)
    ) as connection:
        yield connection


def everything(root: Path) -> list[tuple[str, int]]:
    folders = (root / "given", root / "other")
    return sorted((str(f), f.stat().st_mtime_ns) for folder in folders for f in folder.iterdir())


def test_it_reads_what_was_taken_in(sandbox: duckdb.DuckDBPyConnection, root: Path) -> None:
    assert sandbox.execute("FROM one").fetchall() == [("given/one",)]
    sandbox.execute(f"COPY (SELECT s FROM one) TO '{root}/out/result.parquet'")
    found = sandbox.execute(f"FROM '{root}/out/result.parquet'").fetchall()
    assert found == [("given/one",)]


def test_it_does_not_know_where_its_rows_came_from(sandbox: duckdb.DuckDBPyConnection) -> None:
    assert sandbox.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall() == []
    assert sandbox.execute("SELECT sql FROM duckdb_tables()").fetchall() == [
        ("CREATE TABLE one(s VARCHAR);",)
    ]
    assert sandbox.execute("FROM duckdb_external_file_cache()").fetchall() == []
    assert sandbox.execute("FROM duckdb_secrets()").fetchall() == []
    assert sandbox.execute("FROM duckdb_temporary_files()").fetchall() == []


def test_it_may_open_its_own_database_and_scratch_only(
    sandbox: duckdb.DuckDBPyConnection, root: Path
) -> None:
    paths, folders = sandbox.execute(
        "SELECT current_setting('allowed_paths'), current_setting('allowed_directories')"
    ).fetchall()[0]
    assert {path.partition(".duckdb")[0] for path in paths} == {f"{root}/taken"}
    assert set(folders) == {f"{root}/out/", f"{root}/new_spill/"}


@pytest.mark.parametrize(
    "statement",
    [
        "FROM '{root}/given/one.parquet'",
        "FROM read_parquet('{root}/given/one.parquet')",
        "FROM read_blob('{root}/given/one.parquet')",
        "FROM parquet_metadata('{root}/given/one.parquet')",
        "FROM parquet_schema('{root}/given/one.parquet')",
        "FROM query('FROM read_parquet(''{root}/given/one.parquet'')')",
        "FROM query_table('{root}/given/one.parquet')",
        "CREATE MACRO m() AS TABLE FROM read_parquet('{root}/given/one.parquet')",
        "COPY (SELECT 1) TO '{root}/given/one.parquet'",
        "COPY (SELECT 1) TO '{root}/given/one.parquet' (FORMAT parquet, USE_TMP_FILE false)",
        "COPY one FROM '{root}/given/one.parquet'",
        "FROM glob('{root}/given/*')",
        "FROM glob('{root}/**')",
        "FROM glob('{root}/spill/*')",
        "FROM read_text('{root}/spill/old.tmp')",
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
        "SET temp_directory = '{root}/spill'",
        "SET home_directory = '{root}'",
        "SET log_query_path = '{root}/other/log'",
        "PRAGMA enable_profiling = 'json'",
        "FROM duckdb_extensions()",
        "SET profiling_output = '{root}/other/profile'",
    ],
)
def test_it_does_nothing_else(
    sandbox: duckdb.DuckDBPyConnection, root: Path, statement: str
) -> None:
    python_variable = duckdb.connect().execute("SELECT 'secret' AS s")
    before = everything(root)
    with pytest.raises(duckdb.Error):
        sandbox.execute(statement.format(root=root)).fetchall()
    assert everything(root) == before
    assert python_variable.fetchall() == [("secret",)]


def test_it_spills_to_its_own_folder(sandbox: duckdb.DuckDBPyConnection) -> None:
    rows = "SELECT hash(i)::VARCHAR || hash(i + 1)::VARCHAR AS s FROM range(2000000) t(i)"
    found = sandbox.execute(f"SELECT count(*), min(s) < max(s) FROM ({rows} ORDER BY s)").fetchone()
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
