"""The installation's segment store, and benches to work with it: connection, store, scratch."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from django.conf import settings

from components.store.loading import Bench
from components.store.sandbox import DEFAULT_MEMORY_MB, DEFAULT_THREADS, connect
from components.store.segments import Store, open_store

MEGABYTE = 1024 * 1024
SMALL_MEMORY_MB = 128
# Many jobs may end at once in one worker process; each bench may take its whole memory.
BENCHES_AT_ONCE = 2
_places = threading.BoundedSemaphore(BENCHES_AT_ONCE)


def segment_store() -> Store:
    """Return the store at STORAGE_URL; one object per process and URL."""
    return _store(settings.STORAGE_URL, settings.HOME / "cache", settings.SEGMENT_CACHE_MB)


@cache
def _store(url: str, folder: Path, megabytes: int) -> Store:
    return open_store(url, cache=folder, cache_bytes=megabytes * MEGABYTE)


@contextmanager
def open_bench() -> Iterator[Bench]:
    """Have a DuckDB connection and a scratch folder to write with; waits for a free place."""
    with _places, _bench(DEFAULT_MEMORY_MB, DEFAULT_THREADS) as bench:
        yield bench


@contextmanager
def open_small_bench() -> Iterator[Bench]:
    """Have a bench at once, with little memory: a page should not wait behind a load."""
    with _bench(SMALL_MEMORY_MB, 1) as bench:
        yield bench


@contextmanager
def _bench(memory_mb: int, threads: int) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="storage-", dir=settings.FILE_UPLOAD_TEMP_DIR) as name:
        scratch = Path(name)
        spill = scratch / "spill"
        with closing(connect(spill, memory_mb=memory_mb, threads=threads)) as connection:
            yield Bench(connection, segment_store(), scratch)
