"""Celery beat's scheduler: fires our schedules from the database, sends other periodic tasks.

Use: `celery -A orchestrator_site beat` (the settings name this class), or `app.Beat(...).run()`.
However many beats there are, what is due they read by one clock: the database's.
"""

from __future__ import annotations

import logging
import math
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from celery.beat import SchedulingError
from django.db import Error, connection
from django.db.models import Q
from django.utils import timezone
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from orchestrations.enums import ProcessKind
from orchestrations.queries.health import SILENT, last_scheduler, why_gone
from orchestrations.scheduling import outages
from orchestrations.scheduling.presence import EVERY, Presence
from orchestrations.scheduling.slots import PROJECTED, TICKING, fire_due, next_wake
from orchestrator_site.lib.database_clock import database_now

# Seconds. A new or changed schedule is noticed, and a jump of the clock is, after IDLE at most.
IDLE = 1.0
HELD_BY_ANOTHER = 0.1
LONGEST_BACK_OFF = 5.0
CLOCK_SET_BACK = timedelta(seconds=5)

logger = logging.getLogger(__name__)


class Duty:
    """One thing that beat does again and again; a database that is away delays only this one."""

    def __init__(self, name: str, work: Callable[[], float]) -> None:
        self.name = name
        self.work = work
        self.wake_at = -math.inf
        self.failures = 0
        self.failed = False

    def attend(self) -> float:
        """Do the work if it is time to; return the seconds until it wants to be done again."""
        wait = self.wake_at - time.monotonic()
        if wait > 0:
            return wait
        try:
            delay = self.work()
        except Error as error:
            delay = self._back_off(error)
        else:
            self.failures = 0
        self.wake_at = time.monotonic() + delay
        return delay

    def _back_off(self, error: Error) -> float:
        self.failures += 1
        self.failed = True
        delay = min(0.25 * 2.0**self.failures, LONGEST_BACK_OFF)
        logger.warning("%s failed, again in %.1f s: %s", self.name, delay, str(error).strip())
        # Whatever broke it, the next attempt opens a new connection.
        connection.close()
        return delay


class Entry(ModelEntry):  # type: ignore[misc]  # django-celery-beat has no types
    """A periodic task that was last sent in the future counts as sent now.

    Else it would be silent until then, after the clock was wrong and set back.
    """

    last_run_at: datetime

    def is_due(self) -> Any:
        """Return whether it is to be sent now, and the seconds until it wants to be asked again."""
        now = timezone.now()
        if self.last_run_at > now + CLOCK_SET_BACK:
            self.last_run_at = self.model.last_run_at = now
            type(self.model).objects.filter(pk=self.model.pk).update(last_run_at=now)
        return super().is_due()


class SlotScheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat has no types
    """Fires due slots by `next_fire_at`, and other periodic tasks as DatabaseScheduler does.

    Editing a schedule costs nothing here, any number of beats may run, and a beat that dies loses
    and doubles nothing: what is due stands in the database, and each slot is decided once.
    """

    Entry = Entry
    # Seconds after which it is written down what was sent.
    sync_every = 30

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.presence = Presence(ProcessKind.SCHEDULER)
        self.clock = outages.ClockWatch()
        self.being_seen = Duty("Being seen", self._be_seen)
        self.firing = Duty("Firing schedules", self._fire)
        self.sending = Duty("Sending periodic tasks", self._send_periodic)
        self.duties = (self.being_seen, self.firing, self.sending)
        self._seen: datetime | None = None
        self._seen_at = -math.inf

    def setup_schedule(self) -> None:
        """Write nothing at the start: periodic tasks are made at migrate, and results are not kept.

        So beat also starts while the database is away.
        """

    @property
    def producer(self) -> None:
        """Let each task borrow a producer from the pool, which gives up soon where it must.

        Beat's own one waits for the broker without end, and due slots would wait with it.
        """
        return

    def tick(self, *_args: Any, **_kwargs: Any) -> float:
        """Do what is due; return the seconds to sleep."""
        return min(duty.attend() for duty in self.duties)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one periodic task; a broker that is away is one line in the log."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            logger.warning("%s", error)

    def enabled_models_qs(self) -> Any:
        """Return the periodic tasks to be kept in the heap: all but the projected ones."""
        return self.Model.objects.enabled().exclude(name__startswith=PROJECTED)

    def close(self) -> None:
        """Write down what was sent, and that this one stops."""
        super().close()
        with suppress(Error):
            self.presence.leave(database_now())

    def _be_seen(self) -> float:
        """Write that this one is there; before, how long nobody was, or that the clock jumped."""
        now, expected = self.clock.look()
        last = last_scheduler()
        if expected is not None:
            outages.note_jump(expected, now, socket.gethostname())
        if last is not None and (expected or now) - last.seen_at > SILENT:
            away = any(duty.failed for duty in self.duties)
            why = "The database could not be reached." if away else why_gone(last)
            outages.note_silence(last.seen_at, why)
        self.presence.show(now)
        outages.end_silence(now)
        for duty in self.duties:
            duty.failed = False
        self._seen_at = time.monotonic()
        return EVERY

    def _fire(self) -> float:
        if time.monotonic() - self._seen_at > SILENT.total_seconds():
            # What was missed meanwhile is to say why.
            self._be_seen()
        due_at = next_wake()
        if due_at is None:
            return IDLE
        now = database_now()
        if due_at > now:
            return min((due_at - now).total_seconds(), IDLE)
        report = fire_due(now)
        if report.runs:
            logger.info("Fired: %d runs of %d schedules.", report.runs, report.schedules)
        if report.schedules == 0:
            return HELD_BY_ANOTHER
        return 0.0

    def _send_periodic(self) -> float:
        now = timezone.now()
        if self._seen is not None and now < self._seen - CLOCK_SET_BACK:
            self._forget()
        if self._seen is None:
            self._say_hello(now)
        self._seen = now
        try:
            return float(super().tick())
        except Error:
            # What is half-read would count as read.
            self._forget()
            raise

    def _say_hello(self, now: datetime) -> None:
        """Let the work of ten seconds be due now: what waited for beat is looked at soon."""
        long_ago = Q(last_run_at=None) | Q(last_run_at__lt=now - timedelta(minutes=1))
        ticking = self.Model.objects.filter(long_ago, name=TICKING)
        ticking.update(last_run_at=now - timedelta(seconds=10))

    def _forget(self) -> None:
        """Let the next tick read all periodic tasks and compute anew when each is due."""
        self._initial_read, self._heap = True, None
