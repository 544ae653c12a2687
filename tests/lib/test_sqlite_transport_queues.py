"""Routing, the life of queues, the bells and the file behind them; in one process."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any

import pytest
from kombu import Connection, Exchange, Message, Queue

from orchestrator_site.lib.sqlite_transport.store import Options, QueueKind, Store, acquire, release
from tests.broker_messages import LEASE, WORK, bodies, query, ready, receive, send, take


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "broker.sqlite3"


@pytest.fixture
def connect(path: Path) -> Iterator[Callable[..., Connection]]:
    made: list[Connection] = []

    def make(**options: Any) -> Connection:
        connection = Connection(
            f"sqlitebroker:///{path}", transport_options={"visibility_timeout": LEASE, **options}
        )
        made.append(connection)
        return connection

    yield make
    for connection in made:
        connection.release()


def test_fanout_copies_to_every_bound_queue(connect: Callable[..., Connection]) -> None:
    everyone = Exchange("everyone", type="fanout")
    left, right = Queue("left", everyone), Queue("right", everyone)
    consumer, publisher = connect(), connect(busy_timeout=4)
    for queue in (left, right, Queue("work", WORK.exchange, routing_key="work")):
        queue(consumer.default_channel).declare()
    publisher.Producer().publish("hello", exchange=everyone, declare=[everyone])
    message = take(consumer, left)
    assert message is not None
    message.ack()
    assert take(consumer, left) is None
    assert bodies(receive(consumer, 0.1, right)) == ["hello"]
    assert receive(consumer, 0.1) == []


def test_topic_and_direct_bindings_of_one_connection_route_anothers_messages(
    connect: Callable[..., Connection],
) -> None:
    events, direct = Exchange("events", type="topic"), Exchange("direct")
    jobs = Queue("jobs", events, routing_key="job.*")
    reply = Queue("reply", direct, routing_key="me")
    consumer, publisher = connect(), connect(busy_timeout=4)
    jobs(consumer.default_channel).declare()
    reply(consumer.default_channel).declare()
    producer = publisher.Producer()
    for exchange, key in ((events, "job.end"), (events, "run.end"), (direct, "me"), (direct, "x")):
        producer.publish(key, exchange=exchange, routing_key=key, declare=[exchange])
    assert bodies(receive(consumer, 0.1, jobs)) == ["job.end"]
    assert bodies(receive(consumer, 0.1, reply)) == ["me"]
    jobs(consumer.default_channel).unbind_from(events, "job.*")
    producer.publish("job.end", exchange=events, routing_key="job.end")
    assert receive(consumer, 0.1, jobs) == []


def test_an_auto_delete_queue_ends_with_its_consumer(
    connect: Callable[..., Connection], path: Path
) -> None:
    connection = connect()
    reply = Queue("reply", Exchange("replies"), routing_key="me", auto_delete=True)
    send(connection, "a", queue=reply)
    send(connection, "kept")
    with connection.Consumer([reply], no_ack=True):
        assert query(path, "select name from queue order by name") == [("reply",), ("work",)]
    assert query(path, "select name from queue") == [("work",)]
    assert query(path, "select queue from binding") == [("work",)]
    assert query(path, "select queue from message") == [("work",)]
    send(connection, "again", queue=reply)  # declared and bound anew on the same connection
    assert bodies(receive(connection, 0.1, reply)) == ["again"]


def test_a_queue_nobody_uses_is_swept_after_its_limit(path: Path) -> None:
    store = acquire(Options(path, LEASE))
    store.declare("reply", QueueKind(idle_limit=60))
    store.bind("replies", "me", "", "reply")
    store.put("reply", "{}", 0)
    store.put("work", "{}", 0)
    assert query(path, "select count(*) from message") == [(2,)]
    query(path, "update queue set kept_until = kept_until - 60")
    store.declare("other", QueueKind())
    assert query(path, "select name from queue") == [("other",)]
    assert query(path, "select * from binding") == []
    assert query(path, "select queue from message") == [("work",)]
    release(store)


def test_a_queue_lives_while_it_is_consumed_from(
    connect: Callable[..., Connection], path: Path
) -> None:
    connection, other = connect(), connect(busy_timeout=4)
    box = Queue("box", Exchange("boxes"), routing_key="me", expires=LEASE, exclusive=True)
    with connection.Consumer([box], no_ack=True):
        assert receive(other, timeout=4 * LEASE) == []
        WORK(other.default_channel).declare()
        Queue("sweeps", WORK.exchange, expires=60)(other.default_channel).declare()
        assert query(path, "select count(*) from queue where name = 'box'") == [(1,)]
        assert query(path, "select count(*) from binding where queue = 'box'") == [(1,)]


def test_messages_older_than_the_queues_limit_are_not_delivered(
    connect: Callable[..., Connection], path: Path
) -> None:
    connection = connect()
    box = Queue("box", Exchange("boxes"), routing_key="me", message_ttl=60)
    send(connection, "old", queue=box)
    query(path, "update message set expires_at = expires_at - 60")
    send(connection, "new", queue=box)
    assert ready(connection, box) == 1
    assert bodies(receive(connection, 0.1, box)) == ["new"]
    Queue("sweeps", WORK.exchange, expires=60)(connection.default_channel).declare()
    assert query(path, "select count(*) from message") == [(1,)]


def test_a_broadcast_ages_by_the_limit_of_each_queue(
    connect: Callable[..., Connection], path: Path
) -> None:
    connection = connect()
    everyone = Exchange("everyone", type="fanout")
    Queue("ages", everyone, message_ttl=60)(connection.default_channel).declare()
    Queue("stays", everyone)(connection.default_channel).declare()
    connection.Producer().publish("hello", exchange=everyone, declare=[everyone])
    assert query(path, "select queue, expires_at is null from message order by queue") == [
        ("ages", 0),
        ("stays", 1),
    ]


def test_an_ack_from_another_thread_wakes_a_consumer_with_full_prefetch(
    connect: Callable[..., Connection],
) -> None:
    connection = connect(polling_interval=30)
    transport: Any = connection.transport
    send(connection, "a", "b")
    got: list[Message] = []
    with connection.Consumer(
        [WORK], callbacks=[lambda _, message: got.append(message)], prefetch_count=1
    ):
        connection.drain_events(timeout=5)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0)  # full: the second must wait
        waiting = Event()

        def ack_soon() -> None:
            waiting.wait()
            got[0].ack()

        thread = Thread(target=ack_soon)
        thread.start()
        bell = transport._own_bell()  # noqa: SLF001  # to act exactly while it waits
        bell._poll = _Announcing(bell._poll, waiting)  # noqa: SLF001
        begin = monotonic()
        connection.drain_events(timeout=20)
        thread.join()
    assert bodies(got) == ["a", "b"]
    assert monotonic() - begin < 5


class _Announcing:
    """A real poll object that tells when it is about to wait."""

    def __init__(self, poll: Any, waiting: Event) -> None:
        self._poll, self._waiting = poll, waiting

    def poll(self, milliseconds: float) -> Any:
        self._waiting.set()
        return self._poll.poll(milliseconds)


def test_without_a_bell_a_consumer_polls(connect: Callable[..., Connection], path: Path) -> None:
    path.parent.mkdir()
    path.with_name("broker.sqlite3-bells").write_text("no folder can be made here")
    consumer, publisher = connect(polling_interval=0.05), connect(busy_timeout=4)
    WORK(consumer.default_channel).declare()
    send(publisher, "a")
    got: list[object] = []
    with consumer.Consumer([WORK], callbacks=[lambda body, _: got.append(body)]):
        consumer.drain_events(timeout=5)
        publisher.connect()
        Thread(target=send, args=(publisher, "b")).start()
        consumer.drain_events(timeout=5)
    assert got == ["a", "b"]


def test_bells_go_with_their_consumers(connect: Callable[..., Connection], path: Path) -> None:
    bells = path.with_name("broker.sqlite3-bells")
    connection = connect()
    assert receive(connection, timeout=0) == []
    (own,) = bells.iterdir()
    (bells / "1-1.bell").touch()
    (bells / "1-1.bell").unlink()
    Store(Options(path)).put("work", "{}", 0)  # rings the living one and leaves it
    assert list(bells.iterdir()) == [own]
    connection.release()
    assert list(bells.iterdir()) == []


def test_the_file_is_private_and_in_wal_mode(
    connect: Callable[..., Connection], path: Path
) -> None:
    connection = connect()
    send(connection, "a")
    assert [f"{p.stat().st_mode & 0o777:o}" for p in sorted(path.parent.iterdir())] == ["600"] * 3
    assert f"{path.parent.stat().st_mode & 0o777:o}" == "700"
    transport: Any = connection.transport
    with transport.store.session() as db:
        found = [
            db.execute(f"pragma {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout", "journal_size_limit")
        ]
    assert found == ["wal", 1, 5000, 4 * 1024 * 1024]


def test_the_log_shrinks_after_a_reader_held_it_open(path: Path) -> None:
    store = acquire(Options(path))
    store.put("work", "{}", 0)
    log = path.with_name("broker.sqlite3-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from message").fetchone()
        for _ in range(100):
            store.put("work", "x" * 100_000, 0)
        assert log.stat().st_size > 8 * 1024 * 1024
        reader.execute("rollback")
    while (taken := store.take("work", leased=True)) is not None:
        store.settle(taken.tag)
    assert log.stat().st_size <= 4 * 1024 * 1024
    release(store)


@pytest.mark.parametrize(
    ("url", "options", "sentence"),
    [
        ("sqlitebroker://", {}, "has no file"),
        ("sqlitebroker:///relative.sqlite3", {}, "“relative.sqlite3” needs an absolute path"),
        ("sqlitebroker://host//tmp/b.sqlite3", {}, "needs an absolute path"),
        ("sqlitebroker://", {"path": "relative"}, "“relative” needs an absolute path"),
    ],
)
def test_a_path_that_is_missing_or_relative_is_refused(
    url: str, options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Connection(url, transport_options=options).connect()


def test_the_url_wins_over_the_option(tmp_path: Path) -> None:
    option = {"path": str(tmp_path / "option.sqlite3")}
    with Connection("sqlitebroker://", transport_options=option) as connection:
        send(connection, "a")
    with Connection(f"sqlitebroker:///{tmp_path}/a%20url", transport_options=option) as connection:
        send(connection, "b")
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    assert names == ["a url", "option.sqlite3"]


def test_the_transport_names_its_driver(connect: Callable[..., Connection]) -> None:
    transport = connect().transport
    assert (transport.driver_type, transport.driver_version()) == ("sqlite", sqlite3.sqlite_version)
