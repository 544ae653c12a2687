"""A file with a table in it, as components receive one: its format, encoding and destination."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from components.builtin import fields
from components.builtin.contract import Context, FileOptions
from components.exceptions import RunnerError

CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}
FORMATS = {
    "": "By the name's ending",
    "csv": "CSV",
    "tsv": "TSV (tab-separated)",
    "json": "JSON",
    "ndjson": "NDJSON (one object per line)",
    "parquet": "Parquet",
}
DELIMITERS = {
    "": "Found out from the file",
    ",": "Comma",
    ";": "Semicolon",
    "\t": "Tab",
    "|": "Vertical bar",
}
ENCODINGS = {
    "": "UTF-8, or what the source says",
    "utf-8": "UTF-8",
    "windows-1250": "Windows-1250 (Central European)",
    "windows-1251": "Windows-1251 (Cyrillic)",
    "windows-1252": "Windows-1252 (Western European)",
    "iso-8859-1": "ISO 8859-1 (Latin 1)",
    "iso-8859-2": "ISO 8859-2 (Latin 2)",
    "utf-16": "UTF-16",
}

FORMAT = {"format": fields.choice("Format", FORMATS, "", "gzip is unpacked by itself.")}
READING = {
    "delimiter": fields.choice("Delimiter", DELIMITERS, "", "CSV only."),
    "encoding": fields.choice("Encoding", ENCODINGS, "", "Text formats only."),
    "path": fields.text(
        "Path to the list",
        "JSON only: where the list of objects is, such as data.items. Blank: the whole document.",
        default="",
    ),
}
WRITING = {
    "name": fields.text(
        "Table name", "Blank: the name of the file without its ending.", default=""
    ),
    "incremental": fields.switch("Incremental", "Adds the rows instead of replacing the table."),
    "primary_key": fields.words(
        "Primary key", "Columns; with Incremental, rows with the same key are replaced."
    ),
}


def stem(file_name: str) -> str:
    """Return a file's name without its ending and without .gz."""
    name = PurePosixPath(file_name).name
    name = name[:-3] if name.lower().endswith(".gz") else name
    return PurePosixPath(name).stem if PurePosixPath(name).suffix.lower() in ENDINGS else name


def format_of(file_name: str) -> str:
    """Return the format that a file's ending tells; empty where it tells none."""
    name = file_name[:-3] if file_name.lower().endswith(".gz") else file_name
    return ENDINGS.get(PurePosixPath(name).suffix.lower(), "")


def load(
    context: Context, path: Path, file_name: str, *, format_hint: str = "", charset: str = ""
) -> dict[str, Any]:
    """Load a file as the parameters say and return what the job page shows.

    The hints are what the source says about itself; parameters win. Raises RunnerError where
    the format or the encoding cannot be told, ImportRejected for content that is not valid.
    """
    parameters = context.parameters
    kind = parameters.get("format") or format_of(file_name) or format_hint
    if not kind:
        raise RunnerError(
            f"The format of “{file_name}” cannot be told from its name. Choose it in Format.",
            permanent=True,
        )
    encoding = parameters.get("encoding") or charset
    readable = path if kind == "parquet" else recoded(path, encoding, context.work)
    name = parameters.get("name") or stem(file_name) or "data"
    written = context.write_file(
        name,
        readable,
        FileOptions(
            format=kind,
            delimiter=parameters.get("delimiter", ""),
            path=parameters.get("path", ""),
        ),
        primary_key=parameters.get("primary_key", []),
        incremental=parameters.get("incremental", False),
    )
    rows = sum(segment["rows"] for segment in written["segments"])
    context.log(f"Loaded {rows:,} rows into {written['table']}.")
    return {"table": written["table"], "rows": rows}


def recoded(path: Path, encoding: str, work: Path) -> Path:
    """Return the same text in UTF-8, written beside in `work` where it is in another encoding.

    Raises RunnerError with the line of the first byte that the encoding does not have.
    """
    try:
        codec = codecs.lookup(encoding or "utf-8")
    except LookupError as error:
        raise RunnerError(f"The encoding “{encoding}” is not known.", permanent=True) from error
    if codec.name in {"utf-8", "ascii"}:
        return path
    target = work / f"{path.name}.utf8"
    with _opened(path) as source, target.open("wb") as out:
        for text in _decoded(source, codec):
            out.write(text.encode())
    return target


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == GZIP
    return cast("BinaryIO", gzip.open(path)) if packed else path.open("rb")


def _decoded(source: BinaryIO, codec: codecs.CodecInfo) -> Iterator[str]:
    decoder = codec.incrementaldecoder("strict")
    line = 1
    try:
        while block := source.read(CHUNK):
            text = decoder.decode(block)
            line += text.count("\n")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        read = error.object[: error.start].decode(codec.name, "replace")
        place = line + read.count("\n")
        raise RunnerError(
            f"Line {place} is not valid {codec.name}. Choose the file's encoding in Encoding.",
            permanent=True,
        ) from error
    except (EOFError, gzip.BadGzipFile) as error:
        raise RunnerError("The gzip file is damaged or ends too early.", permanent=True) from error


def said(result: Mapping[str, Any]) -> str:
    """Return a load's result as half a sentence."""
    return f"{result['rows']:,} rows in {result['table']}"
