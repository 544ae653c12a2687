"""Between the catalogue's rows and the store's plans: reading a version, adding a new one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from components.enums import SegmentKind, VersionKind
from components.models import Job, Segment, Table, TableVersion, VersionSegment
from components.store.columns import Column
from components.store.merging import Deletes
from components.store.tables import SegmentPlan, moment
from components.store.writing import SegmentData


@dataclass(frozen=True)
class VersionDraft:
    """A version to be: segments kept from the present one, and written ones that join it."""

    kind: VersionKind
    columns: list[Column]
    primary_key: list[str]
    kept: list[Segment]
    data: list[SegmentData] = field(default_factory=list)
    deletes: list[Deletes] = field(default_factory=list)
    at: int | None = None  # place of the new segments among the kept ones, None means the end


def segments_of(version: TableVersion | None) -> list[Segment]:
    """Return the data and deletes segments of a version in their order; None means no version."""
    if version is None:
        return []
    places = VersionSegment.objects.filter(version=version).select_related("segment")
    return [place.segment for place in places.order_by("position")]


def data_segments(segments: Iterable[Segment]) -> list[Segment]:
    """Return those that hold rows."""
    return [segment for segment in segments if segment.kind == SegmentKind.DATA]


def plans(segments: Sequence[Segment]) -> list[SegmentPlan]:
    """Return how to read the data segments, each with its deletes."""
    gone: dict[object, list[str]] = {}
    for segment in segments:
        if segment.kind == SegmentKind.DELETES:
            gone.setdefault(segment.target_id, []).append(segment.path)
    return [
        SegmentPlan(
            path=segment.path,
            columns=segment.columns,
            changed_at=moment(segment.created_at),
            deletes=gone.get(segment.pk, []),
        )
        for segment in data_segments(segments)
    ]


def plan_of_new(data: SegmentData) -> SegmentPlan:
    """Return how to read a segment that is not in the catalogue yet."""
    return SegmentPlan(path=data["path"], columns=data["columns"], changed_at="", deletes=[])


def add_version(
    table: Table, draft: VersionDraft, *, job: Job | None = None, user: User | None = None
) -> TableVersion:
    """Make the draft the table's current version; the caller holds the table's row lock."""
    at = _next_moment(table.current)
    new = _create_segments(draft, at)
    place = len(draft.kept) if draft.at is None else draft.at
    segments = [*draft.kept[:place], *new, *draft.kept[place:]]
    version = TableVersion.objects.create(
        table=table,
        number=table.current.number + 1 if table.current else 1,
        kind=draft.kind,
        columns=draft.columns,
        primary_key=draft.primary_key,
        rows=sum(_rows(segment) for segment in segments),
        bytes=sum(segment.bytes for segment in segments),
        job=job,
        created_by=user,
        created_at=at,
    )
    VersionSegment.objects.bulk_create(
        VersionSegment(version=version, segment=segment, position=position)
        for position, segment in enumerate(segments)
    )
    table.current = version
    return version


def _next_moment(current: TableVersion | None) -> datetime:
    """Return now, but always later than the present version, whatever the machines' clocks say.

    Jobs remember the version that they read by its moment, to find what changed after it.
    """
    now = timezone.now()
    return max(now, current.created_at + timedelta(microseconds=1)) if current else now


def _create_segments(draft: VersionDraft, at: datetime) -> list[Segment]:
    data = [
        Segment(
            path=segment["path"],
            columns=segment["columns"],
            rows=segment["rows"],
            bytes=segment["bytes"],
            created_at=at,
        )
        for segment in draft.data
    ]
    targets = {segment.path: segment for segment in [*data_segments(draft.kept), *data]}
    deletes = [
        Segment(
            kind=SegmentKind.DELETES,
            target=targets[found["target"]],
            path=found["path"],
            rows=found["rows"],
            bytes=found["bytes"],
            created_at=at,
        )
        for found in draft.deletes
    ]
    Segment.objects.bulk_create(data)  # first, as deletes refer to them
    Segment.objects.bulk_create(deletes)
    return [*data, *deletes]


def _rows(segment: Segment) -> int:
    return segment.rows if segment.kind == SegmentKind.DATA else -segment.rows
