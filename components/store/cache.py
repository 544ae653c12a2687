"""Local copies of remote files, the least recently used dropped first.

Safe for many processes: a reader holds a shared lock on its copy (the kernel drops it when the
process dies), and only a copy that nobody holds is removed.
"""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

DOWNLOADS_AT_ONCE = 64  # lock files; two paths that share one wait for each other


class FileCache:
    """A folder of copies, up to `limit` bytes beyond what is being read."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit

    @contextmanager
    def holding(self, path: str, download: Callable[[Path], object]) -> Iterator[Path]:
        """Have `path` as a local file while the context lasts; `download` writes a missing one."""
        handle = self._hold(path, download)
        try:
            yield self.folder / path
        finally:
            os.close(handle)

    def _hold(self, path: str, download: Callable[[Path], object]) -> int:
        """Return an open handle that keeps the copy from being removed."""
        file = self.folder / path
        while True:
            handle = _open_shared(file)
            if handle is not None:
                now = time.time_ns()  # the kernel's own is only as fine as its ticks
                os.utime(handle, ns=(now, now))
                return handle
            with self._lock(f"{zlib.crc32(path.encode()) % DOWNLOADS_AT_ONCE}"):
                if not file.exists():
                    self._download(file, download)

    def _download(self, file: Path, download: Callable[[Path], object]) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = file.with_name(f"{uuid4().hex}.part")
        try:
            download(part)
            part.chmod(0o600)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        self._trim(keep=file)

    def _trim(self, keep: Path) -> None:
        """Remove copies that nobody reads, oldest use first, until the limit is held."""
        with self._lock("trim"):
            copies = sorted(self._copies(), key=lambda copy: copy[1].st_mtime_ns)
            excess = sum(found.st_size for _, found in copies) - self.limit
            for file, found in copies:
                if excess <= 0:
                    return
                if file != keep and _remove_unread(file):
                    excess -= found.st_size

    def _copies(self) -> Iterator[tuple[Path, os.stat_result]]:
        for file in self.folder.rglob("*.parquet"):
            try:
                yield file, file.stat()
            except FileNotFoundError:
                continue

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _open_shared(file: Path) -> int | None:
    """Open with a shared lock; None where there is no file or it was removed meanwhile."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    fcntl.flock(handle, fcntl.LOCK_SH)
    if os.fstat(handle).st_nlink:
        return handle
    os.close(handle)
    return None


def _remove_unread(file: Path) -> bool:
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(handle)
    return True
