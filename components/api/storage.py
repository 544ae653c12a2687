"""Storage: buckets, tables, their rows, and loading a file."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from django.conf import settings
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import File, Form, Query, Router, Schema, Status
from ninja.errors import HttpError
from ninja.files import UploadedFile
from pydantic import ConfigDict, Field, JsonValue

from components.api.base import ERRORS, PageQuery, needs, oldest_first, page_of, user_of
from components.models import Bucket, Table
from components.services.imports import import_file
from components.services.previews import export, preview
from orchestrator_site.lib.access import EDIT, VIEW

router = Router(tags=["Storage"])
MAX_JSON_ROWS = 1000
EXAMPLE: dict[str, JsonValue] = {
    "key": "in.c-shop.orders",
    "bucket": "in.c-shop",
    "description": "All orders of the shop.",
    "columns": [{"name": "id", "type": "BIGINT"}],
    "primary_key": ["id"],
    "rows": 100,
    "bytes": 2048,
    "version": 7,
    "created_at": "2026-11-01T18:00:02Z",
    "imported_at": "2026-11-22T18:00:02Z",
}
FILES: dict[str, Any] = {
    "text/csv": {"schema": {"type": "string"}, "example": "id,note\n1,gift\n2,\n"},
    "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
}
IMPORT: dict[str, JsonValue] = {"format": "csv", "primary_key": "id", "file": "orders.csv"}


class BucketOut(Schema):
    """A folder of tables."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "key": "in.c-shop",
                "stage": "in",
                "name": "c-shop",
                "description": "",
                "created_at": "2026-11-01T18:00:02Z",
            }
        }
    )
    key: str
    stage: str
    name: str
    description: str
    created_at: datetime


class Column(Schema):
    """A column with DuckDB's name of its type."""

    name: str
    type: str


class TableOut(Schema):
    """A table as it is now; rows and bytes are None before the first load."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    key: str
    bucket: str
    description: str
    columns: list[Column]
    primary_key: list[str]
    rows: int | None
    bytes: int | None
    version: int | None
    created_at: datetime
    imported_at: datetime | None

    @staticmethod
    def resolve_bucket(table: Table) -> str:
        return table.bucket.key

    @staticmethod
    def resolve_columns(table: Table) -> list[dict[str, str]]:
        return list(table.current.columns) if table.current else []

    @staticmethod
    def resolve_primary_key(table: Table) -> list[str]:
        return list(table.current.primary_key) if table.current else []

    @staticmethod
    def resolve_rows(table: Table) -> int | None:
        return table.current.rows if table.current else None

    @staticmethod
    def resolve_bytes(table: Table) -> int | None:
        return table.current.bytes if table.current else None

    @staticmethod
    def resolve_version(table: Table) -> int | None:
        return table.current.number if table.current else None


class TablePage(Schema):
    """Tables, oldest first."""

    model_config = page_of(EXAMPLE, 31)
    items: list[TableOut]
    next: int | None


class RowsOut(Schema):
    """The first rows of a table as text; None is NULL."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "columns": [
                    {"name": "id", "type": "BIGINT"},
                    {"name": "note", "type": "VARCHAR"},
                ],
                "rows": [["1", "gift"], ["2", None]],
                "total": 2,
                "version": 7,
            }
        }
    )
    columns: list[Column]
    rows: list[list[str | None]]
    total: int
    version: int


class TableQuery(PageQuery):
    """Which tables are wanted."""

    bucket: str | None = None
    search: str = ""


class ImportIn(Schema):
    """How to load the file."""

    format: Literal["csv", "tsv", "json", "ndjson", "parquet"] = "csv"
    delimiter: Annotated[str, Field(description="Found out where none is given.")] = ""
    incremental: Annotated[bool, Field(description="Add to the rows that are there.")] = False
    primary_key: Annotated[
        str, Field(description="Names of columns, comma-separated.", examples=["id"])
    ] = ""


def tables() -> QuerySet[Table]:
    """All tables with what their answers need."""
    return Table.objects.select_related("bucket", "current")


@router.get("/buckets", response={200: list[BucketOut], **ERRORS}, auth=needs(VIEW))
def list_buckets(request: HttpRequest) -> QuerySet[Bucket]:
    """List the buckets by name."""
    return Bucket.objects.all()


@router.get("/tables", response={200: TablePage, **ERRORS}, auth=needs(VIEW))
def list_tables(request: HttpRequest, query: Query[TableQuery]) -> dict[str, Any]:
    """List tables, oldest first."""
    rows = tables().filter(key__icontains=query.search)
    if query.bucket:
        rows = rows.filter(bucket__key=query.bucket)
    return oldest_first(rows, query)


@router.get("/tables/{key}", response={200: TableOut, **ERRORS}, auth=needs(VIEW))
def get_table(request: HttpRequest, key: str) -> Table:
    """Show one table; its id is such as `in.c-sales.orders`."""
    return get_object_or_404(tables(), key=key)


@router.get(
    "/tables/{key}/rows",
    response={200: RowsOut, **ERRORS},
    auth=needs(VIEW),
    openapi_extra={"responses": {200: {"content": FILES}}},
)
def get_rows(
    request: HttpRequest,
    key: str,
    limit: Annotated[int, Query(ge=1, le=MAX_JSON_ROWS)] = 100,
    format: Literal["json", "csv", "parquet"] = "json",  # noqa: A002  # the parameter's name
) -> Any:
    """Show the first rows as JSON, or the whole table as a CSV or Parquet file."""
    table = get_object_or_404(tables(), key=key)
    if format == "json":
        return preview(table, limit=limit)
    return FileResponse(
        export(table, format=format), as_attachment=True, filename=f"{table.key}.{format}"
    )


@router.post(
    "/tables/{key}/import",
    response={201: TableOut, **ERRORS},
    auth=needs(EDIT),
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"example": IMPORT}}}},
)
def import_table(
    request: HttpRequest, key: str, body: Form[ImportIn], file: File[UploadedFile]
) -> Status[Table]:
    """Load a file into a table, which is created where needed."""
    if (file.size or 0) > settings.UPLOAD_LIMIT_MB * 1024 * 1024:
        raise HttpError(422, f"The file is larger than {settings.UPLOAD_LIMIT_MB} MB.")
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
        for chunk in file.chunks():
            copy.write(chunk)
        copy.flush()
        import_file(
            key,
            Path(copy.name),
            format=body.format,
            delimiter=body.delimiter,
            incremental=body.incremental,
            primary_key=[c.strip() for c in body.primary_key.split(",") if c.strip()],
            user=user_of(request),
        )
    return Status(201, tables().get(key=key))
