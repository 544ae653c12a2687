"""A broker in memory in place of the installation's, and the tasks that were sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu import Connection

from orchestrator_site.celery import app


@contextmanager
def broker(url: str) -> Iterator[Connection]:
    """Let tasks be sent to this broker within the block."""
    amqp: Any = app.amqp
    kept = amqp.producer_pool
    with app.connection_for_write(url) as link:
        amqp._producer_pool = type(kept)(link.Pool(limit=2))  # noqa: SLF001  # no public way
        if url == "memory://":
            sent(link)  # what earlier tests left there
        try:
            yield link
        finally:
            amqp._producer_pool = kept  # noqa: SLF001


def sent(link: Connection) -> list[str]:
    """Take the names of the tasks that were sent, in order."""
    found = []
    with link.SimpleQueue("control") as waiting:
        while waiting.qsize():
            message = waiting.get(block=False)
            found.append(message.headers["task"])
            message.ack()
    return found
