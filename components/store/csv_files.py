"""CSV and TSV files: header, delimiter, and a sentence with the line for what is wrong."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import duckdb

from components.exceptions import ImportRejected
from components.store.columns import clean_names
from components.store.lossless import LONG, MAX_FIELD_BYTES, NUL
from orchestrator_site.lib.duck import literal

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
HEAD_BYTES = 256 * 1024
MAX_LINE_BYTES = 4 * 1024 * 1024
NUL_REASON = "a NUL byte; the file is damaged or is no text."
CHUNK = 1024 * 1024
UTF8_MARK = b"\xef\xbb\xbf"
GZIP_MARK = b"\x1f\x8b"


@dataclass(frozen=True)
class CsvFile:
    """A file whose header was read; `names` are as DuckDB should call the columns."""

    path: Path
    delimiter: str
    names: list[str]
    columns: list[str]  # the same, as Storage calls them

    def source(self, options: str = "") -> str:
        """Return the FROM item that reads all columns as text."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in self.names)
        kind = "gzip" if is_gzip(self.path) else "none"
        return (
            f"read_csv({literal(str(self.path))}, columns = {{{columns}}}, header = true,"
            f" delim = {literal(self.delimiter)}, quote = '\"', escape = '\"', comment = '',"
            f" auto_detect = false, strict_mode = true, null_padding = false, nullstr = '',"
            f" allow_quoted_nulls = false, compression = '{kind}', encoding = 'utf-8',"
            f" max_line_size = {MAX_LINE_BYTES}, buffer_size = {4 * MAX_LINE_BYTES}{options})"
        )


def is_gzip(path: Path) -> bool:
    """Return whether the file's first bytes are those of gzip."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MARK


def open_plain(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked where it is gzip."""
    return cast("IO[bytes]", gzip.open(path)) if is_gzip(path) else path.open("rb")


def read_header(path: Path, delimiter: str = "") -> CsvFile:
    """Read the column names; the delimiter is found out where none is given.

    Raises ImportRejected for an empty file, another encoding, and names that cannot be kept.
    """
    head = _head(path)
    if not head.strip():
        raise ImportRejected("The file is empty; its first line should name the columns.", line=1)
    used = delimiter or _find_delimiter(head)
    names = _first_row(head, used)
    if not any(name.strip() for name in names):
        raise ImportRejected("Line 1 is empty; it should name the columns.", line=1)
    if all(_is_number(name) for name in names):
        raise ImportRejected("Line 1 holds numbers only; it should name the columns.", line=1)
    columns = clean_names(names, line=1)
    return CsvFile(path, used, [f"c{i}" for i in range(len(names))], columns)


def _head(path: Path) -> str:
    with damage_as_sentence(), open_plain(path) as file:
        raw = file.read(HEAD_BYTES)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ImportRejected("The file is in UTF-16; save it as UTF-8.", line=1)
    # A character may be cut at the end, hence the decoder that waits for the rest.
    raw = raw.removeprefix(UTF8_MARK)
    try:
        first = _line_end(raw)
        raw[:first].decode()
    except UnicodeDecodeError:
        raise ImportRejected("Line 1 is not UTF-8 text; save the file as UTF-8.", line=1) from None
    if b"\0" in raw[:first]:
        raise ImportRejected(f"Line 1 has {NUL_REASON}", line=1)
    return raw.decode(errors="replace")


def _line_end(raw: bytes) -> int:
    ends = [position for mark in (b"\n", b"\r") if (position := raw.find(mark)) >= 0]
    return min(ends, default=len(raw))


@contextmanager
def damage_as_sentence() -> Iterator[None]:
    """Turn a gzip file's damage into a sentence."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ImportRejected("The gzip file is damaged or incomplete.") from error


def _find_delimiter(head: str) -> str:
    """Return the delimiter that splits the first rows evenly into most columns; comma at worst."""
    best, most = ",", 1
    for delimiter in DELIMITERS:
        rows = _rows(head, delimiter, limit=20)
        width = len(rows[0]) if rows else 0
        even = all(len(row) == width for row in rows if row)
        # An uneven comma still beats nothing: the ragged line gets its sentence later.
        score = width if even else min(width, 2) if most == 1 else 0
        if score > most:
            best, most = delimiter, score
    return best


def _rows(head: str, delimiter: str, *, limit: int) -> list[list[str]]:
    lines = io.StringIO(head, newline="")
    found = []
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            found.append(row)
            if len(found) > limit:
                return found[:limit]
    except csv.Error:
        return found[:limit]
    # The last row of a long head may be cut.
    return found[:-1] if len(head) >= HEAD_BYTES // 4 and len(found) > 1 else found


def _first_row(head: str, delimiter: str) -> list[str]:
    rows = _rows(head, delimiter, limit=1)
    if not rows:
        raise ImportRejected("Line 1 is longer than 256 KB; it should name the columns.", line=1)
    return rows[0]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*[-+]?\d+([.,]\d+)?\s*", text) is not None


def unify_line_ends(path: Path, target: Path) -> None:
    """Copy a text file with CR LF turned into LF everywhere, in constant memory."""
    with damage_as_sentence(), open_plain(path) as file, target.open("wb") as out:
        held = b""
        while chunk := file.read(CHUNK):
            data = held + chunk
            held = b"\r" if data.endswith(b"\r") else b""
            out.write(data.removesuffix(b"\r").replace(b"\r\n", b"\n"))
        out.write(held)


def explain(file: CsvFile, error: duckdb.Error) -> ImportRejected:
    """Return the sentence for a scan that failed, with the first line that is wrong."""
    mark = next((mark for mark in (LONG, NUL) if mark in str(error)), "")
    with damage_as_sentence():
        if mark == LONG:
            line = _long_field_line(file)
            return ImportRejected(f"Line {line} has a field of 1 MB or more.", line=line)
        if mark == NUL:
            line = _line_at(file.path, _find(file.path, b"\0"))
            return ImportRejected(f"Line {line} has {NUL_REASON}", line=line)
        reject = _first_reject(file)
        if reject is None:
            return ImportRejected(f"The file cannot be read as CSV: {first_sentence(error)}")
        position, kind, message = reject
        # One byte into the line: for CR LF, DuckDB counts from before the LF.
        line = _line_at(file.path, position)
    return ImportRejected(f"Line {line} {_reason(file, kind, message)}", line=line)


def _first_reject(file: CsvFile) -> tuple[int, str, str] | None:
    """Scan once more, one thread, keeping what DuckDB rejects; None where it rejects nothing.

    Returns the position of the line's first byte (from 1), the kind, and DuckDB's words.
    """
    connection = duckdb.connect(config={"threads": 1, "memory_limit": "256MB"})
    scan = file.source(", store_rejects = true, rejects_limit = 1000")
    try:
        connection.execute(f"SELECT count(COLUMNS(*)) FROM {scan}").fetchall()  # noqa: S608
        found = connection.execute(
            "SELECT line_byte_position, CAST(error_type AS VARCHAR), error_message"
            " FROM reject_errors ORDER BY line_byte_position, column_idx DESC LIMIT 1"
        ).fetchone()
    except duckdb.Error:
        return None
    finally:
        connection.close()
    return (found[0], found[1], found[2]) if found else None


def _reason(file: CsvFile, kind: str, message: str) -> str:
    """Return what is wrong with a line, as the end of a sentence that begins with it."""
    if kind in ("MISSING COLUMNS", "TOO MANY COLUMNS"):
        found = int(message.rsplit(" ", 1)[-1])
        return (
            f"has {found} {'value' if found == 1 else 'values'}, but line 1 names "
            f"{len(file.names)} {'column' if len(file.names) == 1 else 'columns'}"
            f" (the delimiter is a {DELIMITERS.get(file.delimiter, repr(file.delimiter))})."
        )
    return {
        "INVALID ENCODING": "is not UTF-8 text; save the file as UTF-8.",
        "UNQUOTED VALUE": "has a quote that is not closed, or text after a closing quote.",
        "LINE SIZE OVER MAXIMUM": "is longer than 4 MB; perhaps a quote is not closed.",
    }.get(kind, f"cannot be read: {message}")


def first_sentence(error: Exception) -> str:
    """Return the first line of DuckDB's message, without the kind of error before it."""
    return str(error).strip().split("\n", 1)[0].split("Error: ", 1)[-1].rstrip(". ") + "."


def _chunks(path: Path) -> Iterator[bytes]:
    with open_plain(path) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _find(path: Path, wanted: bytes) -> int:
    """Return the position of the first such byte; the end of the file where there is none."""
    start = 0
    for chunk in _chunks(path):
        if (found := chunk.find(wanted)) >= 0:
            return start + found
        start += len(chunk)
    return start


def _line_at(path: Path, position: int) -> int:
    """Return the number of the line, from 1, that the byte at `position` (from 0) stands in."""
    feeds = returns = start = 0
    for chunk in _chunks(path):
        part = chunk[: max(position - start, 0)]
        feeds += part.count(b"\n")
        returns += part.count(b"\r")
        start += len(chunk)
        if start >= position:
            break
    return (feeds or returns) + 1


def _long_field_line(file: CsvFile) -> int:
    """Return the line where the first row begins that has a field over the limit."""
    csv.field_size_limit(2 * MAX_LINE_BYTES)  # the default would refuse it before us
    line = 1
    with open_plain(file.path) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8", errors="replace", newline="")
        rows = csv.reader(text, delimiter=file.delimiter)
        for row in rows:
            if any(len(field.encode()) >= MAX_FIELD_BYTES for field in row):
                return line
            line = rows.line_num + 1
    return line
