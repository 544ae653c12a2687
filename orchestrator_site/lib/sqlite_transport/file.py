"""The broker's file: one SQLite connection per process, safe across threads and forks."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import RLock
from time import monotonic, sleep
from weakref import WeakSet

SCHEMA = (
    """create table if not exists queue (
        name text primary key, auto_delete integer not null, idle_limit real,
        message_ttl real, kept_until real
    ) without rowid""",
    """create table if not exists binding (
        exchange text not null, routing_key text not null, pattern text not null,
        queue text not null, primary key (exchange, routing_key, pattern, queue)
    ) without rowid""",
    """create table if not exists message (
        id integer primary key, queue text not null, priority integer not null,
        payload text not null, expires_at real, lease text,
        leased_until real not null default 0, deliveries integer not null default 0
    )""",
    "create index if not exists message_order on message (queue, priority desc, id)",
    "create table if not exists boot (id text not null)",
)
WAL_LIMIT = 4 * 1024 * 1024  # bytes kept of the write-ahead log after a checkpoint
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class BrokerFileError(ConnectionError):
    """The broker's file cannot be used now: damaged, locked, removed, or the disk is full."""


class BrokerFile:
    """One SQLite file that all threads of this process use in turn.

    SQLite writers take turns anyway, and a single connection can be closed before a fork: what a
    child inherits of SQLite's lock table would make it believe that it holds locks it does not.
    """

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self.path = path
        self.lock = RLock()
        self._busy_timeout = busy_timeout
        self._db: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        with registry_lock:
            _files.add(self)

    @contextmanager
    def session(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection to one thread; raises BrokerFileError where the file is unusable.

        After an error the connection is closed, so that the next session meets the file as it is.
        """
        with self.lock:
            try:
                yield self._connection()
            except (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError):
                raise  # ours: a retry would not mend it
            except BrokerFileError:
                self.close()
                raise
            except (sqlite3.DatabaseError, OSError) as error:
                self.close()
                raise BrokerFileError(self._sentence(error)) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection inside one write transaction; raises BrokerFileError."""
        with self.session() as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # a full disk rolls back by itself
                    db.execute("rollback")
                raise
            db.execute("commit")

    def close(self) -> None:
        """Close the connection; the next session opens it again. Safe to call twice."""
        with self.lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def after_fork_in_child(self) -> None:
        """Forget what belongs to the parent process."""

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = self._open()
            self._identity = self._identify()
        elif self._identify() != self._identity:
            # SQLite would go on with the removed file, unseen by every other process.
            raise BrokerFileError(f"The broker file {self.path} was removed or replaced.")
        return self._db

    def _identify(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)  # noqa: PTH116  # on every access: half the cost of Path.stat
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only a file that is new: closing any descriptor of an open one drops its SQLite locks.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        db = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(db, self._busy_timeout)
        except BaseException:
            db.close()
            raise
        return db

    def _sentence(self, error: sqlite3.DatabaseError | OSError) -> str:
        if type(error) is sqlite3.DatabaseError:
            return (
                f"The broker file {self.path} is damaged ({error}). Delete it together with its "
                "-wal and -shm files: it is made again when it is next used."
            )
        return f"The broker file {self.path} cannot be used: {error}."


def _prepare(db: sqlite3.Connection, patience: float) -> None:
    db.execute("pragma synchronous = normal")
    db.execute(f"pragma journal_size_limit = {WAL_LIMIT}")
    _switch_to_wal(db, patience)
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else "unknown"
    tables = {name for (name,) in db.execute("select name from sqlite_master where type = 'table'")}
    if "boot" in tables and db.execute("select id from boot").fetchall() == [(boot,)]:
        return
    with closing(db.cursor()) as cursor:
        cursor.execute("begin immediate")
        for statement in SCHEMA:
            cursor.execute(statement)
        if cursor.execute("select id from boot").fetchall() != [(boot,)]:
            _forget_earlier_boot(cursor, boot)
        cursor.execute("commit")


def _switch_to_wal(db: sqlite3.Connection, patience: float) -> None:
    """Wait for other processes that make the file just now: here SQLite itself does not wait."""
    end = monotonic() + patience
    while True:
        try:
            db.execute("pragma journal_mode = wal")  # changes nothing when it is so already
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() >= end:
                raise
            sleep(0.005)
        else:
            return


def _forget_earlier_boot(cursor: sqlite3.Cursor, boot: str) -> None:
    """Free what consumers before a restart of the machine held: the monotonic clock begins anew."""
    cursor.execute("update message set lease = null, leased_until = 0, expires_at = null")
    cursor.execute("update queue set kept_until = 0 where kept_until is not null")
    cursor.execute("delete from boot")
    cursor.execute("insert into boot values (?)", (boot,))


registry_lock = RLock()
_files: WeakSet[BrokerFile] = WeakSet()
_frozen: list[BrokerFile] = []


def _before_fork() -> None:
    registry_lock.acquire()
    for file in list(_files):
        file.lock.acquire()
        _frozen.append(file)
        file.close()


def _after_fork() -> None:
    while _frozen:
        _frozen.pop().lock.release()
    registry_lock.release()


def _after_fork_in_child() -> None:
    for file in _frozen:
        file.after_fork_in_child()
    _after_fork()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child
)
