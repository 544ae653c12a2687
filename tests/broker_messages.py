"""Sending and taking messages through the broker's file, as its tests do."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from kombu import Connection, Exchange, Message, Queue

LEASE = 0.6
WORK = Queue("work", Exchange("work"), routing_key="work")


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(sql).fetchall()


def send(connection: Connection, *bodies: object, queue: Queue = WORK, **kwargs: Any) -> None:
    producer = connection.Producer()
    for body in bodies:
        producer.publish(
            body,
            exchange=queue.exchange,
            routing_key=queue.routing_key,
            declare=[queue],
            serializer="json",
            **kwargs,
        )


def take(connection: Connection, queue: Queue = WORK, *, no_ack: bool = False) -> Message | None:
    return queue(connection.default_channel).get(no_ack=no_ack)


def receive(connection: Connection, timeout: float, queue: Queue = WORK) -> list[Message]:
    """Consume what comes until nothing came for `timeout` seconds."""
    messages: list[Message] = []
    with connection.Consumer([queue], callbacks=[lambda _, message: messages.append(message)]):
        try:
            while True:
                connection.drain_events(timeout=timeout)
        except TimeoutError:
            return messages


def ready(connection: Connection, queue: Queue = WORK) -> int:
    declared: Any = queue(connection.default_channel).queue_declare(passive=True)
    return int(declared.message_count)


def bodies(messages: list[Message]) -> list[Any]:
    return [message.payload for message in messages]
