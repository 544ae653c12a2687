"""What kombu asks of a transport, answered by the store."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any

from kombu import Connection
from kombu.transport import virtual
from kombu.transport.base import to_rabbitmq_queue_arguments  # type: ignore[attr-defined]
from kombu.utils.json import dumps, loads
from kombu.utils.scheduling import FairCycle

from orchestrator_site.lib.sqlite_transport.doorbell import Doorbell
from orchestrator_site.lib.sqlite_transport.file import BrokerFileError
from orchestrator_site.lib.sqlite_transport.store import (
    Options,
    QueueKind,
    Store,
    acquire,
    release,
)

logger = logging.getLogger(__name__)


class QoS(virtual.QoS):
    """The messages that one channel has taken and not yet settled; settled from any thread."""

    channel: Channel
    _delivered: OrderedDict[str, Any]
    _flush: Callable[[], None]
    _quick_ack: Callable[[str], None]

    def ack(self, delivery_tag: str) -> None:
        """Delete the message."""
        try:
            self.channel.store.settle(delivery_tag)
        finally:
            self._free(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002  # kombu's
        """Delete the message, or make it ready again where it stood."""
        try:
            if requeue:
                self.channel.store.give_back([delivery_tag])
            else:
                self.channel.store.settle(delivery_tag)
        finally:
            self._free(delivery_tag)

    def restore_unacked(self) -> list[Any]:  # type: ignore[override]  # kombu unpacks a list
        """Make everything unsettled ready again; where the file is unusable the leases run out."""
        self._flush()
        tags = list(self._delivered)
        self._delivered.clear()
        try:
            self.channel.store.give_back(tags)
        except BrokerFileError as error:
            logger.warning("Messages come back when their leases run out: %s", error)
        return []

    def _free(self, delivery_tag: str) -> None:
        was_full = not self.can_consume()
        self._quick_ack(delivery_tag)
        if was_full:  # the consumer sleeps though messages may be ready
            self.channel.wake()


class Channel(virtual.Channel):
    """A channel whose queues, bindings and messages are rows; only exchange types are its own."""

    QoS = QoS
    supports_fanout = True
    connection: Transport

    def __init__(self, connection: Transport, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.store: Store = connection.store
        self.wake: Callable[[], None] = connection.wake  # `connection` is None after closing
        self._unleased: set[str] = set()

    # Messages

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        self.store.put(queue, dumps(message), self._get_message_priority(message))

    def _put_fanout(
        self, exchange: str, message: dict[str, Any], _routing_key: str, **_: Any
    ) -> None:
        self.store.put_all(exchange, dumps(message), self._get_message_priority(message))

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:  # noqa: ARG002
        return self._take(queue, leased=queue not in self._unleased)

    def _take(self, queue: str, *, leased: bool) -> dict[str, Any]:
        taken = self.store.take(queue, leased=leased)
        if taken is None:
            raise Empty
        message: dict[str, Any] = loads(taken.payload)
        properties = message["properties"]
        properties["delivery_tag"] = taken.tag
        properties["delivery_info"]["redelivered"] = taken.redelivered
        return message

    def basic_get(self, queue: str, no_ack: bool = False, **_: Any) -> virtual.Message | None:  # noqa: FBT001, FBT002
        """Return one message, or None when the queue is empty."""
        try:
            raw = self._take(queue, leased=not no_ack)
        except Empty:
            return None
        message = self.Message(raw, channel=self)
        if not no_ack:
            self.qos.append(message, raw["properties"]["delivery_tag"])
        return message

    def basic_consume(  # noqa: D102
        self,
        queue: str,
        no_ack: bool,  # noqa: FBT001
        callback: Callable[..., Any] | None,
        consumer_tag: str | None,
        **kwargs: Any,
    ) -> Any:
        if no_ack:
            self._unleased.add(queue)
        self.store.keep(queue)
        return super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)

    def basic_cancel(self, consumer_tag: str) -> None:
        """Stop consuming; an auto-delete queue ends with its consumer."""
        queue = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        if queue is not None:
            self._unleased.discard(queue)
            self._leave(queue)

    def _leave(self, queue: str) -> None:
        try:
            self.store.leave(queue)
        except BrokerFileError as error:  # closing goes on, or the leases would be kept for ever
            logger.warning("The queue %s ends when its idle limit is over: %s", queue, error)

    def _size(self, queue: str) -> int:
        return self.store.size(queue)

    def _purge(self, queue: str) -> int:
        return self.store.purge(queue)

    # Queues and bindings: the file is the only record, since other processes change it too

    def prepare_queue_arguments(  # noqa: D102
        self, arguments: dict[str, Any] | None, **kwargs: Any
    ) -> dict[str, Any]:
        prepared: dict[str, Any] = to_rabbitmq_queue_arguments(arguments or {}, **kwargs)
        return prepared

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return self.store.has_queue(queue)

    def _new_queue(
        self,
        queue: str,
        *,
        auto_delete: bool = False,
        exclusive: bool = False,
        arguments: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Remember the queue; one that belongs to a consumer has an idle limit.

        The limit is at least the lease, within which a living consumer renews it.
        """
        given = arguments or {}
        expires, ttl = given.get("x-expires"), given.get("x-message-ttl")
        limit = None
        if auto_delete or exclusive or expires is not None:
            limit = max((expires or 0) / 1000, self.store.options.lease)
        self.store.declare(
            queue, QueueKind(auto_delete, limit, None if ttl is None else ttl / 1000)
        )

    def queue_delete(  # noqa: D102
        self,
        queue: str,
        if_unused: bool = False,  # noqa: ARG002, FBT001, FBT002
        if_empty: bool = False,  # noqa: FBT001, FBT002
        **_: Any,
    ) -> None:
        if not (if_empty and self._size(queue)):
            self.store.delete_queue(queue)

    def queue_bind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Route an exchange's messages to the queue. Safe to call twice."""
        self.store.bind(*self._binding(queue, exchange, routing_key, arguments))

    def queue_unbind(
        self,
        queue: str,
        exchange: str | None = None,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Take a binding away, whether it exists or not."""
        self.store.unbind(*self._binding(queue, exchange, routing_key, arguments))

    def get_table(self, exchange: str) -> list[tuple[str, str, str]]:
        """Return (routing key, pattern, queue) of every binding of the exchange."""
        return self.store.bindings(exchange)

    def _binding(
        self, queue: str, exchange: str | None, key: str, arguments: dict[str, Any] | None
    ) -> tuple[str, str, str, str]:
        exchange = exchange or "amq.direct"
        meta: Any = self.typeof(exchange).prepare_bind(queue, exchange, key, arguments)
        return exchange, meta[0] or "", meta[1] or "", meta[2]


class Transport(virtual.Transport):
    """A connection to the broker's file.

    Errors of the file are connection errors: workers wait and connect again, publishers follow
    their retry policy.
    """

    Channel = Channel
    cycle: FairCycle
    driver_type = driver_name = "sqlite"
    polling_interval = 0.1
    default_port = None
    connection_errors = recoverable_connection_errors = (ConnectionError,)
    recoverable_channel_errors = virtual.Transport.channel_errors
    implements = virtual.Transport.implements.extend(
        asynchronous=False, exchange_type=frozenset(["direct", "topic", "fanout"])
    )

    def __init__(self, client: Connection, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        options = client.transport_options or {}
        self._options = Options(
            _path(client),
            float(options.get("visibility_timeout", Options.lease)),
            float(options.get("busy_timeout", Options.busy_timeout)),
        )
        self._bell: Doorbell | None = None
        self._connected = False

    @property
    def default_connection_params(self) -> dict[str, Any]:  # noqa: D102  # a file has no host
        return {}

    def driver_version(self) -> str:
        """Return SQLite's version."""
        return sqlite3.sqlite_version

    def establish_connection(self) -> Any:
        """Open the file; raises BrokerFileError where it is unusable."""
        self.store = acquire(self._options)
        self._connected = True
        try:
            with self.store.session():
                return super().establish_connection()
        except BrokerFileError:
            self._disconnect()
            raise

    def close_connection(self, connection: Any) -> None:
        """Give unsettled messages back and close the file with its last user."""
        try:
            super().close_connection(connection)
        finally:
            self._disconnect()

    def drain_events(
        self,
        connection: Any,  # noqa: ARG002
        timeout: float | None = None,
        **_: Any,
    ) -> None:
        """Deliver one message; raises TimeoutError when none came within `timeout` seconds."""
        bell = self._own_bell()  # before the first look, so that no ring falls in between
        end = None if timeout is None else monotonic() + timeout
        while True:
            try:
                self.cycle.get(self._deliver, timeout=timeout)
            except Empty:
                left = self.polling_interval if end is None else end - monotonic()
                if left <= 0:
                    raise TimeoutError from None
                bell.wait(min(left, self.polling_interval))
            else:
                return

    def wake(self) -> None:
        """Make a waiting `drain_events` look again; callable from any thread."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    def _own_bell(self) -> Doorbell:
        if self._bell is None or self._bell.pid != os.getpid():
            if self._bell is not None:
                self._bell.close()
            self._bell = Doorbell(self.store.bells)
        return self._bell

    def _disconnect(self) -> None:
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.close()
        if self._connected:
            self._connected = False
            release(self.store)


def _path(client: Connection) -> Path:
    """Return the file's absolute path, links resolved: one file must have one name."""
    # kombu gives "/" where the URL names no virtual host, and drops the first slash of its path.
    named = client.virtual_host if client.virtual_host != "/" else None
    path = named or (client.transport_options or {}).get("path")
    if not path:
        raise ValueError(
            "The broker has no file: name it in the URL, sqlitebroker:////absolute/path, "
            "or by the transport option “path”."
        )
    if client.hostname or not Path(path).is_absolute():
        raise ValueError(
            f"The broker's file “{path}” needs an absolute path: sqlitebroker:////absolute/path."
        )
    return Path(path).resolve()
