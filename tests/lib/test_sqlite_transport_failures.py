"""The broker's file damaged, locked, removed or on a full disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError

from orchestrator_site.lib.sqlite_transport import BrokerFileError
from orchestrator_site.lib.sqlite_transport.store import Options, acquire, release
from tests.broker_processes import WORK, connect, publish, query, run, wait_for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite3"


def test_a_full_disk_is_a_connection_error_and_passes(path: Path) -> None:
    """A limit on the file size stands for the full disk: the same write fails in the same way."""
    output = run(
        path,
        """
        import resource
        from orchestrator_site.lib.sqlite_transport import BrokerFileError
        store = acquire(Options(path))
        store.put("work", "{}", 0)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
        written = 1
        try:
            while True:
                store.put("work", "x" * 20_000, 0)
                written += 1
        except BrokerFileError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        store.put("work", "{}", 0)
        print(store.size("work") - written)
        """,
    )
    assert output in {
        f"The broker file {path} cannot be used: {reason}.\n1\n"
        for reason in ("disk I/O error", "database or disk is full")
    }


def test_a_damaged_file_is_a_connection_error_that_says_what_to_do(path: Path) -> None:
    path.write_text("this is no database " * 500)
    with connect(path) as connection:
        with pytest.raises(
            OperationalError, match=r"is damaged \(file is not a database\)\. Delete"
        ):
            connection.ensure_connection(max_retries=1, interval_start=0)
        path.unlink()
        publish(connection, "a")
    assert query(path, "select count(*) from message") == [(1,)]


@pytest.mark.parametrize("harm", ["removed", "replaced", "overwritten"])
def test_harm_to_an_open_file_is_noticed_and_survived(path: Path, harm: str) -> None:
    with connect(path) as connection:
        publish(connection, "lost")
        channel: Any = connection.default_channel
        if harm == "removed":
            path.unlink()
        elif harm == "replaced":
            (other := path.with_name("other")).write_bytes(path.read_bytes())
            other.replace(path)
        else:
            for file in (path, *path.parent.glob("broker.sqlite3-???")):
                file.write_bytes(b"garbage " * 2000)
        with pytest.raises(BrokerFileError, match=r"removed or replaced|is damaged|cannot be used"):
            channel.store.put("work", "{}", 0)
        for file in path.parent.glob("broker.sqlite3*"):
            if file.is_file():
                file.unlink()
        with connect(path) as anew:
            publish(anew, "kept")
    assert query(path, "select count(*) from message") == [(1,)]


def test_a_file_locked_for_too_long_is_a_connection_error_and_passes(path: Path) -> None:
    with connect(path, busy_timeout=0.1) as connection:
        publish(connection, "a")
        queue = WORK(connection.default_channel)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            with pytest.raises(connection.connection_errors, match="database is locked"):
                publish(connection, "b")
            assert queue.queue_declare(passive=True)  # reading goes on
            other.execute("rollback")
        publish(connection, "c")
        got = [queue.get(no_ack=True), queue.get(no_ack=True), queue.get(no_ack=True)]
    assert [message and message.payload for message in got] == ["a", "c", None]


def test_a_message_whose_ack_failed_comes_back(path: Path) -> None:
    with connect(path, busy_timeout=0.1) as connection, connect(path) as other:
        publish(connection, "a")
        message = WORK(connection.default_channel).get()
        assert message is not None
        with closing(sqlite3.connect(path, isolation_level=None)) as lock:
            lock.execute("begin immediate")
            with pytest.raises(BrokerFileError):
                message.ack()
            lock.execute("rollback")
        got: list[object] = []
        with other.Consumer([WORK], callbacks=[lambda body, _: got.append(body)]):
            other.drain_events(timeout=3)
        assert got == ["a"]


def test_closing_with_the_file_unusable_frees_the_leases(path: Path) -> None:
    box = Queue("box", WORK.exchange, routing_key="box", auto_delete=True)
    with connect(path, busy_timeout=0.1) as staying:  # keeps the store and its leases' thread alive
        staying.connect()
        leaving = connect(path, busy_timeout=0.1)
        publish(leaving, "a")
        assert WORK(leaving.default_channel).get() is not None
        leaving.Consumer([box]).consume()
        with closing(sqlite3.connect(path, isolation_level=None)) as lock:
            lock.execute("begin immediate")
            leaving.release()
            lock.execute("rollback")
        got: list[object] = []
        with staying.Consumer([WORK], callbacks=[lambda body, _: got.append(body)]):
            staying.drain_events(timeout=3)
        assert got == ["a"]


def test_leases_are_renewed_again_after_a_lock(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = acquire(Options(path, 0.6, 0.1))
    store.put("work", "{}", 0)
    store.take("work", leased=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as lock:
        lock.execute("begin immediate")
        wait_for(lambda: "Leases could not be renewed" in caplog.text)
        lock.execute("rollback")
    ((until,),) = query(path, "select leased_until from message")
    wait_for(lambda: query(path, "select leased_until from message") > [(until,)])
    release(store)


def test_a_consumer_whose_queue_was_swept_connects_again(path: Path) -> None:
    box = Queue("box", Exchange("boxes"), routing_key="me", exclusive=True)
    with connect(path) as connection:
        consumer = connection.Consumer([box], no_ack=True)
        consumer.consume()
        query(path, "delete from queue")  # as a long standstill of the whole process would
        with pytest.raises(BrokerFileError, match="queue box was deleted"):
            connection.drain_events(timeout=5)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0)  # said once


def test_a_folder_that_cannot_be_made_is_a_connection_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        connect(tmp_path / "file" / "broker.sqlite3") as connection,
        pytest.raises(OperationalError, match=r"cannot be used: .*(Not a directory|File exists)"),
    ):
        connection.ensure_connection(max_retries=1, interval_start=0)


def test_a_mistake_of_ours_is_no_connection_error(path: Path) -> None:
    store = acquire(Options(path))
    with pytest.raises(sqlite3.ProgrammingError), store.transaction() as db:
        db.execute("delete from message where id = ?", ())
    with store.session() as db:
        assert not db.in_transaction
    release(store)


def test_a_store_used_after_its_release_opens_again(path: Path) -> None:
    store = acquire(Options(path))
    release(store)
    store.put("work", "{}", 0)
    anew = acquire(Options(path))
    assert (anew is store, anew.size("work")) == (False, 1)
    release(anew)
    store.close()
