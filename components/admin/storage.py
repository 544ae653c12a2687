"""Storage's catalogue in the admin panel; it changes through loads and on Storage's pages only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from components.models import Bucket, Segment, Table, TableVersion
from orchestrator_site.lib.panel import ReadOnly

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    BucketBase = admin.ModelAdmin[Bucket]
    TableBase = admin.ModelAdmin[Table]
    VersionBase = admin.ModelAdmin[TableVersion]
    SegmentBase = admin.ModelAdmin[Segment]
else:
    BucketBase = TableBase = VersionBase = SegmentBase = admin.ModelAdmin


@admin.register(Bucket)
class BucketAdmin(ReadOnly, BucketBase):
    """Folders of tables."""

    list_display = ("key", "stage", "description", "created_at")
    list_filter = ("stage",)
    search_fields = ("key", "description")


@admin.register(Table)
class TableAdmin(ReadOnly, TableBase):
    """Tables, with what they hold now."""

    list_display = ("key", "bucket", "rows", "size", "imported_at", "last_job")
    list_filter = ("bucket__stage", "imported_at", "bucket")
    list_select_related = ("bucket", "current", "last_job")
    search_fields = ("key", "description")

    @admin.display(description="Rows", ordering="current__rows")
    def rows(self, table: Table) -> int:
        return table.current.rows if table.current else 0

    @admin.display(description="Bytes", ordering="current__bytes")
    def size(self, table: Table) -> int:
        return table.current.bytes if table.current else 0


@admin.register(TableVersion)
class TableVersionAdmin(ReadOnly, VersionBase):
    """What tables hold and held."""

    list_display = ("table", "number", "kind", "rows", "bytes", "job", "created_by", "created_at")
    list_display_links = ("number",)
    list_filter = ("kind", "created_at")
    list_select_related = ("table", "job", "created_by")
    search_fields = ("table__key",)
    ordering = ("-created_at",)
    show_full_result_count = False
    exclude = ("segments",)


@admin.register(Segment)
class SegmentAdmin(ReadOnly, SegmentBase):
    """The Parquet files that versions are made of."""

    list_display = ("path", "kind", "rows", "bytes", "created_at", "unreferenced_at")
    list_filter = ("kind", ("unreferenced_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("path", "versions__table__key")
    ordering = ("-created_at",)
    show_full_result_count = False
