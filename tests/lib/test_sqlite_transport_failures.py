"""The broker's file under kills, forks and damage; other processes are real ones."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue
from kombu.exceptions import OperationalError

from orchestrator_site.lib.sqlite_transport import BrokerFileError
from orchestrator_site.lib.sqlite_transport.store import Options, acquire, release

ROOT = Path(__file__).resolve().parents[2]
WORK = Queue("work", Exchange("work"), routing_key="work")
START = """
import os, signal, sys
from pathlib import Path
from kombu import Connection, Exchange, Queue
from orchestrator_site.lib.sqlite_transport.store import Options, acquire, release
path = Path(sys.argv[1])
WORK = Queue("work", Exchange("work"), routing_key="work")
"""

TAKER = """
with Connection(f"sqlitebroker:///{path}", transport_options={"visibility_timeout": 1}) as taker:
    message = WORK(taker.default_channel).get()
    print(message.payload, int(taker.transport.store.options.lease), flush=True)
    signal.pause()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite3"


def start(path: Path, script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + textwrap.dedent(script), str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run(path: Path, script: str) -> str:
    with start(path, script) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return output


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(sql).fetchall()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end
        sleep(0.02)


def connect(path: Path, **options: float) -> Connection:
    return Connection(
        f"sqlitebroker:///{path}", transport_options={"visibility_timeout": 1, **options}
    )


def publish(connection: Connection, body: object) -> None:
    connection.Producer().publish(
        body, exchange=WORK.exchange, routing_key="work", declare=[WORK], serializer="json"
    )


def test_messages_of_a_killed_consumer_come_back_within_the_lease(path: Path) -> None:
    with connect(path) as connection:
        publish(connection, "a")
        got: list[tuple[object, bool]] = []
        with (
            start(path, TAKER) as taker,
            connection.Consumer(
                [WORK], callbacks=[lambda b, m: got.append((b, m.delivery_info["redelivered"]))]
            ),
        ):
            assert taker.stdout is not None
            assert taker.stdout.readline() == "a 1\n"
            with pytest.raises(TimeoutError):
                connection.drain_events(timeout=2.5)  # alive: kept longer than the lease
            taker.send_signal(signal.SIGKILL)
            connection.drain_events(timeout=1.5)
        assert got == [("a", True)]


def test_a_ring_wakes_a_consumer_of_another_process(path: Path) -> None:
    with connect(path, polling_interval=60) as connection, start(
        path,
        """
        import time
        with Connection(f"sqlitebroker:///{path}") as connection:
            producer = connection.Producer()
            for line in sys.stdin:
                producer.publish(time.monotonic(), exchange=WORK.exchange, routing_key="work")
        """,
    ) as publisher:  # fmt: skip
        delays: list[float] = []
        with connection.Consumer([WORK], callbacks=[lambda b, _: delays.append(monotonic() - b)]):
            assert publisher.stdin is not None
            for _ in range(20):
                publisher.stdin.write("go\n")
                publisher.stdin.flush()
                connection.drain_events(timeout=20)
            publisher.stdin.close()
    assert sorted(delays)[10] < 0.02


def test_the_bell_of_a_dead_consumer_is_removed(path: Path) -> None:
    run(
        path,
        """
        with Connection(f"sqlitebroker:///{path}") as connection:
            with connection.Consumer([WORK]):
                try:
                    connection.drain_events(timeout=0)
                except TimeoutError:
                    pass
                os._exit(0)
        """,
    )
    bells = path.with_name("broker.sqlite3-bells")
    assert len(list(bells.iterdir())) == 1
    with connect(path) as connection:
        publish(connection, "a")
    assert list(bells.iterdir()) == []


def test_a_forked_child_uses_the_file_and_leaves_the_parents_leases(path: Path) -> None:
    """The child neither gives back nor renews what its parent holds, and damages nothing."""
    output = run(
        path,
        """
        from time import monotonic, sleep
        connection = Connection(
            f"sqlitebroker:///{path}", transport_options={"visibility_timeout": 1})
        def publish(body):
            connection.Producer().publish(
                body, exchange=WORK.exchange, routing_key="work", declare=[WORK], serializer="json")
        publish("held")
        queue = WORK(connection.default_channel)
        held = queue.get()
        child = os.fork()
        if child == 0:
            publish("from the child")
            mine = queue.get()
            print("child took", mine.payload, flush=True)
            connection.release()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        begin, other = monotonic(), acquire(Options(path, 1.0, 7.0))
        taken = other.take("work", leased=True)
        print("parent took", "from the child" in __import__("base64").b64decode(
            __import__("json").loads(taken.payload)["body"]).decode(), taken.redelivered)
        while monotonic() < begin + 2.5:
            assert other.take("work", leased=True) is None
            sleep(0.1)
        held.ack()
        other.settle(taken.tag)
        print("left", queue.queue_declare(passive=True).message_count)
        """,
    )
    assert output == "child took from the child\nparent took True True\nleft 0\n"
    assert query(path, "pragma integrity_check") == [("ok",)]
    assert query(path, "select count(*) from message") == [(0,)]


def test_a_forked_child_inherits_no_open_file(path: Path) -> None:
    """SQLite's lock table, inherited with it, would tell the child of locks it does not hold."""
    output = run(
        path,
        """
        def opened():
            fds = os.listdir("/proc/self/fd")
            links = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in fds]
            return sorted({link for link in links if link.startswith(str(path))})
        store = acquire(Options(path))
        store.put("work", "{}", 0)
        print(len(opened()), flush=True)
        child = os.fork()
        if child == 0:
            print(opened(), flush=True)
            store.put("work", "{}", 0)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        store.put("work", "{}", 0)
        print(store.size("work"))
        """,
    )
    assert output == "3\n[]\n3\n"


def test_forks_while_other_threads_write_lose_nothing(path: Path) -> None:
    run(
        path,
        """
        from threading import Thread
        store = acquire(Options(path))
        def write(name):
            for number in range(200):
                store.put(name, "{}", 0)
        threads = [Thread(target=write, args=(f"thread{n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        children = []
        for number in range(10):
            child = os.fork()
            if child == 0:
                write("child")
                os._exit(0)
            children.append(child)
        for thread in threads:
            thread.join()
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 10
        """,
    )
    assert query(path, "select queue, count(*) from message group by queue order by queue") == [
        ("child", 2000),
        ("thread0", 200),
        ("thread1", 200),
        ("thread2", 200),
    ]
    assert query(path, "pragma integrity_check") == [("ok",)]


def test_many_processes_may_make_the_file_at_once(path: Path) -> None:
    """Forty times over, because one round collides only now and then."""
    run(
        path,
        """
        for number in range(40):
            file = path.with_name(f"{number}.sqlite3")
            read, write = os.pipe()
            children = []
            for _ in range(8):
                child = os.fork()
                if child == 0:
                    os.close(write)
                    os.read(read, 1)  # all start when the parent closes its end
                    acquire(Options(file)).put("work", "{}", 0)
                    os._exit(0)
                children.append(child)
            os.close(write)
            assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
            os.close(read)
        """,
    )
    counts = [
        query(path.with_name(f"{number}.sqlite3"), "select count(*) from message")
        for number in range(40)
    ]
    assert counts == [[(8,)]] * 40


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
