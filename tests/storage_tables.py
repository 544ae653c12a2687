"""Tables of the segment store, loaded from plain SQL and read back as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.models import Job, TableVersion
from components.services.previews import preview
from components.services.storage import (
    OutputData,
    commit_outputs,
)
from components.services.storage_files import open_bench
from components.store.writing import SegmentData, write_query

KEY = "in.c-shop.orders"
Row = tuple[Any, ...]


def write(sql: str) -> SegmentData:
    with open_bench() as bench:
        return write_query(bench.connection, sql, bench.target(), bench.store)


def output(
    *sqls: str, table: str = KEY, incremental: bool = False, key: Sequence[str] = ()
) -> OutputData:
    return OutputData(
        table=table,
        incremental=incremental,
        primary_key=list(key),
        segments=[write(sql) for sql in sqls],
    )


def load(*sqls: str, job: Job | None = None, **options: Any) -> TableVersion:
    done = commit_outputs([output(*sqls, **options)], job=job, user=None)
    return TableVersion.objects.get(table__key=done[0]["table"], number=done[0]["version"])


def values(*rows: str, columns: str = "id, v") -> str:
    return f"SELECT * FROM (VALUES {', '.join(rows)}) AS t({columns})"


def rows_of(version: TableVersion) -> list[Row]:
    found = preview(version.table, version=version, limit=100_000)
    assert version.rows == len(found.rows)
    return sorted((tuple(row) for row in found.rows), key=repr)


def types_of(version: TableVersion) -> dict[str, str]:
    return {column["name"]: column["type"] for column in version.columns}
