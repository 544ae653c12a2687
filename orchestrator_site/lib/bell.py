"""Ring a worker: the broker is a doorbell, and a bell that does not ring changes only latency."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def ring(task: Task[Any, Any], *ids: int, countdown: float | None = None) -> None:
    """Queue `task` with `ids` once the present transaction has committed; never raises.

    A broker that is away is one line in the log: the sweepers ring again for what nobody claimed.
    """
    transaction.on_commit(partial(_send, task, ids, countdown))


def _send(task: Task[Any, Any], ids: tuple[int, ...], countdown: float | None) -> None:
    try:
        task.apply_async(ids, countdown=countdown)
    except (OperationalError, OSError) as error:
        logger.warning("The broker cannot be reached (%s); %s%s waits.", error, task.name, ids)
