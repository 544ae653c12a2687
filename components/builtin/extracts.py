"""Reading a table or query of a database: its columns, then its rows as text on disk.

Rows go through a CSV file, in which NULL is an empty field and an empty text is "". PostgreSQL
writes it itself (COPY); the others' rows come from a cursor that the server feeds, in portions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa

from components.builtin import databases, readings
from components.builtin.databases import MYSQL, POSTGRESQL, Database
from components.builtin.readings import Readings, TextColumn
from components.exceptions import RunnerError

PORTION = 5000  # rows fetched at once
Progress = Callable[[int], None]

POSTGRESQL_READINGS: dict[str, Readings] = {
    "bool": readings.BOOLEANS,
    "int2": readings.WHOLES,
    "int4": readings.WHOLES,
    "int8": readings.WHOLES,
    "oid": readings.WHOLES,
    "float4": readings.FLOATS,
    "float8": readings.FLOATS,
    "date": readings.DATES,
    "time": readings.TIMES,
    "timestamp": readings.TIMESTAMPS,
    "timestamptz": readings.INSTANTS,
}
# Numbers of the protocol, field types of MySQL.
MYSQL_READINGS: dict[int, Readings] = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13, 16), readings.WHOLES),  # 13 is YEAR, 16 BIT
    4: readings.SINGLES,
    5: readings.FLOATS,
    7: readings.UTC_INSTANTS,
    10: readings.DATES,
    11: readings.TIMES,
    12: readings.TIMESTAMPS,
}
MYSQL_DECIMAL, MYSQL_BIT, MYSQL_FLOAT = 246, 16, 4


@dataclass(frozen=True)
class Extract:
    """A file of rows as text."""

    path: Path
    columns: list[TextColumn]
    rows: int
    longest: int  # bytes of the longest line

    @property
    def source(self) -> str:
        """The FROM item that reads it."""
        return readings.source_sql(str(self.path), len(self.columns), self.longest)


@dataclass(frozen=True)
class SourceColumn:
    """A column of the source: its name there, the SQL that yields its text, how to read that."""

    name: str
    sql: str
    readings: Readings
    bits: bool = False  # bytes that are a number


def describe(database: Database, query: str) -> list[SourceColumn]:
    """Return the columns of a query; raises RunnerError where two have one name."""
    result = database.run(f"SELECT * FROM ({query}) AS source LIMIT 0")  # noqa: S608  # theirs
    described = list(result.cursor.description or [])
    result.close()
    names = [str(column[0]) for column in described]
    _check_names(names)
    if database.kind == POSTGRESQL:
        return _describe_postgresql(database, described)
    if database.kind == MYSQL:
        return [_mysql_column(database, column) for column in described]
    return [SourceColumn(name, database.name(name), readings.TEXTS) for name in names]


def _check_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise RunnerError(
                f"Two columns are called “{name}”. Give one of them another name with AS.",
                permanent=True,
            )
        seen.add(name.lower())


def _describe_postgresql(database: Database, described: Iterable[Any]) -> list[SourceColumn]:
    columns = list(described)
    oids = ", ".join(str(int(column[1])) for column in columns)
    rows = database.run(
        f"SELECT oid::bigint, typname, typcategory FROM pg_type WHERE oid IN ({oids})"  # noqa: S608
    ).mappings()
    types = {row["oid"]: (str(row["typname"]), str(row["typcategory"])) for row in rows}
    return [_postgresql_column(database, column, *types[column[1]]) for column in columns]


def _postgresql_column(database: Database, column: Any, type_: str, category: str) -> SourceColumn:
    name = str(column[0])
    quoted = database.name(name)
    if category == "A":
        return SourceColumn(name, f"to_json({quoted})", readings.TEXTS)
    if type_ == "bytea":
        return SourceColumn(name, f"encode({quoted}, 'hex')", readings.TEXTS)
    if type_ == "numeric":
        return SourceColumn(name, quoted, readings.decimals(column[4], column[5]))
    return SourceColumn(name, quoted, POSTGRESQL_READINGS.get(type_, readings.TEXTS))


def _mysql_column(database: Database, column: Any) -> SourceColumn:
    name, type_ = str(column[0]), column[1]
    quoted = database.name(name)
    if type_ == MYSQL_FLOAT:  # its own text has six digits only
        return SourceColumn(name, f"{quoted} + 0e0", readings.SINGLES)
    if type_ == MYSQL_DECIMAL:
        scale = column[5]
        digits = column[4] - 1 - (scale > 0)  # the width holds a sign and a point
        return SourceColumn(name, quoted, readings.decimals(digits, scale))
    found = MYSQL_READINGS.get(type_, readings.TEXTS)
    return SourceColumn(name, quoted, found, bits=type_ == MYSQL_BIT)


def extract(
    database: Database,
    query: str,
    columns: Sequence[SourceColumn],
    path: Path,
    progress: Progress,
) -> Extract:
    """Write the rows of a query to a file; `columns` are those that `describe` found."""
    items = ", ".join(f"{column.sql} AS {database.name(column.name)}" for column in columns)
    sql = f"SELECT {items} FROM ({query}) AS source"  # noqa: S608  # theirs, and quoted names
    with path.open("wb") as file:
        if database.kind == POSTGRESQL:
            rows, longest = _copied(database, sql, file, progress)
            kept = [TextColumn(column.name, column.readings) for column in columns]
        else:
            writer = _Writer(file, columns)
            _fetched(database, sql, writer, progress)
            rows, longest = writer.rows, writer.longest
            kept = writer.columns(typeless=database.kind == databases.SQLITE)
    return Extract(path, kept, rows, longest)


def _copied(database: Database, sql: str, file: BinaryIO, progress: Progress) -> tuple[int, int]:
    """Let PostgreSQL write the file; return its rows and the longest line."""
    rows = longest = 0
    with database.raw.cursor() as cursor:
        text = sql.replace("SELECT", "SELECT 0,", 1)
        with cursor.copy(f"COPY ({text}) TO STDOUT (FORMAT csv)") as copy:
            for row in copy:  # the server sends each row as a message of its own
                longest = max(longest, len(row))
                rows += 1
                file.write(row)
                if rows % PORTION == 0:
                    progress(rows)
    return rows, longest


def _fetched(database: Database, sql: str, writer: _Writer, progress: Progress) -> None:
    result = database.run(sql, stream_results=True)
    for portion in result.partitions(PORTION):
        writer.write(portion)
        progress(writer.rows)


class _Writer:
    """Writes rows of Python values as CSV and remembers which kinds of values there were."""

    def __init__(self, file: BinaryIO, columns: Sequence[SourceColumn]) -> None:
        self._file = file
        self._columns = columns
        self._kinds: list[set[type]] = [set() for _ in columns]
        self._bits = [number for number, column in enumerate(columns) if column.bits]
        self.rows = 0
        self.longest = 0

    def write(self, portion: Sequence[sa.Row[Any]]) -> None:
        """Write some rows."""
        for kinds, values in zip(self._kinds, zip(*portion, strict=True), strict=True):
            kinds.update(map(type, values))
        lines = [self._line(row) for row in portion]
        self.longest = max(self.longest, *map(len, lines))
        self.rows += len(lines)
        self._file.writelines(lines)

    def _line(self, row: Sequence[Any]) -> bytes:
        values: Sequence[Any] = row
        if self._bits:
            values = list(row)
            for number in self._bits:
                values[number] = _number(values[number])
        return f"0,{','.join(map(_field, values))}\n".encode()

    def columns(self, *, typeless: bool) -> list[TextColumn]:
        """Return the columns; where the database is typeless, read as their values are."""
        return [
            TextColumn(column.name, _by_values(kinds) if typeless else column.readings)
            for column, kinds in zip(self._columns, self._kinds, strict=True)
        ]


def _number(value: Any) -> Any:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


def _field(value: Any) -> str:
    """Return a value as a CSV field: nothing for NULL, quotes around all else."""
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + value.replace('"', '""') + '"'
    if isinstance(value, bytes):
        return f'"{value.hex()}"'
    return repr(value)


def _by_values(kinds: set[type]) -> Readings:
    """Return the readings for the kinds of values that a column of SQLite really holds."""
    found = kinds - {type(None)}
    if found == {int}:
        return readings.WHOLES
    if found and found <= {int, float}:
        return readings.EXACT_FLOATS
    if found == {str}:
        return readings.DATE_TEXTS
    return readings.TEXTS
