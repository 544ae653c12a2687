"""HTTP: a table from a file on the web."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from components.builtin import fields, tabular, web
from components.builtin.contract import Context, Manifest, TestContext
from components.enums import ComponentType
from components.exceptions import RunnerError

EXCERPT = 300  # characters of an error answer that are shown
CONTENT_TYPES = {
    "text/csv": "csv",
    "application/csv": "csv",
    "text/plain": "csv",
    "text/tab-separated-values": "tsv",
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}


@dataclass(frozen=True)
class Download:
    """A file that was fetched, and what the server said about it."""

    name: str
    size: int  # bytes on disk
    format: str  # by the content type; empty where it says none
    charset: str


def run(context: Context) -> dict[str, Any]:
    """Fetch the file and load it."""
    request = web.request_of(context.parameters)
    target = context.work / "download"

    def consume(response: httpx.Response) -> Download:
        check_success(request, response)
        return save(response, target, context)

    download = web.perform(request, consume, context.log)
    context.log(f"Fetched {download.size:,} bytes from {request.shown}.")
    if not download.size:
        raise RunnerError(f"{request.shown} answered with an empty file.", permanent=True)
    result = tabular.load(
        context, target, download.name, format_hint=download.format, charset=download.charset
    )
    return {**result, "bytes": download.size}


def check_success(request: web.Request, response: httpx.Response) -> None:
    """Raise RunnerError with the beginning of the answer unless it is a success."""
    if response.status_code == HTTPStatus.OK:
        return
    said = ""
    if response.headers.get("Content-Type", "").startswith(("application/json", "text/plain")):
        said = " ".join(beginning(response, EXCERPT).split())
    text = f"{request.shown} answered {web.status_text(response)}"
    raise RunnerError(f"{text}: {said}" if said else f"{text}.", permanent=True)


def beginning(response: httpx.Response, limit: int) -> str:
    """Return at most `limit` characters of a body, reading no more than is needed."""
    read = b""
    for block in unpacked(response):
        read += block
        if len(read) >= 4 * limit:
            break
    return read.decode(response.charset_encoding or "utf-8", "replace")[:limit]


def save(response: httpx.Response, target: Path, context: Context) -> Download:
    """Write the body to a file, block by block."""
    total = int(response.headers.get("Content-Length", 0)) or None
    size = 0
    with target.open("wb") as file:
        for block in unpacked(response):
            size += file.write(block)
            context.progress(response.num_bytes_downloaded, total)
    kind, charset = _content_type(response)
    return Download(_file_name(response), size, CONTENT_TYPES.get(kind, ""), charset)


def unpacked(response: httpx.Response) -> Iterator[bytes]:
    """Yield the body without its transfer compression; a cut one counts as a broken connection."""
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in {"gzip", "x-gzip"}:
        yield from response.iter_bytes(tabular.CHUNK)
        return
    unpacker = zlib.decompressobj(wbits=31)
    try:
        for block in response.iter_raw(tabular.CHUNK):
            rest = block
            while rest:  # at most one block at a time, however well it was packed
                yield unpacker.decompress(rest, tabular.CHUNK)
                rest = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise httpx.RemoteProtocolError(f"the gzip answer is damaged ({error})") from error
    if not unpacker.eof:
        raise httpx.RemoteProtocolError("the gzip answer ends too early")


def _content_type(response: httpx.Response) -> tuple[str, str]:
    message = Message()
    message["Content-Type"] = response.headers.get("Content-Type", "application/octet-stream")
    return message.get_content_type(), message.get_content_charset("")


def _file_name(response: httpx.Response) -> str:
    """Return the name that the server gives, else the last part of the URL."""
    message = Message()
    message["Content-Disposition"] = response.headers.get("Content-Disposition", "inline")
    path = unquote(urlsplit(str(response.url)).path).rstrip("/")
    return message.get_filename() or path.rpartition("/")[2] or response.url.host


def test(context: TestContext) -> str:
    """Ask for the file, read nothing of it, and say what is there."""
    request = web.request_of({**context.parameters, "retries": 0, "timeout": 15})

    def consume(response: httpx.Response) -> str:
        check_success(request, response)
        kind, _ = _content_type(response)
        size = response.headers.get("Content-Length", "")
        told = f", {int(size):,} bytes" if size.isdecimal() else ""
        return f"Reached {request.shown}: {web.status_text(response)}, {kind}{told}."

    return web.perform(request, consume, lambda _message, _level: None)


MANIFEST = Manifest(
    key="ex-http",
    name="HTTP",
    type=ComponentType.EXTRACTOR,
    summary="Loads a CSV, TSV, JSON, NDJSON or Parquet file from a web address.",
    documentation=fields.documentation("ex-http"),
    schema=fields.document(
        {
            "url": web.URL,
            **tabular.FORMAT,
            **tabular.WRITING,
            **tabular.READING,
            "auth": web.AUTHENTICATION,
            "headers": web.HEADERS,
            "query": web.QUERY,
            **web.PATIENCE,
        },
        ["url"],
    ),
    run=run,
    test=test,
    icon="world-download",
    has_output=True,
)
