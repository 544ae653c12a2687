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


def parts(*names: str) -> list[Part]:
    """Return database, Storage and broker, or those named; answers are up to ten seconds old.

    One caller asks at a time: the others get the answer before, however old, or wait for the first.
    """
    return [_part(name, reach) for name, reach in _REACH.items() if name in (names or _REACH)]


def forget() -> None:
    """Ask anew the next time."""
    _kept.clear()


def _part(name: str, reach: Callable[[], None]) -> Part:
    at, part = _kept.get(name, (0.0, None))
    if part is not None and time.monotonic() - at <= KEPT:
        return part
    if not _asking[name].acquire(blocking=part is None):
        assert part is not None  # noqa: S101  # else it would have waited
        return part
    try:
        at, part = _kept.get(name, (0.0, None))
        if part is None or time.monotonic() - at > KEPT:
            part = _reach(name, reach)
            _kept[name] = (time.monotonic(), part)
    finally:
        _asking[name].release()
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


_REACH = {"database": _database, "storage": _storage, "broker": _broker}
_asking = {name: threading.Lock() for name in _REACH}
