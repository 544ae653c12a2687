"""What a running job leaves in the database: its log, and the sign that its worker lives."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db import Error as DatabaseError
from django.db import connection

from components.exceptions import StaleToken
from components.models import JobLog
from components.runners.base import LogLine, Pulse
from components.services import job_transitions as transitions
from components.services.job_transitions import Claim

BEAT_SECONDS = 10.0

logger = logging.getLogger(__name__)


class JobJournal:
    """Writes for one claim; a database that is away is waited for, a lost claim is told."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._written = 0
        self._lost = False
        self._beat_at = time.monotonic() + BEAT_SECONDS

    def write(self, lines: list[LogLine]) -> bool:
        """Keep log lines, numbered from 1; False where the database is away."""
        try:
            transitions.write_log(self._claim, self.rows(lines))
        except StaleToken:
            self._lost = True
        except DatabaseError as error:
            self._away(error)
            return False
        self._written += len(lines)
        return True

    def pulse(self) -> Pulse:
        """Renew the lease when it is time, and tell whether the job should go on."""
        try:
            terminating = None if self._lost else self._look()
        except DatabaseError as error:
            self._away(error)
            return Pulse.GO
        if terminating is None:
            return Pulse.LOST
        return Pulse.TERMINATE if terminating else Pulse.GO

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the lease from another thread for as long as the context lasts."""
        stop = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=[stop], daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _renew_until(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(BEAT_SECONDS):
                try:
                    transitions.renew_lease(self._claim)
                except DatabaseError as error:
                    self._away(error)
        finally:
            connection.close()  # this thread's own

    def _look(self) -> bool | None:
        if time.monotonic() >= self._beat_at:
            if not transitions.renew_lease(self._claim):
                return None
            self._beat_at = time.monotonic() + BEAT_SECONDS
        return transitions.is_terminating(self._claim)

    def _away(self, error: DatabaseError) -> None:
        logger.warning("Job %s: the database cannot be reached: %s", self._claim.job.pk, error)
        if not connection.in_atomic_block:
            connection.close()

    def rows(self, lines: list[LogLine]) -> list[JobLog]:
        """Return the lines as rows, numbered after those that were kept."""
        return [
            JobLog(
                job=self._claim.job,
                seq=self._written + number,
                at=datetime.fromtimestamp(at, UTC),
                level=level,
                message=message,
            )
            for number, (at, level, message) in enumerate(lines, 1)
        ]
