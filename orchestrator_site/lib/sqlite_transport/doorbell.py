"""Doorbells: a publisher wakes the waiting consumers of other processes within a millisecond.

Each consumer makes a FIFO in a folder beside the broker's file; a publisher writes one byte into
every one. A bell only saves waiting: who hears none looks again after its polling interval.
"""

from __future__ import annotations

import errno
import os
import select
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock

_numbers = count(1)


def ring_all(folder: Path) -> None:
    """Wake every consumer that has a bell in `folder`; removes the bells of dead ones."""
    try:
        names = os.listdir(folder)  # noqa: PTH208  # on every publication: a tenth of iterdir's cost
    except OSError:
        return  # no consumer yet, or none that could make a bell: they look by themselves
    for name in names:
        if name.endswith(".bell"):
            _ring(f"{folder}/{name}")


def _ring(path: str) -> None:
    try:
        bell = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody has it open for reading: its owner died
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108  # same path, no object needed
        return
    try:
        with suppress(OSError):  # full: it rings already
            os.write(bell, b"!")
    finally:
        os.close(bell)


class Doorbell:
    """The bell of one consumer; where FIFOs cannot be made it is silent and `wait` just sleeps."""

    def __init__(self, folder: Path) -> None:
        self.pid = os.getpid()
        self._path = folder / f"{self.pid}-{next(_numbers)}.bell"
        self._lock = Lock()
        self._fd: int | None = None
        # Made under another name first: until it is open for reading it looks like a dead one's.
        nascent = self._path.with_suffix(".new")
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            nascent.unlink(missing_ok=True)  # of an earlier process with our number
            os.mkfifo(nascent, 0o600)
            self._fd = os.open(nascent, os.O_RDWR | os.O_NONBLOCK)
            nascent.rename(self._path)
        self._poll = select.poll()
        if self._fd is not None:
            self._poll.register(self._fd, select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Return when the bell rings, at the latest after `seconds`."""
        if self._fd is None:
            time.sleep(seconds)
        elif self._poll.poll(seconds * 1000):
            with suppress(BlockingIOError):  # two threads may have heard the same ring
                os.read(self._fd, 65536)

    def ring(self) -> None:
        """Wake the own waiting thread; callable from any thread, also after `close`."""
        with self._lock, suppress(BlockingIOError):
            if self._fd is not None:
                os.write(self._fd, b"!")

    def close(self) -> None:
        """Take the bell down. In a forked child the parent's bell stays where it is."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None
            if self.pid == os.getpid():
                self._path.unlink(missing_ok=True)
