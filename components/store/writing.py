"""Rows of a query to one Parquet segment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import duckdb

from components.exceptions import ImportRejected
from components.store.columns import Column, clean_names, storable
from components.store.segments import Store
from orchestrator_site.lib.duck import identifier, literal


class SegmentData(TypedDict):
    """One Parquet file in the store that no table refers to yet."""

    path: str  # below the store's root
    columns: list[Column]
    rows: int
    bytes: int


def write_query(
    connection: duckdb.DuckDBPyConnection, sql: str, target: Path, store: Store
) -> SegmentData:
    """Write the rows of a SELECT to the store, by way of the new local file `target`.

    Names are cleaned and types made storable. On a sandboxed connection `target` must be in a
    directory that it may use. Raises ImportRejected for names that cannot be kept, and
    duckdb.Error where the query itself fails.
    """
    query = sql.strip().rstrip(";")
    described = connection.execute(f"DESCRIBE {query}").fetchall()
    cleaned = clean_names([row[0] for row in described])
    kept = [storable(row[0], row[1]) for row in described]
    columns: list[Column] = [
        {"name": name, "type": type_} for name, (_, type_) in zip(cleaned, kept, strict=True)
    ]
    shown = ", ".join(
        f"{expression} AS {identifier(name)}"
        for name, (expression, _) in zip(cleaned, kept, strict=True)
    )
    # The line break ends a comment that the query may end with.
    return write_segment(connection, f"SELECT {shown} FROM ({query}\n)", columns, target, store)  # noqa: S608


def write_segment(
    connection: duckdb.DuckDBPyConnection,
    select: str,
    columns: list[Column],
    target: Path,
    store: Store,
) -> SegmentData:
    """Write a SELECT whose columns are known to be storable; see `write_query`."""
    try:
        rows, size, statistics = copy_to_parquet(connection, select, target)
        path = store.put(target)
    finally:
        target.unlink(missing_ok=True)
    return SegmentData(
        path=path, columns=_mark_empty(columns, rows, statistics), rows=rows, bytes=size
    )


def copy_to_parquet(
    connection: duckdb.DuckDBPyConnection, select: str, target: Path
) -> tuple[int, int, dict[str, dict[str, str]]]:
    """Write one zstd Parquet file; return rows, bytes and statistics by quoted column name."""
    if target.exists():
        raise ImportRejected(f"{target.name} was written already.")
    found: tuple[Any, ...] | None = connection.execute(
        f"COPY ({select}) TO {literal(str(target))}"
        " (FORMAT parquet, COMPRESSION zstd, RETURN_STATS, USE_TMP_FILE false)"
    ).fetchone()
    if found is None:  # no row group at all
        return 0, target.stat().st_size, {}
    return found[1], found[2], found[4]


def _mark_empty(
    columns: list[Column], rows: int, statistics: dict[str, dict[str, str]]
) -> list[Column]:
    """Mark the columns without any value: a later load may give them their type."""
    marked: list[Column] = []
    for column in columns:
        nulls = statistics.get(identifier(column["name"]), {}).get("null_count")
        empty = rows == 0 or (nulls is not None and int(nulls) == rows)
        kept: Column = {"name": column["name"], "type": column["type"]}
        marked.append({**kept, "empty": True} if empty else kept)
    return marked
