"""Ring a worker: the broker is a doorbell, and a bell that does not ring changes only latency."""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
        if countdown is None:
            task.apply_async(ids)  # a countdown of 0 would go through the worker's timer
        else:
            task.apply_async(ids, countdown=countdown)
    except (OperationalError, OSError) as error:
        logger.warning("The broker cannot be reached (%s); %s%s waits.", error, task.name, ids)


def ring_all(task: Task[Any, Any], ids: Sequence[int]) -> None:
    """Queue `task` once for each of `ids` after the commit; never raises.

    Stops at the first that the broker does not take, rather than wait for it again and again: the
    sweepers ring for the rest.
    """
    if ids:
        transaction.on_commit(partial(_send_all, task, list(ids)))


def ring_in_packs(task: Task[Any, Any], ids: Sequence[int], *, messages: int) -> None:
    """Queue `task` with lists of `ids` after the commit, in at most so many messages; as above."""
    if ids:
        size = -(-len(ids) // messages)
        packs = [list(ids[start : start + size]) for start in range(0, len(ids), size)]
        transaction.on_commit(partial(_send_all, task, packs))


def _send_all(task: Task[Any, Any], arguments: Sequence[int | list[int]]) -> None:
    sent = 0
    try:
        with task.app.producer_pool.acquire(block=True) as producer:
            for argument in arguments:
                task.apply_async((argument,), producer=producer)
                sent += 1
    except (OperationalError, OSError) as error:
        logger.warning(
            "The broker cannot be reached (%s); %d messages of %s wait.",
            error,
            len(arguments) - sent,
            task.name,
        )
