"""Input mappings to plans: which files, columns and rows of which tables a job reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from components.enums import JobStatus
from components.exceptions import InvalidConfiguration
from components.models import Configuration, Job, Table
from components.models.component import InputMapping
from components.services.table_versions import plans, segments_of
from components.store.columns import Column, find
from components.store.tables import InputPlan, Where, moment
from orchestrator_site.lib.durations import DurationError, parse_duration

ADAPTIVE = "adaptive"
CHANGED_SINCE_HELP = "use “-2 days”, a time such as 2026-01-31T08:00:00Z, or “adaptive”"


def input_plan(mapping: Sequence[InputMapping], configuration: Configuration) -> list[InputPlan]:
    """Return one plan per mapped table, of the versions that are current now; plain JSON.

    Raises InvalidConfiguration naming the table or column that is not there.
    """
    return [_plan(entry, configuration) for entry in mapping]


def tables_in(read: Sequence[InputPlan]) -> list[dict[str, Any]]:
    """Return what a job keeps of its plans, which “adaptive” later starts from."""
    return [
        {name: plan[name] for name in ("rows", "bytes", "version", "version_at")}
        | {"table": plan["source"]}
        for plan in cast("Sequence[dict[str, Any]]", read)
    ]


def _plan(entry: InputMapping, configuration: Configuration) -> InputPlan:
    table = Table.objects.select_related("current").filter(key=entry["source"]).first()
    if table is None or table.current is None:
        raise InvalidConfiguration(f"The table {entry['source']} does not exist.")
    columns: list[Column] = table.current.columns
    return InputPlan(
        source=table.key,
        destination=entry.get("destination") or table.key,
        columns=_chosen(table.key, columns, entry.get("columns") or []),
        all_columns=columns,
        segments=plans(segments_of(table.current)),
        where=_where(table.key, columns, entry),
        changed_since=_since(entry.get("changed_since", ""), table.key, configuration),
        limit=entry.get("limit") or None,
        rows=table.current.rows,
        bytes=table.current.bytes,
        version=table.current.number,
        version_at=moment(table.current.created_at),
    )


def _chosen(table: str, columns: Sequence[Column], names: Sequence[str]) -> list[Column]:
    """Return the named columns in that order; all where none is named."""
    return [_column(table, columns, name) for name in names] or list(columns)


def _column(table: str, columns: Sequence[Column], name: str) -> Column:
    found = find(columns, name)
    if found is None:
        raise InvalidConfiguration(f"The table {table} has no column “{name}”.")
    return found


def _where(table: str, columns: Sequence[Column], entry: InputMapping) -> Where | None:
    if not entry.get("where_column"):
        return None
    column = _column(table, columns, entry["where_column"])
    return Where(
        column=column["name"],
        operator=entry.get("where_operator", "eq"),
        values=list(entry.get("where_values", [])),
    )


def _since(text: str, table: str, configuration: Configuration) -> str | None:
    """Return the moment after which rows must have changed; None means all rows."""
    if not text.strip():
        return None
    if text.strip().lower() == ADAPTIVE:
        return _last_read(table, configuration)
    return moment(_absolute(text.strip()) or _relative(text.strip()))


def _last_read(table: str, configuration: Configuration) -> str | None:
    """Return when the version was made that the last successful job of the configuration read."""
    read = (
        Job.objects.filter(
            configuration=configuration, status__in=[JobStatus.SUCCESS, JobStatus.WARNING]
        )
        .order_by("-pk")
        .values_list("tables_in", flat=True)
        .first()
    )
    return next((row.get("version_at") for row in read or [] if row["table"] == table), None)


def _absolute(text: str) -> datetime | None:
    try:
        found = parse_datetime(text if re.search(r"\d[T ]\d", text) else f"{text}T00:00:00")
    except ValueError:
        return None
    if found and timezone.is_naive(found):
        return timezone.make_aware(found)
    return found


def _relative(text: str) -> datetime:
    try:
        return timezone.now() - timedelta(seconds=parse_duration(text.lstrip("-")))
    except DurationError:
        raise InvalidConfiguration(
            f"“{text}” is no time for “changed since”; {CHANGED_SINCE_HELP}."
        ) from None
