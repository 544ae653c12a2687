"""JSON and NDJSON files: a list of objects, one row each; nested values stay JSON text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from components.exceptions import ImportRejected
from components.store.columns import clean_names
from components.store.csv_files import is_gzip
from components.store.lossless import LONG, NUL
from orchestrator_site.lib.duck import literal

MAX_OBJECT_BYTES = 16 * 1024 * 1024  # of one row
MAX_DOCUMENT_BYTES = 96 * 1024 * 1024  # where the list is inside it: read as a whole
NUMBER = ("BIGINT", "DOUBLE")
CANDIDATES: dict[str, tuple[str, ...]] = {
    "BIGINT": NUMBER,
    "UBIGINT": NUMBER,
    "DOUBLE": NUMBER,
    "BOOLEAN": ("BOOLEAN",),
    "VARCHAR": ("DATE", "TIMESTAMP"),
}


@dataclass(frozen=True)
class JsonFile:
    """A file whose keys are known; `source` is the FROM item with all columns as text."""

    names: list[str]
    columns: list[str]
    candidates: dict[str, Sequence[str]]
    source: str


def read_keys(
    connection: duckdb.DuckDBPyConnection, path: Path, *, lines: bool, inside: str = ""
) -> JsonFile:
    """Find the keys of all objects, in the order they first appear.

    `inside` names the list within one document, such as `data.items`. Raises ImportRejected for
    what is no JSON, no list of objects, or has keys that cannot be column names.
    """
    try:
        objects = _objects(connection, path, lines=lines, inside=inside)
        structure, names = _structure(connection, objects)
    except duckdb.Error as error:
        raise rejected(error) from error
    columns = clean_names(names)
    texts = json.dumps(dict.fromkeys(names, "VARCHAR"))
    return JsonFile(
        names,
        columns,
        {name: CANDIDATES.get(_kind(structure[name]), ()) for name in names},
        f"(SELECT unnest(json_transform(json, {literal(texts)})) FROM {objects})",  # noqa: S608
    )


def _kind(part: Any) -> str:
    return part if isinstance(part, str) else "nested"


def _objects(connection: duckdb.DuckDBPyConnection, path: Path, *, lines: bool, inside: str) -> str:
    """Return the FROM item with one JSON object per row, in a column called json."""
    packed = is_gzip(path)
    form, limit = "newline_delimited" if lines else "auto", MAX_OBJECT_BYTES
    if inside:
        # DuckDB sets aside twice the limit, so a small file should ask for little.
        limit = MAX_DOCUMENT_BYTES if packed else max(path.stat().st_size, MAX_OBJECT_BYTES)
        form = "unstructured"
    if limit > MAX_DOCUMENT_BYTES:
        raise ImportRejected("The document is larger than 96 MB; give a list or NDJSON instead.")
    scan = (
        f"read_json_objects({literal(str(path))}, format = '{form}',"
        f" compression = '{'gzip' if packed else 'none'}', maximum_object_size = {limit})"
    )
    if not inside:
        return scan
    where = "$" + "".join(f".{json.dumps(key)}" for key in inside.split("."))
    found = connection.execute(
        f"SELECT DISTINCT json_type(json, {literal(where)}) FROM {scan}"  # noqa: S608
    ).fetchall()
    if found != [("ARRAY",)]:
        raise ImportRejected(f"The document has no list at “{inside}”.")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE json_items AS SELECT"  # noqa: S608
        f" unnest(CAST(json_extract(json, {literal(where)}) AS JSON[])) AS json FROM {scan}"
    )
    return "json_items"


def _structure(
    connection: duckdb.DuckDBPyConnection, objects: str
) -> tuple[dict[str, Any], list[str]]:
    """Return the type of each key, and the keys in their order."""
    found = connection.execute(
        f"SELECT json_group_structure(json), count(*) FROM {objects}"  # noqa: S608
    ).fetchone()
    structure, rows = found or (None, 0)
    if not rows:
        raise ImportRejected("The file has no objects, so its columns are not known.")
    parsed = json.loads(structure)
    if not isinstance(parsed, dict) or not parsed:
        raise ImportRejected(
            "The file is not a list of objects; each row should be one, such as {“id”: 1}."
        )
    first = connection.execute(
        f"SELECT json_keys(json) FROM {objects} LIMIT 1"  # noqa: S608
    ).fetchone()
    known = [name for name in (first[0] if first else []) if name in parsed]
    return parsed, [*known, *(name for name in parsed if name not in known)]


def rejected(error: duckdb.Error) -> ImportRejected:
    """Return the sentence for what DuckDB said of a JSON file, with the line where it has one."""
    message = str(error).strip().split("\n", 1)[0]
    if NUL in message:
        return ImportRejected("A value has a NUL character, which no table can hold.")
    if LONG in message:
        return ImportRejected("A value is 1 MB or longer.")
    found = re.search(r"in line (\d+)", message)
    reason = message.rsplit(": ", 1)[-1].rstrip(". ")
    if found:
        line = int(found[1])
        return ImportRejected(f"Line {line} is not valid JSON: {reason}.", line=line)
    return ImportRejected(f"The file is not valid JSON: {reason}.")
