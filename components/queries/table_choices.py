"""What a mapping may choose from: tables by a part of their id, and their columns."""

from __future__ import annotations

from collections.abc import Iterable

from components.models import Table

MOST = 300


def tables_like(words: str = "", *, limit: int = MOST) -> list[str]:
    """Return ids of tables that contain every word, in alphabetical order."""
    tables = Table.objects.order_by("key")
    for word in words.split():
        tables = tables.filter(key__icontains=word)
    return list(tables.values_list("key", flat=True)[:limit])


def columns_of(keys: Iterable[str]) -> dict[str, list[str]]:
    """Return the column names of the tables that exist among the ids."""
    tables = Table.objects.filter(key__in=set(keys), current__isnull=False)
    rows = tables.values_list("key", "current__columns")
    return {key: [column["name"] for column in columns] for key, columns in rows}
