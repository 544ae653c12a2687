"""Upsert as merge on read: new rows are appended, the positions that they supersede are listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from components.exceptions import ImportRejected
from components.store.columns import Column, find
from components.store.loading import Bench
from components.store.tables import SegmentPlan, positions_sql, read_sql, segment_paths
from components.store.writing import copy_to_parquet
from orchestrator_site.lib.duck import identifier

# Rows of several segments in one number: segment number times this, plus position.
ROWS_PER_SEGMENT = 2**40


class Deletes(TypedDict):
    """One written segment that lists superseded positions of the data segment at `target`."""

    target: str
    path: str
    rows: int
    bytes: int


class Merge:
    """One load by primary key: `new` segments over the `base` ones, in the version's types."""

    def __init__(self, bench: Bench, columns: Sequence[Column], key: Sequence[str]) -> None:
        self.bench = bench
        self.keys = [(column, f"k{i}") for i, column in enumerate(key_columns(columns, key))]
        self.names = ", ".join(alias for _, alias in self.keys)

    def superseded(self, base: Sequence[SegmentPlan], new: Sequence[SegmentPlan]) -> list[Deletes]:
        """Write the positions of all rows that the load supersedes.

        These are old rows whose key comes again, and all but the last of equal keys inside the
        load. Raises ImportRejected where a key of the load is NULL.
        """
        with self.bench.store.reading(segment_paths([*base, *new])) as files:
            self._collect(new, files)
            self._refuse_nulls()
            found = self._within(new)
            for segment in base:
                rows = positions_sql(self.keys, segment, files)
                found += self._write(
                    segment["path"],
                    f"SELECT pos FROM ({rows}) SEMI JOIN incoming USING ({self.names})",  # noqa: S608
                )
        return found

    def _collect(self, new: Sequence[SegmentPlan], files: Mapping[str, Path]) -> None:
        parts = [
            f"SELECT {self.names}, {i * ROWS_PER_SEGMENT} + pos AS place"  # noqa: S608
            f" FROM ({positions_sql(self.keys, segment, files)})"
            for i, segment in enumerate(new)
        ]
        self._run(f"CREATE OR REPLACE TEMP TABLE incoming AS {' UNION ALL '.join(parts)}")

    def _refuse_nulls(self) -> None:
        for column, alias in self.keys:
            rows = self._count(f"SELECT count(*) FROM incoming WHERE {alias} IS NULL")  # noqa: S608
            if rows:
                raise ImportRejected(
                    f"The key column “{column['name']}” is empty in {rows} "
                    f"{'row' if rows == 1 else 'rows'}; every row needs a value there."
                )

    def _within(self, new: Sequence[SegmentPlan]) -> list[Deletes]:
        """List all but the last of equal keys inside the load."""
        self._run(
            f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {self.names}, max(place) AS last"  # noqa: S608
            f" FROM incoming GROUP BY {self.names} HAVING count(*) > 1"
        )
        if not self._count("SELECT count(*) FROM repeated"):
            return []
        self._run(
            "CREATE OR REPLACE TEMP TABLE earlier AS SELECT place FROM incoming"  # noqa: S608
            f" JOIN repeated USING ({self.names}) WHERE place < last"
        )
        found = []
        for i, segment in enumerate(new):
            low, high = i * ROWS_PER_SEGMENT, (i + 1) * ROWS_PER_SEGMENT
            found += self._write(
                segment["path"],
                f"SELECT place - {low} AS pos FROM earlier"  # noqa: S608
                f" WHERE place >= {low} AND place < {high}",
            )
        return found

    def _write(self, target: str, select: str) -> list[Deletes]:
        """Write one deletes segment; none where nothing is superseded."""
        file = self.bench.target()
        try:
            rows, size, _ = copy_to_parquet(self.bench.connection, select, file)
            if not rows:
                return []
            path = self.bench.store.put(file)
        finally:
            file.unlink(missing_ok=True)
        return [Deletes(target=target, path=path, rows=rows, bytes=size)]

    def _run(self, sql: str) -> None:
        self.bench.connection.execute(sql)

    def _count(self, sql: str) -> int:
        found = self.bench.connection.execute(sql).fetchone()
        return int(found[0]) if found else 0


def key_columns(columns: Sequence[Column], key: Sequence[str]) -> list[Column]:
    """Return the columns of a key; raises ImportRejected where one is not there."""
    found = [(name, find(columns, name)) for name in key]
    missing = [name for name, column in found if column is None]
    if missing:
        raise ImportRejected(
            f"The primary key names columns that are not in the table: {', '.join(missing)}."
        )
    return [column for _, column in found if column]


def is_key(
    bench: Bench, columns: Sequence[Column], key: Sequence[str], segments: Sequence[SegmentPlan]
) -> bool:
    """Return whether the columns tell all rows of the segments apart, without a NULL."""
    kept = key_columns(columns, key)
    names = ", ".join(identifier(column["name"]) for column in kept)
    filled = " AND ".join(f"{identifier(column['name'])} IS NOT NULL" for column in kept)
    with bench.store.reading(segment_paths(segments)) as files:
        rows = read_sql(kept, segments, files)
        found = bench.connection.execute(
            f"SELECT coalesce(sum(n), 0) = count(*), coalesce(bool_and(filled), true)"  # noqa: S608
            f" FROM (SELECT count(*) AS n, bool_and({filled}) AS filled FROM ({rows})"
            f" GROUP BY {names})"
        ).fetchone()
    return bool(found and found[0] and found[1])
