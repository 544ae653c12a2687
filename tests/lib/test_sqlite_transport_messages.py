"""What a queue promises its messages: order, leases, acknowledgement; in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from orchestrator_site.lib.sqlite_transport.store import Options, acquire, release
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


def test_ack_deletes_the_message(connect: Callable[..., Connection], path: Path) -> None:
    connection = connect()
    send(connection, "a", "b")
    message = take(connection)
    assert message is not None
    assert (message.payload, message.delivery_info["redelivered"]) == ("a", False)
    assert query(path, "select count(*) from message") == [(2,)]
    message.ack()
    assert query(path, "select count(*), sum(lease is null) from message") == [(1, 1)]


def test_a_message_at_work_longer_than_its_lease_stays_with_its_consumer(
    connect: Callable[..., Connection],
) -> None:
    busy, other = connect(), connect(busy_timeout=4)  # two options: two stores, as two processes
    send(busy, "long")
    message = take(busy)
    assert message is not None
    assert receive(other, timeout=4 * LEASE) == []
    message.ack()
    assert receive(other, timeout=2 * LEASE) == []


def test_reject_deletes_and_requeue_keeps_the_place(connect: Callable[..., Connection]) -> None:
    connection = connect()
    send(connection, "a", "b", "c")
    first, second = take(connection), take(connection)
    assert first is not None
    assert second is not None
    second.reject()
    first.requeue()
    found = receive(connection, timeout=0.1)
    assert [(m.payload, m.delivery_info["redelivered"]) for m in found] == [
        ("a", True),
        ("c", False),
    ]


def test_an_ack_after_the_lease_was_lost_changes_nothing(path: Path) -> None:
    slow, fast = (acquire(Options(path, LEASE, busy)) for busy in (1, 2))
    slow.put("work", "{}", 0)
    lost = slow.take("work", leased=True)
    query(path, "update message set leased_until = 0")  # as if its process had stood still
    taken = fast.take("work", leased=True)
    assert lost is not None
    assert taken is not None
    assert (lost.redelivered, taken.redelivered) == (False, True)
    slow.settle(lost.tag)
    slow.give_back([lost.tag])
    assert query(path, "select lease from message") == [(taken.tag.split("-")[1],)]
    fast.settle(taken.tag)
    assert query(path, "select * from message") == []
    release(slow)
    release(fast)


def test_closing_gives_unsettled_messages_back(connect: Callable[..., Connection]) -> None:
    leaving, staying = connect(visibility_timeout=60), connect()
    send(leaving, "a")
    assert take(leaving) is not None
    assert receive(staying, timeout=0.1) == []
    leaving.release()
    (message,) = receive(staying, timeout=0.1)
    assert (message.payload, message.delivery_info["redelivered"]) == ("a", True)


def test_messages_come_by_priority_and_then_by_age(connect: Callable[..., Connection]) -> None:
    connection = connect()
    for priority in (0, 9, 3, 9):
        send(connection, [priority, "first"], [priority, "second"], priority=priority)
    assert bodies(receive(connection, timeout=0.1)) == [
        [9, "first"],
        [9, "second"],
        [9, "first"],
        [9, "second"],
        [3, "first"],
        [3, "second"],
        [0, "first"],
        [0, "second"],
    ]


def test_size_and_purge_leave_out_what_is_at_work(connect: Callable[..., Connection]) -> None:
    connection = connect()
    send(connection, "a", "b", "c")
    message = take(connection)
    assert message is not None
    assert ready(connection) == 2
    assert WORK(connection.default_channel).purge() == 2
    assert ready(connection) == 0
    message.requeue()
    assert ready(connection) == 1


def test_an_undeclared_queue_is_not_found(connect: Callable[..., Connection]) -> None:
    connection = connect()
    queue = WORK(connection.default_channel)
    with pytest.raises(connection.channel_errors, match="no queue 'work'"):
        queue.queue_declare(passive=True)
    queue.declare()
    queue.delete()
    with pytest.raises(connection.channel_errors, match="no queue 'work'"):
        queue.queue_declare(passive=True)


def test_no_ack_takes_the_message_out_of_the_file(
    connect: Callable[..., Connection], path: Path
) -> None:
    connection = connect()
    send(connection, "a", "b", "c")
    assert take(connection, no_ack=True) is not None
    assert query(path, "select count(*) from message") == [(2,)]
    seen: list[object] = []
    with connection.Consumer([WORK], no_ack=True, callbacks=[lambda body, _: seen.append(body)]):
        connection.drain_events(timeout=1)
        connection.drain_events(timeout=1)
    assert seen == ["b", "c"]
    assert query(path, "select count(*) from message") == [(0,)]
    send(connection, "d")
    assert len(receive(connection, timeout=0.1)) == 1  # the next consumer of the queue is leased
    assert query(path, "select count(*) from message") == [(1,)]


def test_leases_from_before_a_restart_of_the_machine_are_void(path: Path) -> None:
    store = acquire(Options(path, 60))
    store.put("work", "{}", 0)
    assert store.take("work", leased=True) is not None
    assert store.take("work", leased=True) is None
    query(path, "update boot set id = 'an earlier one'")
    store.close()
    taken = store.take("work", leased=True)
    assert taken is not None
    assert taken.redelivered
    release(store)
