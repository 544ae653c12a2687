"""What a child prints: its standard output and error become log lines, masked and cut."""

from __future__ import annotations

import codecs
import logging
import os
import sys
import threading
import time
from collections.abc import Callable

from components.runners.base import LogLine
from orchestrator_site.lib.secrets import Masker

LINE_CHARACTERS = 16 * 1024  # a longer line becomes several
PIECE = 64 * 1024
JOIN_SECONDS = 2

Sink = Callable[[list[LogLine]], None]


class Lines:
    """Cuts masked text into log lines; a line without an end waits for it."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that are whole now, of which an endless one is cut."""
        self._rest += self._masker.feed(self._decoder.decode(data))
        *lines, self._rest = self._rest.split("\n")
        while len(self._rest) > LINE_CHARACTERS:
            lines.append(self._rest[:LINE_CHARACTERS])
            self._rest = self._rest[LINE_CHARACTERS:]
        return tidy(lines)

    def flush(self) -> list[str]:
        """Return what is left; nothing more comes."""
        text = self._rest + self._masker.feed(self._decoder.decode(b"", final=True))
        text, self._rest = text + self._masker.flush(), ""
        return tidy(text.split("\n"))


def tidy(lines: list[str]) -> list[str]:
    """Return the lines as they can be kept: cut, without NUL, blank ones dropped."""
    return [
        line[start : start + LINE_CHARACTERS].replace("\0", "\ufffd")
        for line in (line.rstrip() for line in lines)
        for start in range(0, len(line), LINE_CHARACTERS)
    ]


class CapturedOutput:
    """File descriptors 1 and 2 of this process as a stream of log lines."""

    def __init__(self, masker: Masker, sink: Sink) -> None:
        self._sink = sink
        self._lines = Lines(masker)
        self._read, write = os.pipe()
        for number in (1, 2):
            os.dup2(write, number)
        os.close(write)
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115  # as long as the process
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what was printed so far; later output is lost.

        A process that still holds the pipe is not waited for longer than two seconds.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(nowhere, number)
        self._thread.join(JOIN_SECONDS)

    def _pump(self) -> None:
        while data := os.read(self._read, PIECE):
            self._send(self._lines.feed(data))
        self._send(self._lines.flush())

    def _send(self, lines: list[str]) -> None:
        if lines:
            at = time.time()
            self._sink([(at, "info", line) for line in lines])
