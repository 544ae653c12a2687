"""Change Storage: commit what jobs and uploads wrote, restore versions, delete tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from components.enums import VersionKind
from components.exceptions import ImportRejected, NotAllowed, StorageError
from components.models import Bucket, Job, Table, TableVersion
from components.services.storage_files import open_bench
from components.services.table_versions import (
    VersionDraft,
    add_version,
    plan_of_new,
    plans,
    segments_of,
)
from components.signals import table_updated
from components.store.columns import Column, find, meet
from components.store.loading import Bench
from components.store.merging import Merge, is_key, key_columns
from components.store.writing import SegmentData
from components.validators import TABLE_KEY, TABLE_KEY_HELP


class OutputData(TypedDict):
    """One table to load from segments that are in the store but in no version yet."""

    table: str  # table id, such as in.c-sales.orders
    incremental: bool
    primary_key: list[str]
    segments: list[SegmentData]


class CommittedTable(TypedDict):
    """What one load did; `rows` and `bytes` are those of the load."""

    table: str
    rows: int
    bytes: int
    version: int
    kind: str
    warning: NotRequired[str]


@dataclass(frozen=True)
class PreparedLoad:
    """How a load changes the version that was current when it was prepared."""

    base: int | None  # pk of that version, None means that the table had none
    draft: VersionDraft
    warning: str = ""


@dataclass(frozen=True)
class PreparedLoads:
    """Loads whose slow part was done before the transaction; by table id."""

    loads: Mapping[str, PreparedLoad] = field(default_factory=dict)


def prepare_outputs(outputs: Sequence[Mapping[str, Any]]) -> PreparedLoads:
    """Find out, before the transaction, which rows each load supersedes.

    Optional: `commit_outputs` does it again for a table that another load changed meanwhile.
    Raises ImportRejected for a load that its table cannot take.
    """
    loads: dict[str, PreparedLoad] = {}
    for output in map(_checked, outputs):
        table = Table.objects.select_related("current").filter(key=output["table"]).first()
        loads.setdefault(output["table"], _prepare(table.current if table else None, output))
    return PreparedLoads(loads)


@transaction.atomic
def commit_outputs(
    outputs: Sequence[Mapping[str, Any]],
    *,
    job: Job | None,
    user: User | None,
    prepared: PreparedLoads | None = None,
) -> list[CommittedTable]:
    """Make the outputs visible, all or none; missing buckets and tables are created.

    Part of the caller's transaction. `table_updated` is sent for each table inside it. Raises
    ImportRejected for a load that its table cannot take.
    """
    checked = [_checked(output) for output in outputs]
    tables = _locked({output["table"] for output in checked})
    known = prepared.loads if prepared else {}
    return [
        _commit(tables[output["table"]], output, known.get(output["table"]), job=job, user=user)
        for output in sorted(checked, key=lambda output: output["table"])
    ]


@transaction.atomic
def restore_version(version: TableVersion, *, user: User | None) -> TableVersion:
    """Make an older version's content current again, as a new version.

    Raises NotAllowed for the version that is current already.
    """
    table = Table.objects.select_for_update(no_key=True).get(pk=version.table_id)
    if table.current_id == version.pk:
        raise NotAllowed(f"Version {version.number} is the current one.")
    draft = VersionDraft(
        VersionKind.RESTORE, version.columns, version.primary_key, kept=segments_of(version)
    )
    restored = add_version(table, draft, user=user)
    table.save(update_fields=["current"])
    table_updated.send(Table, table=table, version=restored)
    return restored


@transaction.atomic
def delete_table(table: Table) -> None:
    """Delete a table with all its versions; its files go with the next sweeps."""
    locked = Table.objects.select_for_update().get(pk=table.pk)
    locked.current = None
    locked.save(update_fields=["current"])
    locked.delete()


@transaction.atomic
def delete_bucket(bucket: Bucket) -> None:
    """Delete an empty bucket; raises NotAllowed while it has tables."""
    locked = Bucket.objects.select_for_update().get(pk=bucket.pk)
    if locked.tables.exists():
        raise NotAllowed(f"{bucket.key} has tables; delete them first.")
    locked.delete()


def check_table_key(key: str) -> None:
    """Raise ImportRejected unless `key` is a table id."""
    if not TABLE_KEY.match(key):
        raise ImportRejected(f"“{key}” is no table id; {TABLE_KEY_HELP}.")


def _checked(output: Mapping[str, Any]) -> OutputData:
    """Return an output whose table id and segments make sense."""
    table = output["table"]
    check_table_key(table)
    if not output["segments"]:
        raise ImportRejected(f"There is nothing to load into {table}.")
    return OutputData(
        table=table,
        incremental=output["incremental"],
        primary_key=list(output["primary_key"]),
        segments=list(output["segments"]),
    )


def _locked(keys: set[str]) -> dict[str, Table]:
    """Return the tables, created where needed, locked in one order: no two loads wait in a ring."""
    for key in sorted(keys):
        stage, name, table = key.split(".", 2)
        bucket, _ = Bucket.objects.get_or_create(
            key=f"{stage}.{name}", defaults={"stage": stage, "name": name}
        )
        Table.objects.get_or_create(key=key, defaults={"bucket": bucket, "name": table})
    rows = Table.objects.select_for_update(no_key=True).filter(key__in=keys).order_by("key")
    found = {table.key: table for table in rows}
    if found.keys() != keys:
        raise StorageError("A table was deleted while it was being loaded; try again.")
    return found


def _commit(
    table: Table,
    output: OutputData,
    prepared: PreparedLoad | None,
    *,
    job: Job | None,
    user: User | None,
) -> CommittedTable:
    if prepared is None or prepared.base != table.current_id:
        prepared = _prepare(table.current, output)
    version = add_version(table, prepared.draft, job=job, user=user)
    table.imported_at = timezone.now()
    table.last_job = job
    table.save(update_fields=["current", "imported_at", "last_job"])
    table_updated.send(Table, table=table, version=version)
    done = CommittedTable(
        table=table.key,
        rows=sum(segment["rows"] for segment in output["segments"]),
        bytes=sum(segment["bytes"] for segment in output["segments"]),
        version=version.number,
        kind=version.kind,
    )
    if prepared.warning:
        done["warning"] = prepared.warning
    return done


def _prepare(current: TableVersion | None, output: OutputData) -> PreparedLoad:
    """Decide what the load makes of the version; opens a bench only where keys are compared."""
    if current is None or not output["incremental"]:
        return _full(current, output)
    columns = _united(current.columns, output)
    if not (output["primary_key"] or current.primary_key):
        draft = VersionDraft(
            VersionKind.INCREMENTAL, columns, [], segments_of(current), output["segments"]
        )
        return PreparedLoad(current.pk, draft)
    return _upsert(current, columns, output)


def _full(current: TableVersion | None, output: OutputData) -> PreparedLoad:
    """Replace everything; equal keys inside the load leave one row, the last."""
    columns = _united(output["segments"][0]["columns"], output)
    key = [column["name"] for column in key_columns(columns, output["primary_key"])]
    deletes = []
    if key:
        with open_bench() as bench:
            new = [plan_of_new(segment) for segment in output["segments"]]
            deletes = Merge(bench, columns, key).superseded([], new)
    draft = VersionDraft(VersionKind.FULL, columns, key, [], output["segments"], deletes)
    return PreparedLoad(current.pk if current else None, draft)


def _upsert(current: TableVersion, columns: list[Column], output: OutputData) -> PreparedLoad:
    segments = segments_of(current)
    base = plans(segments)
    with open_bench() as bench:
        key, warning = _key(bench, current, columns, output)
        new = [plan_of_new(segment) for segment in output["segments"]]
        # Without a key after all (the wished one does not fit), the load only appends.
        deletes = Merge(bench, columns, key).superseded(base, new) if key else []
    kind = VersionKind.UPSERT if key else VersionKind.INCREMENTAL
    draft = VersionDraft(kind, columns, key, segments, output["segments"], deletes)
    return PreparedLoad(current.pk, draft, warning)


def _key(
    bench: Bench, current: TableVersion, columns: list[Column], output: OutputData
) -> tuple[list[str], str]:
    """Return the key to load by, and a warning where the load's own does not fit the table.

    Another key than the table's is taken over if it tells all present rows apart; else the
    table's stays.
    """
    old = list(current.primary_key)
    wished = [column["name"] for column in key_columns(columns, output["primary_key"])]
    if not wished or {*wished} == {*old}:
        return old, ""
    if is_key(bench, columns, wished, plans(segments_of(current))):
        return wished, ""
    kept = f"({', '.join(old)}) stays" if old else "is not set"
    return old, (
        f"The primary key of {output['table']} {kept}: rows that are there already are empty or "
        f"repeated in {', '.join(wished)}."
    )


def _united(columns: Sequence[Column], output: OutputData) -> list[Column]:
    """Return the columns with those of the load: types widened, new columns at the end.

    Raises ImportRejected where a segment of the load lacks one of `columns`.
    """
    united = list(columns)
    for segment in output["segments"]:
        missing = [c["name"] for c in columns if find(segment["columns"], c["name"]) is None]
        if missing:
            raise ImportRejected(
                f"Some columns are missing in the load of {output['table']}: {', '.join(missing)}."
            )
        for column in segment["columns"]:
            known = find(united, column["name"])
            if known is None:
                united.append(column)
            else:
                united[united.index(known)] = meet(known, column)
    return united
