"""Storage's catalogue: which immutable Parquet segments make up which table version."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from components.enums import SegmentKind, Stage, VersionKind
from components.models.job import Job


class Bucket(models.Model):
    """A folder of tables; `key` is its id, such as `in.c-sales`."""

    key = models.CharField(max_length=120, unique=True)
    stage = models.CharField(max_length=3, choices=Stage.choices)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    def get_absolute_url(self) -> str:
        return reverse("bucket", args=[self.key])


class Table(models.Model):
    """A table; what it holds is its current version. `key` is its id, `in.c-sales.orders`."""

    bucket = models.ForeignKey(Bucket, on_delete=models.PROTECT, related_name="tables")
    key = models.CharField(max_length=220, unique=True)
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    current = models.ForeignKey(
        "TableVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    imported_at = models.DateTimeField(null=True, blank=True, help_text="Last load.")
    last_job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key

    def get_absolute_url(self) -> str:
        return reverse("table", args=[self.key])


class Segment(models.Model):
    """One immutable Parquet file at `path` below the store's root."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    kind = models.CharField(max_length=10, choices=SegmentKind.choices, default=SegmentKind.DATA)
    target = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="deletes",
        help_text="The data segment whose positions a deletes segment lists.",
    )
    path = models.CharField(max_length=300, unique=True)
    columns = models.JSONField(default=list, help_text="[{name, type}] with DuckDB's type names.")
    rows = models.BigIntegerField()
    bytes = models.BigIntegerField()
    created_at = models.DateTimeField(
        default=timezone.now,
        help_text="Commit; where the file says nothing else, its rows' last change.",
    )
    unreferenced_at = models.DateTimeField(
        null=True, blank=True, db_index=True, help_text="Since when no version has it."
    )

    def __str__(self) -> str:
        return self.path


class TableVersion(models.Model):
    """An ordered list of segments; immutable, so that an older one can be read at any time."""

    table = models.ForeignKey(Table, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=VersionKind.choices)
    columns = models.JSONField(default=list, help_text="[{name, type}] with DuckDB's type names.")
    primary_key = models.JSONField(default=list, help_text="Column names.")
    rows = models.BigIntegerField()
    bytes = models.BigIntegerField()
    segments = models.ManyToManyField(Segment, through="VersionSegment", related_name="versions")
    job = models.ForeignKey(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="table_versions"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["table", "number"], name="one_table_version_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.table_id} #{self.number}"


class VersionSegment(models.Model):
    """A segment's place in a version."""

    version = models.ForeignKey(
        TableVersion, on_delete=models.CASCADE, related_name="version_segments"
    )
    segment = models.ForeignKey(Segment, on_delete=models.PROTECT, related_name="version_segments")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "position"], name="one_segment_per_position"
            ),
            models.UniqueConstraint(fields=["version", "segment"], name="a_segment_once"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id}/{self.position}"
