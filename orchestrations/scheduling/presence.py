"""Schedulers, workers and web servers say that they are there: a row each, every few seconds."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Q
from django.utils import timezone

from orchestrations.enums import ProcessKind
from orchestrations.models import Process
from orchestrations.queries.health import AHEAD

# Seconds between two rows of a process.
EVERY = 5.0
KEPT = timedelta(days=1)


class Presence:
    """The row of this process; safe to write after the row is gone, and over a fork."""

    def __init__(self, kind: ProcessKind) -> None:
        self.kind = kind
        self.key = uuid.uuid4().hex

    def show(self, now: datetime) -> None:
        """Write that this process is there at `now`, by the database's clock.

        Rows of processes long gone are swept when it comes for the first time.
        """
        # Written while that clock was ahead: else one that is gone would be there until then.
        Process.objects.filter(seen_at__gt=now + AHEAD).update(seen_at=now)
        off = (timezone.now() - now).total_seconds()
        if Process.objects.filter(key=self.key).update(seen_at=now, clock_off=off):
            return
        # The last trace of each kind stays: an outage that lasts longer is told by it.
        newest = Process.objects.values("kind").annotate(last=Max("seen_at"))
        kept = Q(pk__in=[])
        for row in newest.order_by():
            kept |= Q(kind=row["kind"], seen_at=row["last"])
        Process.objects.filter(seen_at__lt=now - KEPT).exclude(kept).delete()
        Process.objects.create(
            key=self.key,
            kind=self.kind,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=settings.VERSION,
            started_at=now,
            seen_at=now,
            clock_off=off,
        )

    def leave(self, now: datetime) -> None:
        """Write that this process stops because it was told to."""
        Process.objects.filter(key=self.key).update(seen_at=now, stopped_at=now)
