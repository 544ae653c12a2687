"""Rows handed out as CSV one by one, however many there are."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

BYTE_ORDER_MARK = "\ufeff"  # so that spreadsheets read it as UTF-8


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def stream_csv(rows: Iterable[Iterable[object]], name: str) -> StreamingHttpResponse:
    """Answer with a file of these rows; `name` is what it is called, without the ending."""
    return StreamingHttpResponse(
        _lines(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def plain(text: str) -> str:
    """Keep a spreadsheet from reading a text as a formula (OWASP: CSV injection)."""
    return f"'{text}" if text[:1] in set("=+-@\t\r") else text


def _lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield BYTE_ORDER_MARK
    for row in rows:
        yield writer.writerow(row)
