from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from components.builtin.wr_sql import MANIFEST
from components.exceptions import RunnerError
from components.runners.inline import try_inline

Run = Callable[..., Any]
Table = Callable[[str, str], Any]
TWO = "SELECT * FROM (VALUES (1, 'Ann', 10), (2, '', NULL)) t(id, who, amount)"
LATER = "SELECT * FROM (VALUES (2, 'Bob', 20), (3, NULL, 30)) t(id, who, amount)"
ROWS = [(1, "Ann", 10), (2, "", None)]


def write(run: Run, people: Any, *inputs: Any, tables: Any = ()) -> Any:
    return run(MANIFEST, {**people.parameters, "tables": list(tables)}, inputs=inputs)


def fails(run: Run, people: Any, *inputs: Any, tables: Any = ()) -> RunnerError:
    with pytest.raises(RunnerError) as caught:
        write(run, people, *inputs, tables=tables)
    return caught.value


def rows(people: Any, table: str = "orders") -> list[tuple[Any, ...]]:
    return list(people.execute(f"SELECT * FROM {table} ORDER BY id"))


def names(people: Any) -> list[str]:
    sql = {
        "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        "mysql": "SHOW TABLES",
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    }[people.kind]
    return sorted(str(row[0]) for row in people.execute(sql))


def test_each_table_replaces_the_one_of_its_alias(run: Run, people: Any, table: Table) -> None:
    done = write(run, people, table("orders", TWO), table("others", "SELECT 7 AS id"))
    assert rows(people) == ROWS
    assert rows(people, "others") == [(7,)]
    assert [(t["source"], t["mode"], t["rows"]) for t in done.result["tables"]] == [
        ("in.c-test.orders", "create", 2),
        ("in.c-test.others", "create", 1),
    ]
    write(run, people, table("orders", "SELECT 9 AS id, true AS other"))
    assert [tuple(row) for row in rows(people)] == [(9, True)]
    assert names(people) == ["orders", "others"]


def test_append_adds_rows(run: Run, people: Any, table: Table) -> None:
    entry = {"source": "orders", "mode": "append"}
    write(run, people, table("orders", TWO), tables=[entry])
    write(run, people, table("orders", LATER), tables=[entry])
    assert sorted(row[0] for row in rows(people)) == [1, 2, 2, 3]


def test_append_fills_the_columns_it_has(run: Run, people: Any, table: Table) -> None:
    people.execute("CREATE TABLE orders (who varchar(9), more integer DEFAULT 5, id integer)")
    entry = {"source": "orders", "mode": "append"}
    write(run, people, table("orders", "SELECT 1 AS id, 'Ann' AS who"), tables=[entry])
    assert rows(people) == [("Ann", 5, 1)]


def test_upsert_updates_and_adds(run: Run, people: Any, table: Table) -> None:
    entry = {"source": "orders", "mode": "upsert", "primary_key": ["id"]}
    write(run, people, table("orders", TWO), tables=[entry])
    people.execute("ALTER TABLE orders ADD note varchar(9)")
    people.execute("UPDATE orders SET note = 'kept'")
    done = write(run, people, table("orders", LATER), tables=[entry])
    assert rows(people) == [(1, "Ann", 10, "kept"), (2, "Bob", 20, "kept"), (3, None, 30, None)]
    assert done.result["tables"][0]["rows"] == 2
    assert names(people) == ["orders"]
    write(run, people, table("orders", LATER), tables=[entry])
    assert len(rows(people)) == 3


def test_upsert_works_without_an_index_and_with_two_keys(
    run: Run, people: Any, table: Table
) -> None:
    people.execute("CREATE TABLE orders (id integer, kind varchar(9), amount integer)")
    people.execute("INSERT INTO orders VALUES (1, 'a', 1), (1, 'b', 2)")
    entry = {"source": "orders", "mode": "upsert", "primary_key": ["id", "kind"]}
    sql = "SELECT * FROM (VALUES (1, 'b', 20), (1, 'c', 30)) t(id, kind, amount)"
    write(run, people, table("orders", sql), tables=[entry])
    assert sorted(rows(people)) == [(1, "a", 1), (1, "b", 20), (1, "c", 30)]


def test_upsert_of_keys_only(run: Run, people: Any, table: Table) -> None:
    entry = {"source": "orders", "mode": "upsert", "primary_key": ["id"]}
    for sql in ("SELECT 1 AS id", "SELECT unnest([1, 2]) AS id"):
        write(run, people, table("orders", sql), tables=[entry])
    assert rows(people) == [(1,), (2,)]


def test_a_new_table_gets_its_key(run: Run, people: Any, table: Table) -> None:
    entry = {"source": "orders", "primary_key": ["code"]}
    write(run, people, table("orders", "SELECT 1 AS id, 'x' AS code"), tables=[entry])
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):  # each driver has its own
        people.execute("INSERT INTO orders VALUES (2, 'x')")
    people.execute("INSERT INTO orders VALUES (2, 'X')")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT unnest([1, 1, 2]) AS id", "1 repeated ones"),
        ("SELECT unnest([1, NULL]) AS id", "1 rows without one"),
    ],
)
def test_a_key_that_is_none_is_refused(
    run: Run, people: Any, table: Table, sql: str, told: str
) -> None:
    people.execute("CREATE TABLE orders (id integer)")
    people.execute("INSERT INTO orders VALUES (5)")
    for mode in ("create", "upsert"):
        entry = {"source": "orders", "mode": mode, "primary_key": ["id"]}
        error = fails(run, people, table("orders", sql), tables=[entry])
        assert error.message == f"“orders” cannot have the primary key id: there are {told}."
        assert error.permanent is True
    assert rows(people) == [(5,)]


def test_difficult_texts_survive(run: Run, people: Any, table: Table) -> None:
    texts = [
        "a,b",
        'say "x"',
        "line\nbreak",
        "CR\r\n",
        "\\N",
        "\\.",
        "Žluťoučký 🐎",
        "",
        "%s",
        "'",
        ":x",
    ]
    listed = ", ".join("'" + text.replace("'", "''") + "'" for text in texts)
    sql = f"SELECT unnest(range({len(texts)})) AS id, unnest([{listed}]) AS value"
    write(run, people, table("orders", sql))
    assert [row[1] for row in rows(people)] == texts


def test_odd_names_are_quoted(run: Run, people: Any, table: Table) -> None:
    entry = {"source": "orders", "table": 'Or"d"ers %s'.replace('"', "")}
    write(run, people, table("orders", 'SELECT 1 AS id, 2 AS "select"'), tables=[entry])
    assert names(people) == ["Orders %s"]


TYPED = """
    SELECT 1 AS id, true AS b, 9223372036854775807::BIGINT AS i, 0.1::DOUBLE AS f,
      1234567890.12::DECIMAL(12,2) AS d, 123456789012345678901234567.891::DECIMAL(30,3) AS big,
      DATE '2026-02-03' AS day, TIME '04:05:06.789' AS t,
      TIMESTAMP '2026-02-03 04:05:06.789012' AS ts,
      TIMESTAMPTZ '2026-02-03 04:05:06+02' AS tz, 'x'::VARCHAR AS v, '\\xDE\\xAD'::BLOB AS bytes
    UNION ALL SELECT 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
"""
STAMP = datetime(2026, 2, 3, 4, 5, 6, 789012)  # noqa: DTZ001  # a type without a zone
LONG = "123456789012345678901234567.891"
EXPECTED: dict[str, tuple[Any, ...]] = {
    "postgresql": (
        1, True, 9223372036854775807, 0.1, Decimal("1234567890.12"), Decimal(LONG),
        date(2026, 2, 3), time(4, 5, 6, 789000), STAMP,
        datetime(2026, 2, 3, 2, 5, 6, tzinfo=UTC), "x", b"\xde\xad",
    ),
    "mysql": (
        1, 1, 9223372036854775807, 0.1, Decimal("1234567890.12"), Decimal(LONG),
        date(2026, 2, 3), timedelta(hours=4, minutes=5, seconds=6.789), STAMP,
        datetime(2026, 2, 3, 2, 5, 6), "x", b"\xde\xad",  # noqa: DTZ001
    ),
    "sqlite": (
        1, 1, 9223372036854775807, 0.1, 1234567890.12, LONG,
        "2026-02-03", "04:05:06.789", "2026-02-03 04:05:06.789012", "2026-02-03 02:05:06", "x",
        b"\xde\xad",
    ),
}  # fmt: skip


def test_types(run: Run, people: Any, table: Table) -> None:
    write(run, people, table("orders", TYPED))
    full, empty = rows(people)
    assert full == EXPECTED[people.kind]
    assert empty == (2, *[None] * 11)


def test_an_empty_table_is_written(run: Run, people: Any, table: Table) -> None:
    write(run, people, table("orders", TWO))
    write(run, people, table("orders", f"{TWO} WHERE id > 9"))
    assert rows(people) == []


def test_a_row_that_does_not_fit_changes_nothing(run: Run, people: Any, table: Table) -> None:
    people.execute("CREATE TABLE orders (id integer, amount integer NOT NULL)")
    people.execute("INSERT INTO orders VALUES (1, 1)")
    sql = "SELECT * FROM (VALUES (1, 2), (5, NULL)) t(id, amount)"
    for mode in ("append", "upsert"):
        entry = {"source": "orders", "mode": mode, "primary_key": ["id"]}
        error = fails(run, people, table("orders", sql), tables=[entry])
        assert error.message.startswith("“orders” cannot be written: ")
        assert "amount" in error.message
        assert rows(people) == [(1, 1)]
    assert names(people) == ["orders"]


def test_what_cannot_be_created_leaves_nothing(run: Run, people: Any, table: Table) -> None:
    write(run, people, table("orders", TWO))
    wide = ", ".join(f"{number} AS c{number}" for number in range(2100))
    error = fails(run, people, table("orders", f"SELECT 1 AS id, {wide}"))
    assert error.message.startswith("“orders” cannot be written: ")
    assert rows(people) == ROWS
    assert names(people) == ["orders"]


@pytest.mark.mariadb
def test_mysql_drops_its_unfinished_table(run: Run, mysql: Any, table: Table) -> None:
    write(run, mysql, table("orders", TWO))
    fails(run, mysql, table("orders", "SELECT 1 AS id, 'infinity'::DATE AS day"))
    assert rows(mysql) == ROWS
    assert names(mysql) == ["orders"]


@pytest.mark.parametrize("kind", [pytest.param("postgresql", marks=pytest.mark.postgres), "sqlite"])
def test_all_tables_or_none(
    request: pytest.FixtureRequest, run: Run, table: Table, kind: str
) -> None:
    people = request.getfixturevalue(kind)
    people.execute("CREATE TABLE strict_one (id integer NOT NULL)")
    tables = [{"source": "orders"}, {"source": "strict_one", "mode": "append"}]
    inputs = (table("orders", TWO), table("strict_one", "SELECT NULL::INT AS id"))
    fails(run, people, *inputs, tables=tables)
    assert names(people) == ["strict_one"]
    write(run, people, inputs[0], table("strict_one", "SELECT 1 AS id"), tables=tables)
    assert names(people) == ["orders", "strict_one"]


@pytest.mark.postgres
def test_readers_see_the_old_table_until_the_end(run: Run, postgresql: Any, table: Table) -> None:
    write(run, postgresql, table("orders", TWO))
    postgresql.execute("CREATE VIEW seen AS SELECT id FROM orders")
    error = fails(run, postgresql, table("orders", LATER))
    assert "seen" not in error.message or "depend" in error.message
    assert "other objects depend on it" in error.message
    assert rows(postgresql) == ROWS


@pytest.mark.postgres
def test_a_schema_is_named(run: Run, postgresql: Any, table: Table) -> None:
    postgresql.execute('CREATE SCHEMA "Sales"')
    entries = [
        {"source": "orders", "table": "Sales.orders", "mode": mode, "primary_key": ["id"]}
        for mode in ("create", "append", "upsert")
    ]
    write(run, postgresql, table("orders", TWO), tables=entries[:1])
    write(run, postgresql, table("orders", "SELECT 5 AS id"), tables=entries[1:2])
    write(run, postgresql, table("orders", "SELECT 6 AS id"), tables=entries[2:])
    assert [row[0] for row in rows(postgresql, '"Sales".orders')] == [1, 2, 5, 6]
    assert names(postgresql) == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"source": "others"}, "“others” is not in the input mapping. It has orders."),
        ({"source": "orders", "mode": "upsert"}, "Upsert of “orders” needs a primary key."),
        (
            {"source": "orders", "primary_key": ["no"]},
            "“orders” has no column no for the primary key.",
        ),
    ],
)
def test_a_wrong_plan_is_a_sentence(
    run: Run, sqlite: Any, table: Table, entry: Any, told: str
) -> None:
    assert fails(run, sqlite, table("orders", TWO), tables=[entry]).message == told
    assert names(sqlite) == []


def test_missing_columns_are_named(run: Run, people: Any, table: Table) -> None:
    people.execute("CREATE TABLE orders (id integer)")
    entry = {"source": "orders", "mode": "append"}
    message = fails(run, people, table("orders", TWO), tables=[entry]).message
    assert message.startswith("Some columns are missing in ")
    assert message.endswith(": who, amount.")


def test_without_a_table_there_is_nothing_to_write(run: Run, sqlite: Any) -> None:
    assert fails(run, sqlite).message.startswith("No table is mapped.")


def test_a_new_sqlite_file_is_made(run: Run, table: Table, tmp_path: Path) -> None:
    run(MANIFEST, {"type": "sqlite", "database": "new.db"}, inputs=[table("orders", TWO)])
    assert (tmp_path / "files/new.db").is_file()
    with pytest.raises(RunnerError, match="not inside the files folder"):
        run(MANIFEST, {"type": "sqlite", "database": "../x.db"}, inputs=[table("orders", TWO)])
    assert not (tmp_path / "x.db").exists()


def test_many_rows(run: Run, people: Any, table: Table) -> None:
    sql = "SELECT range AS id, md5(range::VARCHAR) AS text FROM range(1, 20001)"
    write(run, people, table("orders", sql))
    assert [
        tuple(map(int, row))
        for row in people.execute("SELECT count(*), sum(id), count(DISTINCT text) FROM orders")
    ] == [(20000, 20000 * 20001 // 2, 20000)]


def test_the_connection_is_tested(people: Any, tmp_path: Path) -> None:
    said = try_inline(MANIFEST, people.parameters, root=tmp_path)
    assert said.startswith("Connected to ")
    assert ", version " in said
