"""Whether the database, the broker and Storage can be reached now; each answers within seconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from celery import current_app
from django.db import Error, connection
from kombu.exceptions import OperationalError

from components.exceptions import StorageError
from components.services.storage_files import segment_store

# Seconds that an answer is kept: many pages ask, each every few seconds.
KEPT = 10.0
BROKER_SECONDS = 3
FAILURES = (Error, OperationalError, StorageError, OSError)

logger = logging.getLogger(__name__)
_lock = threading.Lock()
_kept: dict[str, tuple[float, Part]] = {}


@dataclass(frozen=True)
class Part:
    """One part of the installation, whether it answered, and in how many seconds.

    `error` is for administrators: it may name hosts and paths.
    """

    name: str
    is_reached: bool
    seconds: float
    error: str = ""

    @property
    def milliseconds(self) -> int:
        """How long it took, in whole milliseconds, at least one."""
        return max(1, round(self.seconds * 1000))


def parts() -> list[Part]:
    """Return database, Storage and broker; answers are up to ten seconds old."""
    return [_part("database", _database), _part("storage", _storage), _part("broker", _broker)]


def forget() -> None:
    """Ask anew the next time."""
    with _lock:
        _kept.clear()


def _part(name: str, reach: Callable[[], None]) -> Part:
    with _lock:
        at, part = _kept.get(name, (0.0, None))
    if part is None or time.monotonic() - at > KEPT:
        part = _reach(name, reach)
        with _lock:
            _kept[name] = (time.monotonic(), part)
    return part


def _reach(name: str, reach: Callable[[], None]) -> Part:
    began = time.perf_counter()
    try:
        reach()
    except FAILURES as error:
        logger.warning("The %s cannot be reached: %s", name, str(error).strip())
        text = str(error).strip() or type(error).__name__
        return Part(name, is_reached=False, seconds=time.perf_counter() - began, error=text[:500])
    return Part(name, is_reached=True, seconds=time.perf_counter() - began)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _storage() -> None:
    segment_store().check()


def _broker() -> None:
    with current_app.connection_for_write(connect_timeout=BROKER_SECONDS) as link:
        link.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
