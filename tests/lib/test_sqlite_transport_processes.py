"""The broker's file shared by processes that fork and are killed; they are real ones."""

from __future__ import annotations

import signal
from pathlib import Path
from time import monotonic

import pytest

from tests.broker_processes import WORK, connect, publish, query, run, start

TAKER = """
with Connection(f"sqlitebroker:///{path}", transport_options={"visibility_timeout": 1}) as taker:
    message = WORK(taker.default_channel).get()
    print(message.payload, int(taker.transport.store.options.lease), flush=True)
    signal.pause()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker.sqlite3"


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
