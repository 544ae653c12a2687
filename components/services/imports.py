"""Load a file that a person gave into a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.contrib.auth.models import User

from components.exceptions import ComponentsError
from components.models import TableVersion
from components.services.storage import (
    OutputData,
    check_table_key,
    commit_outputs,
    prepare_outputs,
)
from components.services.storage_files import open_bench, segment_store
from components.store.loading import load_file


def import_file(  # noqa: PLR0913  # the fields of one form
    table_key: str,
    path: Path,
    *,
    format: str = "csv",  # noqa: A002  # what the form calls it
    delimiter: str = "",
    incremental: bool = False,
    primary_key: Sequence[str] = (),
    user: User | None,
) -> TableVersion:
    """Load a CSV, TSV, JSON, NDJSON or Parquet file, plain or gzip; return the new version.

    The table and its bucket are created where needed. Raises ImportRejected, with the line where
    there is one; the table is then as it was.
    """
    check_table_key(table_key)
    with open_bench() as bench:
        segment = load_file(bench, path, format, delimiter=delimiter)
    output = OutputData(
        table=table_key,
        incremental=incremental,
        primary_key=list(primary_key),
        segments=[segment],
    )
    try:
        done = commit_outputs([output], job=None, user=user, prepared=prepare_outputs([output]))
    except ComponentsError:
        # Refused for sure. After any other error the sweeper decides: the commit may have happened.
        segment_store().delete([segment["path"]])
        raise
    return TableVersion.objects.select_related("table").get(
        table__key=table_key, number=done[0]["version"]
    )
