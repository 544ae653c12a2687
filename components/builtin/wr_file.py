"""File writer: Storage tables as files in the files folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb

from components.builtin import fields, files
from components.builtin.contract import Context, InputTable, Manifest, TestContext
from components.enums import ComponentType
from components.exceptions import RunnerError
from orchestrator_site.lib.duck import literal

FORMATS = {
    "csv": "CSV",
    "tsv": "TSV (tab-separated)",
    "json": "JSON",
    "ndjson": "NDJSON",
    "parquet": "Parquet",
}
DELIMITERS = {",": "Comma", ";": "Semicolon", "|": "Vertical bar"}


def run(context: Context) -> dict[str, Any]:
    """Write each mapped table to a file of its alias."""
    if not context.inputs:
        raise RunnerError(
            "No table is mapped. Add at least one to the input mapping.", permanent=True
        )
    folder = str(context.parameters.get("folder", ""))
    with files.folder(context.files_root, folder, create=True):
        pass  # a path that is not allowed fails before any work
    written = []
    for number, table in enumerate(context.inputs):
        context.progress(number, len(context.inputs))
        written.append(_write(context, table, folder, context.work / f"{number}.out"))
    return {"files": written}


def _write(context: Context, table: InputTable, folder: str, file: Path) -> dict[str, Any]:
    name = f"{table.destination}.{_ending(context.parameters)}"
    with context.connect() as connection:
        rows = _copy(connection, table, str(file), _options(context.parameters))
    size = files.publish(context.files_root, folder, name, file)
    file.unlink()
    path = "/".join((*files.steps(folder), name))
    context.log(f"Wrote {rows:,} rows of {table.source} to {path} ({size:,} bytes).")
    return {"path": path, "table": table.source, "rows": rows, "bytes": size}


def _copy(connection: duckdb.DuckDBPyConnection, table: InputTable, file: str, options: str) -> int:
    copied = connection.execute(f"COPY ({table.sql}) TO {literal(file)} ({options})").fetchone()
    return int(copied[0]) if copied else 0


def _ending(parameters: dict[str, Any]) -> str:
    kind = parameters.get("format", "csv")
    return f"{kind}.gz" if parameters.get("gzip") and kind != "parquet" else str(kind)


def _options(parameters: dict[str, Any]) -> str:
    """Return DuckDB's options of COPY for what was asked."""
    kind = parameters.get("format", "csv")
    packed = ", COMPRESSION gzip" if parameters.get("gzip") else ""
    if kind == "parquet":
        return "FORMAT parquet, COMPRESSION zstd"
    if kind in {"json", "ndjson"}:
        return f"FORMAT json, ARRAY {str(kind == 'json').lower()}{packed}"
    delimiter = "\t" if kind == "tsv" else parameters.get("delimiter", ",")
    header = str(parameters.get("header", True)).lower()
    return f"FORMAT csv, HEADER {header}, DELIMITER {literal(delimiter)}{packed}"


def test(context: TestContext) -> str:
    """Make the folder if need be and see whether it can be written."""
    folder = str(context.parameters.get("folder", ""))
    with files.folder(context.files_root, folder, create=True) as here:
        if not os.access(f"/proc/self/fd/{here}", os.W_OK):
            raise RunnerError(f"The folder “{folder}” cannot be written.")
    return f"The folder “{folder or '.'}” in the files folder can be written."


MANIFEST = Manifest(
    key="wr-file",
    name="Files",
    type=ComponentType.WRITER,
    summary="Writes tables as CSV, JSON or Parquet files into the files folder.",
    documentation=fields.documentation("wr-file"),
    schema=fields.document(
        {
            "folder": fields.text(
                "Folder",
                "Inside the files folder of this installation; made where it is missing. "
                "Blank: the files folder itself.",
                default="",
            ),
            "format": fields.choice("Format", FORMATS, "csv"),
            "gzip": fields.switch("Pack with gzip", "Not for Parquet, which is packed anyway."),
            "delimiter": fields.choice("Delimiter", DELIMITERS, ",", "CSV only."),
            "header": fields.switch("Header", "CSV and TSV: column names on top.", default=True),
        }
    ),
    run=run,
    test=test,
    icon="file-export",
    has_input=True,
)
