"""What Storage's pages and API show: buckets, tables, versions, and who uses a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, Q, QuerySet, Sum

from components.models import Bucket, Configuration, Table, TableVersion


@dataclass(frozen=True)
class StorageTotals:
    """All that Storage holds now; older versions not counted."""

    tables: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class TableUse:
    """One configuration that names a table in its mapping."""

    configuration: Configuration
    reads: bool
    writes: bool


def buckets(text: str = "") -> QuerySet[Bucket]:
    """Return buckets by id, each with `table_count`, `row_count`, `byte_count`, `last_import`.

    `text` keeps those whose id, description or a table's id has it.
    """
    found = Bucket.objects.all()
    if text:
        named = Bucket.objects.filter(
            Q(key__icontains=text) | Q(description__icontains=text) | Q(tables__key__icontains=text)
        )
        found = found.filter(pk__in=named.values("pk"))
    return found.annotate(
        table_count=Count("tables"),
        row_count=Sum("tables__current__rows", default=0),
        byte_count=Sum("tables__current__bytes", default=0),
        last_import=Max("tables__imported_at"),
    ).order_by("key")


def tables(text: str = "", *, bucket: Bucket | None = None) -> QuerySet[Table]:
    """Return tables by id, with bucket and current version; `text` is looked for in the id."""
    found = Table.objects.select_related("bucket", "current").order_by("key")
    if bucket:
        found = found.filter(bucket=bucket)
    return found.filter(Q(key__icontains=text) | Q(description__icontains=text)) if text else found


def table_detail(key: str) -> Table | None:
    """Return one table with bucket, current version and last job; None where there is none."""
    return (
        Table.objects.select_related("bucket", "current", "last_job__component")
        .filter(key=key)
        .first()
    )


def versions(table: Table) -> QuerySet[TableVersion]:
    """Return the versions that are kept, newest first, with job and person."""
    return table.versions.select_related("job", "created_by").order_by("-number")


def table_uses(table_key: str) -> list[TableUse]:
    """Return the configurations whose mapping names the table, by name, the trash left out."""
    found = Configuration.objects.filter(deleted_at=None).select_related("component")
    uses = [
        TableUse(
            configuration,
            reads=_names(configuration.input, "source", table_key),
            writes=_names(configuration.output, "destination", table_key),
        )
        for configuration in found.order_by("name", "pk")
    ]
    return [use for use in uses if use.reads or use.writes]


def totals() -> StorageTotals:
    """Return the sums for the dashboard."""
    found = Table.objects.aggregate(
        tables=Count("pk"),
        rows=Sum("current__rows", default=0),
        bytes=Sum("current__bytes", default=0),
    )
    return StorageTotals(found["tables"], found["rows"], found["bytes"])


def _names(mapping: Sequence[dict[str, object]], field: str, table_key: str) -> bool:
    return any(entry.get(field) == table_key for entry in mapping)
