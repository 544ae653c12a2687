"""How the text of a database's column is read into a Storage type without losing anything.

Each column has a list of readings, best first; the first that fits every value is taken. The last
one is always the text itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from orchestrator_site.lib.duck import identifier, literal

LINE = 2 * 1024 * 1024  # bytes; DuckDB's own limit unless told otherwise


@dataclass(frozen=True)
class Reading:
    """A type, the SQL that makes it of the text `{0}`, and whether it fits a text."""

    type: str
    sql: str
    fits: str = ""  # empty: every text

    def over(self, column: str) -> str:
        """Return the SQL of the typed value."""
        return self.sql.replace("{0}", column)

    def test(self, column: str) -> str:
        """Return the SQL that is true for a text of which nothing would be lost."""
        return self.fits.replace("{0}", column)


def _cast(type_: str, *also: str) -> Reading:
    fits = (*also, f"TRY_CAST({{0}} AS {type_}) IS NOT NULL")
    return Reading(type_, f"CAST({{0}} AS {type_})", " AND ".join(fits))


def _decimal(precision: int, scale: int) -> Reading:
    """Read a decimal number; a cast alone would round the digits that are too many."""
    return _cast(
        f"DECIMAL({precision},{scale})",
        f"length(rtrim(split_part({{0}}, '.', 2), '0')) <= {scale}",
        "NOT contains(lower({0}), 'e')",
    )


def _shaped(type_: str, pattern: str) -> Reading:
    """Read text of exactly one shape."""
    return _cast(type_, f"regexp_full_match({{0}}, {literal(pattern)})")


Readings = tuple[Reading, ...]
DATE_SHAPE = r"\d{4}-\d\d-\d\d"
TIME_SHAPE = r"\d\d:\d\d:\d\d(\.\d{1,6})?"

TEXT = Reading("VARCHAR", "{0}")
TEXTS: Readings = (TEXT,)
BOOLEANS: Readings = (_cast("BOOLEAN"), TEXT)
# "+5" or "5.0" would be cast as well, and not come back as they were.
WHOLE = _cast("BIGINT", r"regexp_full_match({0}, '-?\d+')")
WHOLES: Readings = (WHOLE, _decimal(38, 0), TEXT)
FLOATS: Readings = (_cast("DOUBLE"), TEXT)
# A float of four bytes, sent as the eight-byte number nearest to it: its shortest text.
SINGLES: Readings = (
    Reading("DOUBLE", "CAST(CAST(CAST({0} AS FLOAT) AS VARCHAR) AS DOUBLE)", FLOATS[0].fits),
    TEXT,
)
DATES: Readings = (_cast("DATE"), TEXT)
TIMES: Readings = (_cast("TIME"), TEXT)
TIMESTAMPS: Readings = (_cast("TIMESTAMP"), TEXT)
INSTANTS: Readings = (_cast("TIMESTAMP WITH TIME ZONE"), TEXT)
# Text in UTC that does not say so.
UTC_INSTANTS: Readings = (
    Reading(
        "TIMESTAMP WITH TIME ZONE",
        "CAST({0} || '+00' AS TIMESTAMP WITH TIME ZONE)",
        "TRY_CAST({0} || '+00' AS TIMESTAMP WITH TIME ZONE) IS NOT NULL",
    ),
    TEXT,
)
# A database without types: dates are text of one shape, numbers are what they are.
DATE_TEXTS: Readings = (
    _shaped("DATE", DATE_SHAPE),
    _shaped("TIMESTAMP", f"{DATE_SHAPE}[ T]{TIME_SHAPE}"),
    TEXT,
)
# Beyond 2**53 a whole number may have no double of its own.
EXACT_FLOATS: Readings = (
    _cast(
        "DOUBLE",
        r"(NOT regexp_full_match({0}, '-?\d+') OR abs(TRY_CAST({0} AS DOUBLE)) < 9007199254740992)",
    ),
    TEXT,
)
# Numbers of any length: stable types first, so that the next load brings the same one.
NUMBERS: Readings = (_decimal(38, 9), _decimal(38, 18), _decimal(38, 24), TEXT)


def decimals(precision: int | None, scale: int | None) -> Readings:
    """Return the readings of a decimal column; None where the database sets no limit."""
    if precision is None or scale is None or scale < 0:
        return NUMBERS
    return (_decimal(precision, scale), TEXT) if precision <= 38 else NUMBERS  # noqa: PLR2004


@dataclass(frozen=True)
class TextColumn:
    """One column of an extract."""

    name: str
    readings: Readings


def source_sql(path: str, count: int, longest: int) -> str:
    """Return the FROM item of an extract: columns c0, c1 … of text after a first one to skip.

    `longest` is the longest line's length in bytes.
    """
    columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(count))
    line = max(LINE, longest + 1)
    return (
        f"read_csv({literal(path)}, columns={{'skip': 'VARCHAR', {columns}}}, header=false, "
        "auto_detect=false, delim=',', quote='\"', escape='\"', new_line='\\n', nullstr='', "
        f"allow_quoted_nulls=false, max_line_size={line}, buffer_size={16 * line})"
    )


def choose(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[TextColumn]
) -> list[Reading]:
    """Return the reading of each column that fits all its values."""
    tests = [
        f"coalesce(bool_and({reading.test(f'c{number}')}) FILTER (c{number} IS NOT NULL), true)"
        for number, column in enumerate(columns)
        for reading in column.readings[:-1]
    ]
    if not tests:
        return [column.readings[-1] for column in columns]
    row = connection.execute(f"SELECT {', '.join(tests)} FROM {source}").fetchone()  # noqa: S608
    fitting = iter(row or ())
    chosen = []
    for column in columns:
        fits = [next(fitting) for _ in column.readings[:-1]]
        chosen.append(column.readings[fits.index(True) if True in fits else -1])
    return chosen


def typed_sql(source: str, columns: Sequence[TextColumn], chosen: Sequence[Reading]) -> str:
    """Return the SELECT that reads an extract with its types."""
    items = [
        f"{reading.over(f'c{number}')} AS {identifier(column.name)}"
        for number, (column, reading) in enumerate(zip(columns, chosen, strict=True))
    ]
    return f"SELECT {', '.join(items)} FROM {source}"  # noqa: S608  # our own SQL
