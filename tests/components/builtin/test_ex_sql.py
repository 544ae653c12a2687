from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.builtin.ex_sql import MANIFEST
from components.exceptions import RunnerError
from components.runners.inline import try_inline

Run = Callable[..., Any]
ZONED = "TIMESTAMP WITH TIME ZONE"


def source(**fields: Any) -> dict[str, Any]:
    return {"sources": [fields]}


def columns(done: Any, table: str) -> dict[str, str]:
    (segment,) = done.output(table)["segments"]
    return {column["name"]: column["type"] for column in segment["columns"]}


def fails(run: Run, people: Any, **fields: Any) -> str:
    with pytest.raises(RunnerError) as caught:
        run(MANIFEST, {**people.parameters, **source(**fields)})
    return caught.value.message


@pytest.fixture
def orders(people: Any) -> Any:
    people.execute("CREATE TABLE orders (id integer PRIMARY KEY, who varchar(20), amount integer)")
    people.execute("INSERT INTO orders VALUES (1, 'Ann', 10), (2, '', NULL), (3, NULL, 30)")
    return people


ROWS = [
    {"id": 1, "who": "Ann", "amount": 10},
    {"id": 2, "who": "", "amount": None},
    {"id": 3, "who": None, "amount": 30},
]


def test_a_table_is_loaded(run: Run, orders: Any) -> None:
    done = run(MANIFEST, {**orders.parameters, **source(table="orders", primary_key=["id"])})
    assert done.rows("in.c-test.orders") == ROWS
    assert columns(done, "in.c-test.orders") == {
        "id": "BIGINT",
        "who": "VARCHAR",
        "amount": "BIGINT",
    }
    (output,) = done.outputs
    assert (output["incremental"], output["primary_key"]) == (False, ["id"])
    assert done.result == {"tables": [{"table": "in.c-test.orders", "rows": 3}]}


@pytest.mark.parametrize("end", ["", ";", " ;\n; \n", " -- the end"])
def test_a_query_is_loaded(run: Run, orders: Any, end: str) -> None:
    query = (
        'SELECT who AS "Who: %s", count(*) AS n FROM orders\n'
        "WHERE who LIKE '%nn' OR who = ':x' GROUP BY who" + end
    )
    if orders.kind == "mysql":
        query = query.replace('"', "`")
    done = run(MANIFEST, {**orders.parameters, **source(query=query, name="People")})
    assert done.rows("in.c-test.people") == [{"Who___s": "Ann", "n": 1}]


def test_an_empty_result_has_its_columns(run: Run, orders: Any) -> None:
    query = "SELECT id, who FROM orders WHERE id > 100"
    done = run(MANIFEST, {**orders.parameters, **source(query=query, name="none")})
    assert done.rows("in.c-test.none") == []
    assert list(columns(done, "in.c-test.none")) == ["id", "who"]


def test_a_single_column_of_nulls_and_empty_texts(run: Run, orders: Any) -> None:
    query = "SELECT who FROM orders ORDER BY id"
    done = run(MANIFEST, {**orders.parameters, **source(query=query, name="x")})
    assert [row["who"] for row in done.rows("in.c-test.x")] == ["Ann", "", None]


def test_difficult_texts_survive(run: Run, people: Any) -> None:
    texts = [
        "a,b",
        'say "x"',
        "line\nbreak",
        "CR\r\nLF\r",
        "\\N",
        "Žluťoučký 🐎",
        "  x  ",
        "NULL",
        "'",
    ]
    people.execute("CREATE TABLE t (id integer, value text)")
    for number, text in enumerate(texts):
        quoted = text.replace("'", "''")
        if people.kind == "mysql":
            quoted = quoted.replace("\\", "\\\\")
        people.execute(f"INSERT INTO t VALUES ({number}, '{quoted}')")
    done = run(MANIFEST, {**people.parameters, **source(table="t")})
    rows = sorted(done.rows("in.c-test.t"), key=lambda row: row["id"])
    assert [row["value"] for row in rows] == texts


def test_a_text_of_many_megabytes_survives(run: Run, people: Any) -> None:
    times = "repeat('x', 5000000)"
    if people.kind == "sqlite":
        times = "replace(hex(zeroblob(2500000)), '0', 'x')"
    query = f"SELECT {times} AS value"
    done = run(MANIFEST, {**people.parameters, **source(query=query, name="big")})
    assert done.rows("in.c-test.big") == [{"value": "x" * 5_000_000}]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"table": "nowhere"}, "“nowhere” cannot be read: "),
        ({"query": "SELCT 1", "name": "x"}, "“x” cannot be read: "),
        ({"query": "SELECT 1 AS a"}, "A query needs a table name for its rows."),
        (
            {"query": "SELECT 1", "table": "orders", "name": "x"},
            "Give a table or a query, not both.",
        ),
        ({"table": "a.b.c"}, "“a.b.c” cannot be the name of a table."),
        ({"table": ""}, "“” cannot be the name of a table."),
        ({"table": "orders", "incremental_column": "day"}, "“orders” has no column “day”"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(
    run: Run, orders: Any, fields: dict[str, str], told: str
) -> None:
    assert fails(run, orders, **fields).startswith(told)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM orders", "DROP TABLE orders", "INSERT INTO orders VALUES (9, 'x', 1)"],
)
def test_nothing_can_be_changed(run: Run, orders: Any, statement: str) -> None:
    fails(run, orders, query=statement, name="x")
    fails(run, orders, query=f"SELECT 1 AS a) AS source LIMIT 0; {statement}; --", name="x")
    assert orders.execute("SELECT count(*) FROM orders") == [(3,)]


HELD = {  # take and free a lock, a query that waits for it, and who waits
    "postgresql": (
        "SELECT pg_advisory_lock(7)",
        "SELECT pg_advisory_unlock(7)",
        "SELECT x, pg_advisory_xact_lock(7)::text AS held FROM a",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
    ),
    "mysql": (
        "SELECT GET_LOCK('orchestrator_test', 10)",
        "SELECT RELEASE_LOCK('orchestrator_test')",
        "SELECT x, GET_LOCK('orchestrator_test', 20) AS held FROM a",
        "SELECT count(*) FROM information_schema.processlist WHERE state = 'User lock'",
    ),
}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.mariadb),
    ],
)
def test_all_tables_come_from_one_snapshot(
    request: pytest.FixtureRequest, run: Run, kind: str
) -> None:
    people = request.getfixturevalue(kind)
    take, free, query, waiting = HELD[kind]
    people.execute("CREATE TABLE a AS SELECT 1 AS x")
    people.execute("CREATE TABLE b (x integer)")
    sources = [{"query": query, "name": "a"}, {"table": "b"}]
    people.execute(take)
    with ThreadPoolExecutor() as pool:
        job = pool.submit(run, MANIFEST, {**people.parameters, "sources": sources})
        while people.execute(waiting) == [(0,)]:
            assert not job.done(), job.result()
        people.execute("INSERT INTO b VALUES (2)")
        people.execute(free)
        done = job.result()
    assert [row["x"] for row in done.rows("in.c-test.a")] == [1]
    assert done.rows("in.c-test.b") == []


@pytest.mark.postgres
def test_two_columns_of_one_name_are_refused(run: Run, postgresql: Any) -> None:
    assert fails(run, postgresql, query='SELECT 1 AS a, 2 AS "A"', name="x") == (
        "Two columns are called “A”. Give one of them another name with AS."
    )


@pytest.mark.parametrize("statement", ["ATTACH DATABASE '{other}' AS other", "VACUUM INTO '{new}'"])
def test_a_sqlite_file_brings_in_no_other(
    run: Run, sqlite: Any, tmp_path: Path, statement: str
) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"")
    sql = statement.format(other=other, new=tmp_path / "new.db")
    fails(run, sqlite, query=sql, name="x")
    fails(run, sqlite, query=f"SELECT 1 AS a) AS source LIMIT 0; {sql}; --", name="x")
    assert not (tmp_path / "new.db").exists()
    assert other.read_bytes() == b""


@pytest.mark.parametrize("path", ["../people.db", "/etc/passwd", "link.db", "none.db"])
def test_a_sqlite_file_lies_in_the_files_folder(
    run: Run, sqlite: Any, tmp_path: Path, path: str
) -> None:
    (tmp_path / "people.db").write_bytes((tmp_path / "files/people.db").read_bytes())
    (tmp_path / "files/link.db").symlink_to(tmp_path / "people.db")
    with pytest.raises(RunnerError):
        run(MANIFEST, {**sqlite.parameters, "database": path, **source(table="orders")})
    assert not (tmp_path / "files/none.db").exists()


@pytest.mark.postgres
def test_a_schema_is_named(run: Run, postgresql: Any) -> None:
    postgresql.execute('CREATE SCHEMA "My.Shop"')
    postgresql.execute('CREATE TABLE "My.Shop"."Orders" AS SELECT 1 AS "Id"')
    done = run(MANIFEST, {**postgresql.parameters, **source(table='"My.Shop".Orders')})
    assert done.rows("in.c-test.orders") == [{"Id": 1}]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"port": 1}, "Cannot connect to {name} at 127.0.0.1:1: "),
        ({"database": "nowhere_at_all"}, "nowhere_at_all"),
        ({"user": "nobody", "#password": "s3cret!"}, "nobody"),
        ({"host": "nowhere.invalid"}, "at nowhere.invalid:"),
        ({"encryption": "require"}, "SSL"),
        ({"encryption": "verify"}, "SSL"),
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.mariadb),
    ],
)
def test_a_connection_that_fails_is_a_sentence(
    request: pytest.FixtureRequest, run: Run, kind: str, change: dict[str, Any], told: str
) -> None:
    people = request.getfixturevalue(kind)
    if (kind, change.get("user")) == ("postgresql", "nobody"):
        told = 'role "nobody" does not exist'
    parameters = {**people.parameters, **change}
    name = "PostgreSQL" if kind == "postgresql" else "MySQL or MariaDB"
    with pytest.raises(RunnerError) as caught:
        run(MANIFEST, {**parameters, **source(table="x")})
    assert told.format(name=f"{name} database {parameters['database']}") in caught.value.message
    assert "s3cret!" not in caught.value.message
    assert caught.value.permanent is False


def test_the_connection_is_tested(people: Any, tmp_path: Path) -> None:
    said = try_inline(MANIFEST, {**people.parameters, **source(table="x")}, root=tmp_path)
    assert said.startswith("Connected to ")
    assert people.parameters["database"] in said
    assert ", version " in said


def test_many_rows_are_streamed(run: Run, people: Any) -> None:
    query = {
        "postgresql": "SELECT n AS id, md5(n::text) AS hash FROM generate_series(1, 60000) n",
        "mysql": "SELECT seq AS id, md5(seq) AS hash FROM seq_1_to_60000",
        "sqlite": "WITH RECURSIVE s(id) AS (SELECT 1 UNION ALL "
        "SELECT id + 1 FROM s WHERE id < 60000) SELECT id, hex(id) AS hash FROM s",
    }[people.kind]
    done = run(MANIFEST, {**people.parameters, **source(query=query, name="many")})
    (segment,) = done.output("in.c-test.many")["segments"]
    assert segment["rows"] == 60000
    rows = done.rows("in.c-test.many")
    assert sum(row["id"] for row in rows) == 60000 * 60001 // 2
    assert len({row["hash"] for row in rows}) == 60000
