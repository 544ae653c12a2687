"""The thread in each worker and web server that says it is there, and looks whether anything fires.

It is a thread and no periodic task, since those are sent by the scheduler that it watches.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time

from django.db import Error, connection

from orchestrations.enums import ProcessKind
from orchestrations.queries.health import SILENT
from orchestrations.scheduling.outages import ClockWatch
from orchestrations.scheduling.presence import EVERY, Presence
from orchestrations.services import alarms
from orchestrator_site.lib.database_clock import database_now

logger = logging.getLogger(__name__)
_in_web: list[Watcher] = []


class Watcher(threading.Thread):
    """Shows a process every few seconds, and watches the scheduler.

    It watches once it has been there for as long as nothing may fire, and again so long after a
    clock jumped, the machine slept or the database was away: the scheduler needs a moment then too.
    """

    def __init__(self, kind: ProcessKind) -> None:
        super().__init__(name="watcher", daemon=True)
        self.presence = Presence(kind)
        self.clock = ClockWatch()
        # Steady seconds.
        self.began_at = time.monotonic()
        self._ended = threading.Event()

    def run(self) -> None:
        """Look again and again until `end`; a database that is away is waited for."""
        while True:
            try:
                self.look()
            except Error as error:
                logger.warning("This process could not say that it is there: %s", _line(error))
                connection.close()
                self.began_at = time.monotonic()
            except Exception:
                # Whatever it is, the next look may succeed; without this thread nobody would watch.
                logger.exception("A look at the scheduler failed.")
                connection.close()
            if self._ended.wait(EVERY):
                break
        connection.close()

    def look(self) -> None:
        """Show the process; raise the alarm where nothing fires."""
        now, expected = self.clock.look()
        self.presence.show(now)
        if expected is not None:
            self.began_at = time.monotonic()
        if time.monotonic() - self.began_at > SILENT.total_seconds():
            alarms.look(now)

    def end(self) -> None:
        """Stop looking, and say that the process stops."""
        self._ended.set()
        if self.is_alive():
            self.join(EVERY)
        try:
            self.presence.leave(database_now())
        except Error as error:
            logger.warning("This process could not say that it stops: %s", _line(error))
        connection.close()


def watch_from_web() -> None:
    """Let this web server say that it is there, and watch, until it ends."""
    watcher = Watcher(ProcessKind.WEB)
    watcher.start()
    _in_web.append(watcher)
    atexit.register(end_in_web)


def end_in_web() -> None:
    """Say that this web server stops; for servers whose processes end without Python's own end."""
    while _in_web:
        _in_web.pop().end()


def _line(error: Error) -> str:
    return str(error).strip()


def kind_of(queues: set[str]) -> ProcessKind:
    """Return what a worker of these queues is; one of both counts as a control worker."""
    return ProcessKind.CONTROL if "control" in queues else ProcessKind.JOBS
