from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time
from decimal import Decimal
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


def plain_rows(done: Any, table: str) -> list[dict[str, Any]]:
    """Return the rows by their first column; moments with a zone as text, for want of pytz."""
    zoned = [name for name, type_ in columns(done, table).items() if type_ == ZONED]
    (segment,) = done.output(table)["segments"]
    casts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in zoned) or "0 AS none"
    with (
        done.workbench.connect() as connection,
        done.workbench.store.reading([segment["path"]]) as files,
    ):
        sql = f"SELECT * REPLACE ({casts}) FROM '{files[segment['path']]}' ORDER BY 1 NULLS LAST"
        found = connection.execute(sql if zoned else sql.replace(f"REPLACE ({casts})", ""))
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


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


def load(run: Run, people: Any, state: Any, **fields: Any) -> Any:
    fields = {"table": "orders", "incremental_column": "id", **fields}
    return run(MANIFEST, {**people.parameters, **source(**fields)}, state=state)


def test_later_jobs_read_what_is_new(run: Run, orders: Any) -> None:
    first = load(run, orders, {})
    assert (len(first.rows("in.c-test.orders")), first.outputs[0]["incremental"]) == (3, False)
    orders.execute("INSERT INTO orders VALUES (4, 'Eve', 40)")
    second = load(run, orders, first.state)
    assert second.rows("in.c-test.orders") == [{"id": 4, "who": "Eve", "amount": 40}]
    assert second.outputs[0]["incremental"] is True
    third = load(run, orders, second.state)
    assert third.rows("in.c-test.orders") == []
    assert third.state == second.state
    orders.execute("INSERT INTO orders VALUES (5, 'Bob', 50)")
    assert [row["id"] for row in load(run, orders, third.state).rows("in.c-test.orders")] == [5]


def test_with_a_key_the_last_value_is_read_once_more(run: Run, orders: Any) -> None:
    first = load(run, orders, {}, primary_key=["id"])
    again = load(run, orders, first.state, primary_key=["id"])
    assert [row["id"] for row in again.rows("in.c-test.orders")] == [3]
    assert (again.outputs[0]["incremental"], again.outputs[0]["primary_key"]) == (True, ["id"])


def test_another_column_starts_from_the_beginning(run: Run, orders: Any) -> None:
    first = load(run, orders, {})
    other = load(run, orders, first.state, incremental_column="amount")
    assert (len(other.rows("in.c-test.orders")), other.outputs[0]["incremental"]) == (3, False)
    none = load(run, orders, other.state, incremental_column="")
    assert (len(none.rows("in.c-test.orders")), none.outputs[0]["incremental"]) == (3, False)
    assert (
        len(load(run, orders, none.state, incremental_column="amount").rows("in.c-test.orders"))
        == 3
    )


@pytest.mark.parametrize("type_", ["timestamp", "date", "decimal(20,6)"])
def test_it_goes_on_by_moments_and_decimals(run: Run, people: Any, type_: str) -> None:
    values = {
        "timestamp": ["2026-01-01 10:00:00", "2026-01-01 10:00:01"],
        "date": ["2026-01-01", "2026-01-02"],
        "decimal(20,6)": ["12345678901234.000001", "12345678901234.000002"],
    }[type_]
    if people.kind == "sqlite" and type_.startswith("decimal"):
        pytest.skip("SQLite has no decimals")
    people.execute(f"CREATE TABLE orders (id integer, moment {type_})")
    people.execute(f"INSERT INTO orders VALUES (1, '{values[0]}')")
    first = load(run, people, {}, incremental_column="moment")
    assert (
        load(run, people, first.state, incremental_column="moment").rows("in.c-test.orders") == []
    )
    people.execute(f"INSERT INTO orders VALUES (2, '{values[1]}')")
    second = load(run, people, first.state, incremental_column="moment")
    assert [row["id"] for row in plain_rows(second, "in.c-test.orders")] == [2]


@pytest.mark.postgres
def test_two_columns_of_one_name_are_refused(run: Run, postgresql: Any) -> None:
    assert fails(run, postgresql, query='SELECT 1 AS a, 2 AS "A"', name="x") == (
        "Two columns are called “A”. Give one of them another name with AS."
    )


@pytest.mark.postgres
def test_a_text_is_no_column_to_go_on_by(run: Run, postgresql: Any) -> None:
    postgresql.execute("CREATE TABLE orders AS SELECT 'x' AS code")
    assert fails(run, postgresql, table="orders", incremental_column="code") == (
        "Column “code” of “orders” cannot be loaded incrementally by: it must hold numbers, "
        "dates or times."
    )


def at(microsecond: int = 0) -> datetime:
    return datetime(2026, 2, 3, 4, 5, 6, microsecond)  # noqa: DTZ001  # a type without a zone


LONG = Decimal("12345678901234567890.12")
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
POSTGRESQL_TYPES = [
    ("true", "BOOLEAN", True),
    ("'-32768'::int2", "BIGINT", -32768),
    ("9223372036854775807::int8", "BIGINT", 9223372036854775807),
    ("0.1::float4", "DOUBLE", 0.1),
    ("0.1::float8 + 0.2", "DOUBLE", 0.1 + 0.2),
    ("'Infinity'::float8", "DOUBLE", float("inf")),
    ("12345678901234567890.12::numeric(30,2)", "DECIMAL(30,2)", LONG),
    ("1.5::numeric", "DECIMAL(38,9)", Decimal("1.500000000")),
    ("10/3::numeric", "DECIMAL(38,18)", Decimal("3.333333333333333300")),
    ("1/3::numeric", "DECIMAL(38,24)", Decimal("0.333333333333333333330000")),
    ("'NaN'::numeric", "VARCHAR", "NaN"),
    ("1e50::numeric", "VARCHAR", "1" + "0" * 50),
    ("1.0000000000000000000000001::numeric", "VARCHAR", "1.0000000000000000000000001"),
    ("date '2026-02-03'", "DATE", date(2026, 2, 3)),
    ("date '0044-03-15 BC'", "VARCHAR", "0044-03-15 BC"),
    ("time '23:59:59.123456'", "TIME", time(23, 59, 59, 123456)),
    ("timestamp '2026-02-03 04:05:06.789'", "TIMESTAMP", at(789000)),
    ("timestamptz '2026-02-03 04:05:06+02'", ZONED, "2026-02-03 02:05:06+00"),
    ("interval '1 day 2 hours'", "VARCHAR", "P1DT2H"),
    ("'\\xDEADbeef'::bytea", "VARCHAR", "deadbeef"),
    ("""'{"a": [1, null]}'::jsonb""", "VARCHAR", '{"a": [1, null]}'),
    ("ARRAY[1, NULL, 3]", "VARCHAR", "[1,null,3]"),
    ("ARRAY['a,b', '\"']", "VARCHAR", '["a,b","\\""]'),
    (f"'{UUID}'::uuid", "VARCHAR", UUID),
    ("'192.168.0.1'::inet", "VARCHAR", "192.168.0.1"),
    ("'007'::text", "VARCHAR", "007"),
    ("'x '::char(3)", "VARCHAR", "x  "),
]  # fmt: skip


@pytest.mark.postgres
def test_types_of_postgresql(run: Run, postgresql: Any) -> None:
    check_types(run, postgresql, POSTGRESQL_TYPES)


MYSQL_TYPES = [
    ("tinyint(1)", "1", "BIGINT", 1),
    ("bigint", "-9223372036854775808", "BIGINT", -9223372036854775808),
    ("bigint unsigned", "18446744073709551615", "DECIMAL(38,0)", Decimal(18446744073709551615)),
    ("float", "16777216", "DOUBLE", 16777216.0),
    ("float", "0.1", "DOUBLE", 0.1),
    ("double", "0.30000000000000004", "DOUBLE", 0.30000000000000004),
    ("decimal(30,2)", "12345678901234567890.12", "DECIMAL(30,2)", LONG),
    ("decimal(10,0)", "-1234567890", "DECIMAL(10,0)", Decimal(-1234567890)),
    ("decimal(60,5)", "1.5", "DECIMAL(38,9)", Decimal("1.500000000")),
    ("bit(1)", "b'1'", "BIGINT", 1),
    ("bit(10)", "b'1000000001'", "BIGINT", 513),
    ("year", "2026", "BIGINT", 2026),
    ("date", "'2026-02-03'", "DATE", date(2026, 2, 3)),
    ("date", "'0000-00-00'", "VARCHAR", "0000-00-00"),
    ("time(3)", "'23:59:59.123'", "TIME", time(23, 59, 59, 123000)),
    ("time", "'-200:00:00'", "VARCHAR", "-200:00:00"),
    ("datetime(6)", "'2026-02-03 04:05:06.789012'", "TIMESTAMP", at(789012)),
    ("timestamp", "'2026-02-03 04:05:06'", ZONED, "2026-02-03 04:05:06+00"),
    ("blob", "x'DEADBEEF'", "VARCHAR", "deadbeef"),
    ("varbinary(3)", "x'000102'", "VARCHAR", "000102"),
    ("json", """'{"a": [1, null]}'""", "VARCHAR", '{"a": [1, null]}'),
    ("enum('a','b')", "'b'", "VARCHAR", "b"),
    ("varchar(5)", "'007'", "VARCHAR", "007"),
    ("varchar(9) CHARACTER SET latin2", "'Žofie'", "VARCHAR", "Žofie"),
]  # fmt: skip


@pytest.mark.mariadb
def test_types_of_mysql(run: Run, mysql: Any) -> None:
    mysql.execute("SET sql_mode = ''")
    listed = ", ".join(f"c{n} {type_} NULL" for n, (type_, *_) in enumerate(MYSQL_TYPES))
    mysql.execute(f"CREATE TABLE typed (id integer, {listed})")
    values = ", ".join(value for _, value, *_ in MYSQL_TYPES)
    nulls = ", ".join("NULL" for _ in MYSQL_TYPES)
    mysql.execute(f"INSERT INTO typed VALUES (1, {values}), (2, {nulls})")
    done = run(MANIFEST, {**mysql.parameters, **source(table="typed")})
    types = columns(done, "in.c-test.typed")
    row, empty = plain_rows(done, "in.c-test.typed")
    for number, (type_, value, stored, expected) in enumerate(MYSQL_TYPES):
        assert (types[f"c{number}"], row[f"c{number}"]) == (stored, expected), (type_, value)
        assert empty[f"c{number}"] is None
    warned = [message for level, message in done.log if level == "warning"]
    assert warned == [
        "Column “c13” is kept as text: some of its values are no DATE.",
        "Column “c15” is kept as text: some of its values are no TIME.",
    ]


SQLITE_TYPES = [
    ("9223372036854775807", "BIGINT", 9223372036854775807),
    ("0.1", "DOUBLE", 0.1),
    ("'007'", "VARCHAR", "007"),
    ("'2026-02-03'", "DATE", date(2026, 2, 3)),
    ("'2026-02-30'", "VARCHAR", "2026-02-30"),
    ("'2026-02-03T04:05:06.120'", "TIMESTAMP", at(120000)),
    ("'20260203'", "VARCHAR", "20260203"),
    ("x'DEAD'", "VARCHAR", "dead"),
    ("9e999", "DOUBLE", float("inf")),
    ("1e16", "DOUBLE", 1e16),
]


def test_types_of_sqlite(run: Run, sqlite: Any) -> None:
    check_types(run, sqlite, SQLITE_TYPES)


def check_types(run: Run, people: Any, types: list[tuple[str, str, Any]]) -> None:
    listed = ", ".join(f"{value} AS c{n}" for n, (value, *_) in enumerate(types))
    query = (
        f"SELECT t.* FROM (SELECT 1 AS k UNION ALL SELECT 2) v "
        f"LEFT JOIN (SELECT {listed}, 1 AS j) t ON t.j = v.k"
    )
    done = run(MANIFEST, {**people.parameters, **source(query=query, name="typed")})
    found = columns(done, "in.c-test.typed")
    row, empty = plain_rows(done, "in.c-test.typed")
    for number, (value, stored, expected) in enumerate(types):
        assert (found[f"c{number}"], row[f"c{number}"]) == (stored, expected), value
        assert empty[f"c{number}"] is None


def test_mixed_numbers_of_sqlite(run: Run, sqlite: Any) -> None:
    sqlite.execute("CREATE TABLE t (id integer, small, large, mixed)")
    sqlite.execute("INSERT INTO t VALUES (1, 1, 9007199254740993, 1), (2, 0.5, 0.5, 'x')")
    done = run(MANIFEST, {**sqlite.parameters, **source(table="t")})
    assert columns(done, "in.c-test.t") == {
        "id": "BIGINT",
        "small": "DOUBLE",
        "large": "VARCHAR",
        "mixed": "VARCHAR",
    }
    assert [row["large"] for row in done.rows("in.c-test.t")] == ["9007199254740993", "0.5"]


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
