"""Keep Storage small and fast: compact tables, drop old versions, remove unused files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Min, Q, QuerySet, Sum
from django.utils import timezone

from components.enums import ACTIVE_JOB, SegmentKind, VersionKind
from components.models import Job, Segment, Table, TableVersion
from components.services.storage_files import MEGABYTE, open_bench, segment_store
from components.services.table_versions import (
    VersionDraft,
    add_version,
    data_segments,
    plans,
    segments_of,
)
from components.store.columns import CHANGED_AT, Column
from components.store.loading import Bench
from components.store.tables import read_sql, segment_paths
from components.store.writing import SegmentData, write_segment

SMALL_BYTES = 16 * MEGABYTE
MANY_SMALL = 20  # more small segments than that are made one
DELETED_SHARE = 0.2  # a segment with more superseded rows than that is written again
GRACE = timedelta(hours=24)
FILES_AT_ONCE = 1000

logger = logging.getLogger(__name__)


def compact_tables() -> int:
    """Rewrite tables with many small or largely superseded segments; return how many.

    Safe to call at any time: a table that is loaded meanwhile is left for the next time. The rows
    stay the same, so `table_updated` is not sent.
    """
    tables = [table for table in _suspects() if compact_table(table)]
    return len(tables)


def compact_table(table: Table) -> bool:
    """Rewrite a table's segments where that pays; return whether it did."""
    base = table.current
    if base is None:
        return False
    segments = segments_of(base)
    chosen = _worth_rewriting(segments)
    if not chosen:
        return False
    with open_bench() as bench:
        written = _rewrite(bench, base, segments, chosen)
    if _commit(base, segments, chosen, written):
        return True
    segment_store().delete([written["path"]])
    return False


def _suspects() -> QuerySet[Table]:
    """Return the tables whose current version may be worth it, by counting in the database."""
    of = "current__version_segments__segment"
    data = Q(**{f"{of}__kind": SegmentKind.DATA})
    gone = Q(**{f"{of}__kind": SegmentKind.DELETES})
    return (
        Table.objects.select_related("current")
        .annotate(
            small=Count(of, filter=Q(**{f"{of}__bytes__lt": SMALL_BYTES})),
            rows_written=Sum(f"{of}__rows", filter=data, default=0),
            rows_gone=Sum(f"{of}__rows", filter=gone, default=0),
        )
        .filter(Q(small__gt=MANY_SMALL) | Q(rows_gone__gt=F("rows_written") * DELETED_SHARE))
        .order_by("pk")
    )


def _worth_rewriting(segments: Sequence[Segment]) -> list[Segment]:
    """Return the data segments to merge: largely superseded ones, and small ones if many."""
    gone: dict[object, int] = {}
    for segment in segments:
        if segment.kind == SegmentKind.DELETES:
            gone[segment.target_id] = gone.get(segment.target_id, 0) + segment.rows
    small = sum(1 for segment in segments if segment.bytes < SMALL_BYTES) > MANY_SMALL
    return [
        segment
        for segment in data_segments(segments)
        if gone.get(segment.pk, 0) > segment.rows * DELETED_SHARE
        or (small and (segment.bytes < SMALL_BYTES or segment.pk in gone))
    ]


def _rewrite(
    bench: Bench, base: TableVersion, segments: Sequence[Segment], chosen: Sequence[Segment]
) -> SegmentData:
    """Write the live rows of the chosen segments as one, each with its moment of change."""
    paths = {segment.path for segment in chosen}
    read = [plan for plan in plans(segments) if plan["path"] in paths]
    hidden: Column = {"name": CHANGED_AT, "type": "TIMESTAMP"}
    with bench.store.reading(segment_paths(read)) as files:
        rows = read_sql(base.columns, read, files, with_changed=True)
        return write_segment(
            bench.connection, rows, [*base.columns, hidden], bench.target(), bench.store
        )


@transaction.atomic
def _commit(
    base: TableVersion, segments: Sequence[Segment], chosen: Sequence[Segment], data: SegmentData
) -> bool:
    """Put the rewritten segment in place of the chosen ones, unless the table has moved on."""
    table = Table.objects.select_for_update(no_key=True).filter(pk=base.table_id).first()
    if table is None or table.current_id != base.pk:
        return False
    replaced = {segment.pk for segment in chosen}
    kept = [s for s in segments if s.pk not in replaced and s.target_id not in replaced]
    first = segments.index(chosen[0])
    draft = VersionDraft(
        VersionKind.COMPACTION,
        base.columns,
        base.primary_key,
        kept,
        [data],
        at=sum(1 for segment in segments[:first] if segment in kept),
    )
    add_version(table, draft)
    table.save(update_fields=["current"])
    return True


def sweep_storage(*, grace: timedelta = GRACE) -> int:
    """Drop versions beyond TABLE_VERSIONS_KEPT, and unused files; return how many files.

    A file goes when it has been unused for `grace`, and never while a job runs that started
    before that: it may be reading it, or be about to commit it.
    """
    for table in Table.objects.order_by("pk"):
        _drop_versions(table)
    before = _nobody_uses_before(grace)
    _note_unreferenced()
    return _remove_segments(before) + _remove_orphans(before)


def _nobody_uses_before(grace: timedelta) -> datetime:
    started = Job.objects.filter(status__in=ACTIVE_JOB).aggregate(at=Min("started_at"))["at"]
    limit = timezone.now() - grace
    return min(limit, started) if started else limit


@transaction.atomic
def _drop_versions(table: Table) -> None:
    """Delete the oldest versions; the current one always stays."""
    locked = Table.objects.select_for_update(no_key=True).filter(pk=table.pk).first()
    if locked is None:
        return
    versions = locked.versions.order_by("-number").values_list("pk", flat=True)
    old = list(versions[settings.TABLE_VERSIONS_KEPT :])
    TableVersion.objects.filter(pk__in=[pk for pk in old if pk != locked.current_id]).delete()


def _note_unreferenced() -> None:
    unused = Segment.objects.filter(version_segments=None)
    unused.filter(unreferenced_at=None).update(unreferenced_at=timezone.now())
    # A deletes segment that is still used holds on to its target's row.
    Segment.objects.exclude(unreferenced_at=None).exclude(version_segments=None).update(
        unreferenced_at=None
    )


def _remove_segments(before: datetime) -> int:
    """Delete the rows of segments that no version has had since, then their files."""
    unused = Segment.objects.filter(version_segments=None, unreferenced_at__lt=before)
    paths: list[str] = []
    for kind in (SegmentKind.DELETES, SegmentKind.DATA):  # deletes refer to data
        with transaction.atomic():
            batch = unused.filter(kind=kind, deletes=None)
            found = dict(batch.values_list("pk", "path"))
            Segment.objects.filter(pk__in=found).delete()
        paths += found.values()
    segment_store().delete(paths)
    return len(paths)


def _remove_orphans(before: datetime) -> int:
    """Remove files that the catalogue does not know: of failed jobs, of half-made uploads."""
    store = segment_store()
    old = [file.path for file in store.files() if file.changed < before]
    removed = 0
    for start in range(0, len(old), FILES_AT_ONCE):
        batch = old[start : start + FILES_AT_ONCE]
        known = set(Segment.objects.filter(path__in=batch).values_list("path", flat=True))
        orphans = [path for path in batch if path not in known]
        store.delete(orphans)
        removed += len(orphans)
    if removed:
        logger.info("Removed %d unused files from Storage.", removed)
    return removed
