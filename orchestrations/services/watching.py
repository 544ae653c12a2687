"""The thread in each worker that says the worker is there, and looks whether anything fires.

It is a thread and no periodic task, since those are sent by the scheduler that it watches.
"""

from __future__ import annotations

import logging
import threading

from django.db import Error, connection
from django.utils import timezone

from orchestrations.enums import ProcessKind
from orchestrations.queries.health import SILENT
from orchestrations.scheduling.presence import EVERY, Presence
from orchestrations.services import alarms

logger = logging.getLogger(__name__)


class Watcher(threading.Thread):
    """Shows a worker every few seconds; in a control worker it also watches the scheduler.

    It watches once the worker has been there for as long as nothing may fire: after a restart of
    everything the scheduler needs a moment too.
    """

    def __init__(self, kind: ProcessKind) -> None:
        super().__init__(name="watcher", daemon=True)
        self.presence = Presence(kind)
        self.began_at = timezone.now()
        self._ended = threading.Event()

    def run(self) -> None:
        """Look again and again until `end`; a database that is away is waited for."""
        while True:
            try:
                self.look()
            except Error as error:
                logger.warning("The worker could not say that it is there: %s", str(error).strip())
                connection.close()
            if self._ended.wait(EVERY):
                break
        connection.close()

    def look(self) -> None:
        """Show the worker; raise the alarm where nothing fires."""
        now = timezone.now()
        self.presence.show(now)
        if self.presence.kind == ProcessKind.CONTROL and now - self.began_at > SILENT:
            alarms.look(now)

    def end(self) -> None:
        """Stop looking, and say that the worker stops."""
        self._ended.set()
        self.join(EVERY)
        try:
            self.presence.leave(timezone.now())
        except Error as error:
            logger.warning("The worker could not say that it stops: %s", str(error).strip())


def kind_of(queues: set[str]) -> ProcessKind:
    """Return what a worker of these queues is; one of both counts as a control worker."""
    return ProcessKind.CONTROL if "control" in queues else ProcessKind.JOBS
