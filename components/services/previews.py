"""Show and hand out what a table holds: preview, export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import duckdb

from components.exceptions import StorageError
from components.models import Table, TableVersion
from components.services.storage_files import open_small_bench
from components.services.table_versions import plans, segments_of
from components.store.columns import Column
from components.store.loading import Bench
from components.store.tables import read_sql, segment_paths
from orchestrator_site.lib.duck import identifier, literal

PREVIEW_ROWS = 100
MAX_CELL = 500  # characters
EXPORTS = {
    "csv": "FORMAT csv, HEADER",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}


@dataclass(frozen=True)
class Preview:
    """Some rows as text; None is NULL, and a long value ends in “…”."""

    columns: list[Column]
    rows: list[list[str | None]]
    total: int  # rows of the whole version
    version: int
    is_cut: bool  # there are more rows that fit


def preview(
    table: Table,
    *,
    version: TableVersion | None = None,
    limit: int = PREVIEW_ROWS,
    text: str = "",
) -> Preview:
    """Return the first rows of a version, the current one where None is given.

    `text` keeps the rows that have it in any column, upper and lower case being the same. Raises
    StorageError for a table that was never loaded.
    """
    shown = _version(table, version)
    columns: list[Column] = shown.columns
    with _reading(shown) as (bench, rows):
        found = bench.connection.execute(
            _preview_sql(columns, rows, text), [*([text] if text else []), limit + 1]
        ).fetchall()
    return Preview(
        columns,
        [list(row) for row in found[:limit]],
        shown.rows,
        shown.number,
        is_cut=len(found) > limit,
    )


def export(table: Table, *, format: str = "csv", version: TableVersion | None = None) -> IO[bytes]:  # noqa: A002  # what the page calls it
    """Return an open file with the whole version as CSV or Parquet; closing it removes it.

    In CSV a NULL is an empty field and an empty text is "". Raises StorageError for another
    format or a table that was never loaded.
    """
    if format not in EXPORTS:
        raise StorageError(f"“{format}” is no export format; use {' or '.join(EXPORTS)}.")
    shown = _version(table, version)
    with _reading(shown) as (bench, rows):
        target = bench.scratch / f"export.{format}"
        bench.connection.execute(f"COPY ({rows}) TO {literal(str(target))} ({EXPORTS[format]})")
        # The folder goes with the bench; the open file stays readable until it is closed.
        return target.open("rb")


def _version(table: Table, version: TableVersion | None) -> TableVersion:
    found = version or table.current
    if found is None:
        raise StorageError(f"The table {table.key} has no rows yet.")
    return found


@contextmanager
def _reading(version: TableVersion) -> Iterator[tuple[Bench, str]]:
    """Have a bench and the SELECT of a version's rows."""
    segments = plans(segments_of(version))
    with open_small_bench() as bench, bench.store.reading(segment_paths(segments)) as files:
        try:
            yield bench, read_sql(version.columns, segments, files)
        except duckdb.IOException as error:
            raise StorageError("A file of this table could not be read.") from error


def _preview_sql(columns: Sequence[Column], rows: str, text: str) -> str:
    """Return the query; its parameters are the text, if there is one, and the limit."""
    names = [identifier(column["name"]) for column in columns]
    texts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in names)
    cells = ", ".join(
        f"CASE WHEN length({name}) > {MAX_CELL} THEN left({name}, {MAX_CELL}) || '…'"
        f" ELSE {name} END"
        for name in names
    )
    wanted = ""
    if text:
        found = " OR ".join(f"contains(lower(coalesce({name}, '')), lower($1))" for name in names)
        wanted = f" WHERE {found}"
    place = "$2" if text else "$1"
    return f"SELECT {cells} FROM (SELECT {texts} FROM ({rows})){wanted} LIMIT {place}"  # noqa: S608
