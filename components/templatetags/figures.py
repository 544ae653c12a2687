"""Numbers, sizes, durations and JSON as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import template

from components.models import Job
from components.store.columns import Column
from orchestrator_site.lib import durations

register = template.Library()
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


@register.filter
def run_time(job: Job) -> str:
    """Say how long a job ran; empty while it has not ended or where it never began."""
    if not job.started_at or not job.ended_at:
        return ""
    return durations.humanize((job.ended_at - job.started_at).total_seconds())


@register.filter
def size(number: int) -> str:
    """Say a size in bytes."""
    return durations.format_bytes(number)


@register.filter
def count(number: int) -> str:
    """Write a count with commas."""
    return durations.format_count(number)


@register.filter
def pretty(value: Any) -> str:
    """Write JSON over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def of(things: Mapping[Any, Any], key: Any) -> Any:
    """Return what belongs to a key, None where nothing does."""
    return things.get(key)


@register.filter
def with_columns(
    row: Sequence[str | None], columns: Sequence[Column]
) -> Iterator[tuple[str | None, Column]]:
    """Pair each cell of a row with its column."""
    return zip(row, columns, strict=True)


@register.filter
def is_number(column: Column) -> bool:
    """Tell whether a column holds numbers, which stand to the right."""
    return column["type"].upper().removeprefix("U").startswith(NUMBERS)
