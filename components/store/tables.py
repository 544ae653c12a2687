"""Reading a table: SQL over exactly the segments of one version, superseded rows left out.

Plans are plain data, so that they cross to a job's child process as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from components.store.columns import CHANGED_AT, Column, find
from orchestrator_site.lib.duck import identifier, literal, literals


class SegmentPlan(TypedDict):
    """One data segment of a version."""

    path: str
    columns: list[Column]
    changed_at: str  # when its rows changed, see `moment`; a `_changed_at` column says more
    deletes: list[str]  # paths of the segments that list its superseded positions


class Where(TypedDict):
    """Keep the rows whose column has (eq) or has not (ne) one of the values, written as text."""

    column: str
    operator: str
    values: list[str]


class InputPlan(TypedDict):
    """One mapped table as a job reads it; see `input_sql`."""

    source: str  # table id
    destination: str  # alias
    columns: list[Column]  # those that the mapping takes
    all_columns: list[Column]
    segments: list[SegmentPlan]
    where: Where | None
    changed_since: str | None  # see `moment`
    limit: int | None
    rows: int  # of the whole table
    bytes: int
    version: int
    version_at: str  # when that version was made, see `moment`


def moment(at: datetime) -> str:
    """Return a time as plans write it: UTC, microseconds, so that texts compare as times do."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def segment_paths(segments: Iterable[SegmentPlan]) -> list[str]:
    """Return every file that reading the segments opens."""
    return [path for segment in segments for path in (segment["path"], *segment["deletes"])]


def read_sql(
    columns: Sequence[Column],
    segments: Sequence[SegmentPlan],
    files: Mapping[str, Path],
    *,
    since: str | None = None,
    with_changed: bool = False,
) -> str:
    """Return the SELECT of a version's rows, each column cast to the version's type.

    `files` says where each path is on this machine. `since` keeps rows that changed after that
    moment; `with_changed` adds the hidden column.
    """
    parts = [
        _segment_sql(columns, segment, files, since=since, with_changed=with_changed)
        for segment in segments
        if not _is_older(segment, since)
    ]
    return "\nUNION ALL\n".join(parts) or _no_rows(columns, with_changed=with_changed)


def input_sql(plan: InputPlan, files: Mapping[str, Path]) -> str:
    """Return the SELECT of a mapped table: columns, where, changed since and limit applied."""
    rows = read_sql(plan["all_columns"], plan["segments"], files, since=plan["changed_since"])
    shown = ", ".join(identifier(column["name"]) for column in plan["columns"])
    sql = f"SELECT {shown} FROM (\n{rows}\n)"  # noqa: S608
    if plan["where"]:
        sql += f" WHERE {_condition(plan['where'], plan['all_columns'])}"
    if plan["limit"] is not None:
        sql += f" LIMIT {plan['limit']}"
    return sql


def positions_sql(
    columns: Sequence[tuple[Column, str]], segment: SegmentPlan, files: Mapping[str, Path]
) -> str:
    """Return the SELECT of (column AS alias …, pos) over the rows that are not superseded."""
    shown = ", ".join(
        f"{_value(column, segment)} AS {identifier(alias)}" for column, alias in columns
    )
    return f"SELECT {shown}, file_row_number AS pos FROM {_live(segment, files, numbered=True)}"  # noqa: S608


def _segment_sql(
    columns: Sequence[Column],
    segment: SegmentPlan,
    files: Mapping[str, Path],
    *,
    since: str | None,
    with_changed: bool,
) -> str:
    shown = [f"{_value(column, segment)} AS {identifier(column['name'])}" for column in columns]
    if with_changed:
        shown.append(f"{_changed(segment)} AS {identifier(CHANGED_AT)}")
    sql = f"SELECT {', '.join(shown)} FROM {_live(segment, files)}"  # noqa: S608
    if since and _has_changed(segment):
        sql += f" WHERE {identifier(CHANGED_AT)} > TIMESTAMP {literal(since)}"
    return sql


def _live(segment: SegmentPlan, files: Mapping[str, Path], *, numbered: bool = False) -> str:
    """Return the FROM item of a segment's rows without the superseded ones."""
    path = literal(str(files[segment["path"]]))
    if not segment["deletes"]:
        return f"read_parquet({path}{', file_row_number = true' if numbered else ''})"
    gone = literals([str(files[deletes]) for deletes in segment["deletes"]])
    return (
        f"read_parquet({path}, file_row_number = true) AS t"
        f" ANTI JOIN read_parquet({gone}) AS d ON t.file_row_number = d.pos"
    )


def _value(column: Column, segment: SegmentPlan) -> str:
    """Return the expression of a version's column in a segment; NULL where it has none."""
    own = find(segment["columns"], column["name"])
    if own is None:
        return f"CAST(NULL AS {column['type']})"
    if own["type"] == column["type"]:
        return identifier(own["name"])
    return f"CAST({identifier(own['name'])} AS {column['type']})"


def _has_changed(segment: SegmentPlan) -> bool:
    return find(segment["columns"], CHANGED_AT) is not None


def _changed(segment: SegmentPlan) -> str:
    if _has_changed(segment):
        return identifier(CHANGED_AT)
    return f"TIMESTAMP {literal(segment['changed_at'])}"


def _is_older(segment: SegmentPlan, since: str | None) -> bool:
    return bool(since and segment["changed_at"] <= since)


def _no_rows(columns: Sequence[Column], *, with_changed: bool) -> str:
    shown = [f"CAST(NULL AS {c['type']}) AS {identifier(c['name'])}" for c in columns]
    if with_changed:
        shown.append(f"CAST(NULL AS TIMESTAMP) AS {identifier(CHANGED_AT)}")
    return f"SELECT {', '.join(shown)} WHERE false"


def _condition(where: Where, columns: Sequence[Column]) -> str:
    column = find(columns, where["column"])
    if column is None:
        raise AssertionError("The plan was made with columns that the table has.")
    name = identifier(column["name"])
    tests = [_same(name, column["type"], value) for value in where["values"]]
    joined = f"({' OR '.join(tests) or 'false'})"
    return f"NOT {joined}" if where["operator"] == "ne" else joined


def _same(name: str, type_: str, value: str) -> str:
    """Return a condition that is never unknown; an empty value stands for NULL too."""
    if not value:
        empty = f" OR {name} = ''" if type_ == "VARCHAR" else ""
        return f"({name} IS NULL{empty})"
    return f"{name} IS NOT DISTINCT FROM CAST({literal(value)} AS {type_})"
