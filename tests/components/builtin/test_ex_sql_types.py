from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from components.builtin.ex_sql import MANIFEST

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
