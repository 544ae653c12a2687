"""Queues, bindings and messages in the broker's file; leases that live as long as their process.

Times are seconds of the machine's monotonic clock, which all its processes share: a wall clock that
is set back would keep the messages of a dead consumer for as long.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from threading import Event, Thread
from time import monotonic

from orchestrator_site.lib.sqlite_transport.doorbell import ring_all
from orchestrator_site.lib.sqlite_transport.file import BrokerFile, BrokerFileError, registry_lock

logger = logging.getLogger(__name__)

NEXT = """select id from message where queue = :queue and leased_until <= :now
    and (expires_at is null or expires_at > :now) order by priority desc, id limit 1"""
LEASE = f"""update message set lease = :lease, leased_until = :until, deliveries = deliveries + 1
    where id = ({NEXT}) returning id, payload, deliveries"""  # noqa: S608  # constants
REMOVE = f"delete from message where id = ({NEXT}) returning id, payload, deliveries + 1"  # noqa: S608
PUT = """insert into message (queue, priority, payload, expires_at) values (:queue, :priority,
    :payload, :now + (select message_ttl from queue where name = :queue))"""
PUT_ALL = """insert into message (queue, priority, payload, expires_at)
    select distinct binding.queue, :priority, :payload, :now + queue.message_ttl
    from binding left join queue on queue.name = binding.queue where binding.exchange = :exchange"""
SIZE = """select count(*) from message where queue = :queue and leased_until <= :now
    and (expires_at is null or expires_at > :now)"""
DECLARE = """insert into queue (name, auto_delete, idle_limit, message_ttl, kept_until)
    values (:name, :auto_delete, :idle_limit, :message_ttl, :now + :idle_limit)
    on conflict (name) do update set auto_delete = excluded.auto_delete,
    idle_limit = excluded.idle_limit, message_ttl = excluded.message_ttl,
    kept_until = excluded.kept_until"""
KEEP = "update queue set kept_until = ? + idle_limit where name = ? and idle_limit is not null"


@dataclass(frozen=True)
class Options:
    """What makes two connections share a store; times in seconds."""

    path: Path
    lease: float = 30.0
    busy_timeout: float = 5.0


@dataclass(frozen=True)
class Taken:
    """A message handed out; `tag` settles this delivery and no later one."""

    payload: str
    tag: str
    redelivered: bool


@dataclass(frozen=True)
class QueueKind:
    """How a queue ends: with its consumer, or when nobody used it for `idle_limit` seconds."""

    auto_delete: bool = False
    idle_limit: float | None = None
    message_ttl: float | None = None


class Store(BrokerFile):
    """The messages of one file, as this process sees them.

    Every method is one transaction, callable from any thread, and raises BrokerFileError.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options.path, options.busy_timeout)
        self.options = options
        self.bells = options.path.with_name(f"{options.path.name}-bells")
        self.users = 0
        self._own_nothing()

    def after_fork_in_child(self) -> None:
        """Own nothing: what was leased or kept is the parent's, and its threads are not here."""
        self._own_nothing()

    def _own_nothing(self) -> None:
        self._held: set[str] = set()
        self._kept: set[str] = set()
        self._lost: str | None = None
        self._keeper: Thread | None = None
        self._stop = Event()

    # Messages

    def put(self, queue: str, payload: str, priority: int) -> None:
        """Append a message to one queue and wake the consumers."""
        values = {"queue": queue, "payload": payload, "priority": priority, "now": monotonic()}
        with self.session() as db:
            db.execute(PUT, values)
        ring_all(self.bells)

    def put_all(self, exchange: str, payload: str, priority: int) -> None:
        """Append a copy to every queue bound to the exchange and wake the consumers."""
        values = {
            "exchange": exchange, "payload": payload, "priority": priority, "now": monotonic()
        }  # fmt: skip
        with self.session() as db:
            db.execute(PUT_ALL, values)
        ring_all(self.bells)

    def take(self, queue: str, *, leased: bool) -> Taken | None:
        """Hand out the first message by priority and age; None means that the queue is empty.

        Leased, it comes back when this process dies; otherwise it is gone from the file.
        """
        now, lease = monotonic(), token_hex(8)
        values = {"queue": queue, "now": now, "until": now + self.options.lease, "lease": lease}
        with self.session() as db:
            self._raise_lost()
            if db.execute(NEXT, values).fetchone() is None:  # no write lock while idle
                return None
            rows = db.execute(LEASE if leased else REMOVE, values).fetchall()
            if not rows:  # another consumer was faster
                return None
            ((number, payload, deliveries),) = rows
            tag = f"{number}-{lease}"
            if leased:
                self._held.add(tag)
                self._start_keeper()
        return Taken(payload, tag, redelivered=deliveries > 1)

    def settle(self, tag: str) -> None:
        """Delete a leased message; changes nothing when its lease was lost to another consumer.

        Where that fails, the message is no longer held and comes back when the lease runs out.
        """
        self._held.discard(tag)
        with self.session() as db:
            db.execute("delete from message where id = ? and lease = ?", tag.split("-"))

    def give_back(self, tags: Iterable[str]) -> None:
        """Make leased messages ready for anyone; leaves those that this process does not hold."""
        returned = [tag for tag in tags if tag in self._held]
        self._held.difference_update(returned)
        with self.session() as db:
            for tag in returned:
                db.execute(
                    "update message set lease = null, leased_until = 0 where id = ? and lease = ?",
                    tag.split("-"),
                )
        ring_all(self.bells)

    def size(self, queue: str) -> int:
        """Count the messages that are ready, without those being worked on."""
        with self.session() as db:
            found = db.execute(SIZE, {"queue": queue, "now": monotonic()}).fetchone()
        return int(found[0])

    def purge(self, queue: str) -> int:
        """Delete the messages that are ready and return their number."""
        with self.session() as db:
            return db.execute(
                "delete from message where queue = ? and leased_until <= ?", (queue, monotonic())
            ).rowcount

    # Queues and bindings

    def declare(self, queue: str, kind: QueueKind) -> None:
        """Remember a queue. Safe to call twice; one with an idle limit starts its time anew."""
        with self.session() as db:
            if kind.idle_limit is None and self._has(db, queue, kind):
                return
        now = monotonic()
        values = {"name": queue, "now": now, **vars(kind)}
        with self.transaction() as db:
            db.execute(DECLARE, values)
            _sweep(db, now)

    def has_queue(self, queue: str) -> bool:
        """Tell whether the queue was declared and not deleted since."""
        with self.session() as db:
            return bool(db.execute("select 1 from queue where name = ?", (queue,)).fetchall())

    def keep(self, queue: str) -> None:
        """Hold a queue with an idle limit in being while this process consumes from it."""
        with self.session() as db:
            if db.execute(KEEP, (monotonic(), queue)).rowcount:
                self._kept.add(queue)
                self._start_keeper()

    def leave(self, queue: str) -> None:
        """Stop consuming: an auto-delete queue ends here, another one when its time is over."""
        self._kept.discard(queue)
        with self.session() as db:
            found = db.execute(
                "select 1 from queue where name = ? and auto_delete", (queue,)
            ).fetchall()
        if found:
            self.delete_queue(queue)

    def delete_queue(self, queue: str) -> None:
        """Delete a queue with its bindings and messages, also those being worked on."""
        self._kept.discard(queue)
        with self.transaction() as db:
            _delete(db, queue)

    def bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Route an exchange's messages to the queue. Safe to call twice."""
        values = (exchange, routing_key, pattern, queue)
        with self.session() as db:
            if values[1:] not in _bindings(db, exchange):
                db.execute("insert or ignore into binding values (?, ?, ?, ?)", values)

    def unbind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Take one binding away, whether it exists or not."""
        with self.session() as db:
            db.execute(
                "delete from binding where exchange = ? and routing_key = ? and pattern = ?"
                " and queue = ?",
                (exchange, routing_key, pattern, queue),
            )

    def bindings(self, exchange: str) -> list[tuple[str, str, str]]:
        """Return (routing key, pattern, queue) of every binding of the exchange."""
        with self.session() as db:
            return _bindings(db, exchange)

    # Leases

    def _start_keeper(self) -> None:
        if self._keeper is None:
            self._keeper = Thread(
                target=self._keep_on, args=(self._stop.wait,), name="broker leases", daemon=True
            )
            self._keeper.start()

    def _keep_on(self, stopped: Callable[[float], bool]) -> None:
        """Renew from a thread of its own: the consumer's may be busy in a task for hours."""
        while not stopped(self.options.lease / 3):
            try:
                self._renew()
            except BrokerFileError as error:
                # The consumer meets the same error and reconnects; the next turn tries again.
                logger.warning("Leases could not be renewed: %s", error)

    def _renew(self) -> None:
        with self.lock:
            now = monotonic()
            until = now + self.options.lease
            if not (self._held or self._kept):
                return
            held = [(until, *tag.split("-")) for tag in tuple(self._held)]
            with self.transaction() as db:
                db.executemany(
                    "update message set leased_until = ? where id = ? and lease = ?", held
                )
                gone = [q for q in self._kept if not db.execute(KEEP, (now, q)).rowcount]
                _sweep(db, now)
            for queue in gone:
                self._kept.discard(queue)
                self._lost = queue

    def _raise_lost(self) -> None:
        """Make the consumer reconnect and declare anew what was swept while it stood still."""
        queue, self._lost = self._lost, None
        if queue is not None:
            raise BrokerFileError(f"The queue {queue} was deleted while it was consumed from.")

    def _has(self, db: sqlite3.Connection, queue: str, kind: QueueKind) -> bool:
        found = db.execute(
            "select auto_delete, idle_limit, message_ttl from queue where name = ?", (queue,)
        ).fetchall()
        return found == [(kind.auto_delete, kind.idle_limit, kind.message_ttl)]

    def finish(self) -> None:
        """Stop renewing and close the file; a late user opens it again."""
        self._stop.set()
        self._own_nothing()
        self.close()


def _bindings(db: sqlite3.Connection, exchange: str) -> list[tuple[str, str, str]]:
    return db.execute(
        "select routing_key, pattern, queue from binding where exchange = ?", (exchange,)
    ).fetchall()


def _sweep(db: sqlite3.Connection, now: float) -> None:
    """Delete what dead consumers and unread replies left behind, so that the file stays small."""
    for (queue,) in db.execute("select name from queue where kept_until <= ?", (now,)).fetchall():
        _delete(db, queue)
    db.execute("delete from message where expires_at <= ? and leased_until <= ?", (now, now))


def _delete(db: sqlite3.Connection, queue: str) -> None:
    db.execute("delete from message where queue = ?", (queue,))
    db.execute("delete from binding where queue = ?", (queue,))
    db.execute("delete from queue where name = ?", (queue,))


_stores: dict[Options, Store] = {}


def acquire(options: Options) -> Store:
    """Return this process's store for the options; give it back with `release`."""
    with registry_lock:
        store = _stores.get(options) or _stores.setdefault(options, Store(options))
        store.users += 1
        return store


def release(store: Store) -> None:
    """Give back what `acquire` returned; the last user closes the file."""
    with registry_lock:
        store.users -= 1
        if store.users == 0:
            _stores.pop(store.options, None)
            store.finish()
