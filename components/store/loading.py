"""A file to one Parquet segment: CSV, TSV, JSON, NDJSON or Parquet, plain or gzip.

Works without Django, in a job's child process as in the web page's upload.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from components.exceptions import ImportRejected
from components.store import csv_files, json_files, lossless
from components.store.csv_files import CsvFile
from components.store.segments import Store
from components.store.writing import SegmentData, write_query, write_segment
from orchestrator_site.lib.duck import literal

FORMATS = ("csv", "tsv", "json", "ndjson", "parquet")
PARQUET_MARK = b"PAR1"


@dataclass(frozen=True)
class Bench:
    """What a load works with: a connection, the store, and a folder for half-made files."""

    connection: duckdb.DuckDBPyConnection
    store: Store
    scratch: Path

    def target(self) -> Path:
        """Return a new path for one Parquet file."""
        return self.scratch / f"{uuid.uuid4().hex}.parquet"


def load_file(
    bench: Bench, path: Path, format_: str, *, delimiter: str = "", inside: str = ""
) -> SegmentData:
    """Load a file, its types found losslessly over all rows; `inside` is for JSON only.

    Raises ImportRejected with a sentence, and the line where there is one; nothing is in the
    store then.
    """
    if format_ not in FORMATS:
        raise ImportRejected(f"“{format_}” is no format; it is one of {', '.join(FORMATS)}.")
    if format_ == "parquet":
        return _load_parquet(bench, path)
    if format_ in ("json", "ndjson"):
        return _load_json(bench, path, lines=format_ == "ndjson", inside=inside)
    return _load_csv(bench, path, "\t" if format_ == "tsv" else delimiter)


def _load_csv(bench: Bench, path: Path, delimiter: str) -> SegmentData:
    file = csv_files.read_header(path, delimiter)
    try:
        return _load_text(bench, file.source(), file.names, file.columns)
    except duckdb.Error as error:
        if "invalid state" not in str(error):
            raise csv_files.explain(file, error) from error
    # Lines that end in CR LF and in LF by turns: DuckDB reads neither.
    plain = bench.scratch / f"{path.name}.lf"
    try:
        csv_files.unify_line_ends(path, plain)
        unified = CsvFile(plain, file.delimiter, file.names, file.columns)
        return _load_text(bench, unified.source(), file.names, file.columns)
    except duckdb.Error as error:
        raise csv_files.explain(unified, error) from error
    finally:
        plain.unlink(missing_ok=True)


def _load_json(bench: Bench, path: Path, *, lines: bool, inside: str) -> SegmentData:
    file = json_files.read_keys(bench.connection, path, lines=lines, inside=inside)
    try:
        return _load_text(bench, file.source, file.names, file.columns, file.candidates)
    except duckdb.Error as error:
        raise json_files.rejected(error) from error


def _load_text(
    bench: Bench,
    source: str,
    names: Sequence[str],
    columns: Sequence[str],
    candidates: dict[str, Sequence[str]] | None = None,
) -> SegmentData:
    """Write text columns with the types that fit all rows.

    The types of a sample are tried first, each value being checked while it is written: one scan
    where the sample did not lie, and else one more to look at all rows and one to write.
    """
    tried = candidates or dict.fromkeys(names, lossless.CANDIDATES)
    types = lossless.detect(bench.connection, source, tried, sample=lossless.SAMPLE_ROWS)
    try:
        return _write_text(bench, source, names, columns, types)
    except duckdb.Error as error:
        if lossless.RETYPE not in str(error):
            raise
    types = lossless.detect(bench.connection, source, tried)
    return _write_text(bench, source, names, columns, types)


def _write_text(
    bench: Bench, source: str, names: Sequence[str], columns: Sequence[str], types: Sequence[str]
) -> SegmentData:
    return write_segment(
        bench.connection,
        lossless.typed_select(source, names, columns, types),
        lossless.columns(columns, types),
        bench.target(),
        bench.store,
    )


def _load_parquet(bench: Bench, path: Path) -> SegmentData:
    with path.open("rb") as file:
        if file.read(len(PARQUET_MARK)) != PARQUET_MARK:
            raise ImportRejected("The file is not Parquet.")
    try:
        return write_query(
            bench.connection,
            f"SELECT * FROM read_parquet({literal(str(path))})",  # noqa: S608
            bench.target(),
            bench.store,
        )
    except duckdb.Error as error:
        raise ImportRejected("The Parquet file is damaged or incomplete.") from error
