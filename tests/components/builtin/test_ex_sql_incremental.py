from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.builtin.ex_sql import MANIFEST
from components.exceptions import RunnerError

Run = Callable[..., Any]
ZONED = "TIMESTAMP WITH TIME ZONE"


def source(**fields: Any) -> dict[str, Any]:
    return {"sources": [fields]}


def ids(done: Any) -> list[int]:
    """Return the ids of the rows; a whole row may hold a moment that only pytz could read."""
    (segment,) = done.output("in.c-test.orders")["segments"]
    with (
        done.workbench.connect() as connection,
        done.workbench.store.reading([segment["path"]]) as files,
    ):
        found = connection.execute(f"SELECT id FROM '{files[segment['path']]}'").fetchall()
        return [row[0] for row in found]


@pytest.fixture
def orders(people: Any) -> Any:
    people.execute("CREATE TABLE orders (id integer PRIMARY KEY, who varchar(20), amount integer)")
    people.execute("INSERT INTO orders VALUES (1, 'Ann', 10), (2, '', NULL), (3, NULL, 30)")
    return people


def load(run: Run, people: Any, state: Any, **fields: Any) -> Any:
    fields = {"table": "orders", "incremental_column": "id", **fields}
    return run(MANIFEST, {**people.parameters, **source(**fields)}, state=state)


def test_later_jobs_read_what_is_new(run: Run, orders: Any) -> None:
    first = load(run, orders, {})
    assert (len(first.rows("in.c-test.orders")), first.outputs[0]["incremental"]) == (3, False)
    orders.execute("INSERT INTO orders VALUES (4, 'Eve', 40)")
    second = load(run, orders, first.state)
    assert second.rows("in.c-test.orders") == [{"id": 4, "who": "Eve", "amount": 40}]
    assert second.outputs[0]["incremental"] is True
    third = load(run, orders, second.state)
    assert third.rows("in.c-test.orders") == []
    assert third.state == second.state
    orders.execute("INSERT INTO orders VALUES (5, 'Bob', 50)")
    assert [row["id"] for row in load(run, orders, third.state).rows("in.c-test.orders")] == [5]


def test_with_a_key_the_last_value_is_read_once_more(run: Run, orders: Any) -> None:
    first = load(run, orders, {}, primary_key=["id"])
    again = load(run, orders, first.state, primary_key=["id"])
    assert [row["id"] for row in again.rows("in.c-test.orders")] == [3]
    assert (again.outputs[0]["incremental"], again.outputs[0]["primary_key"]) == (True, ["id"])


def test_another_column_starts_from_the_beginning(run: Run, orders: Any) -> None:
    first = load(run, orders, {})
    other = load(run, orders, first.state, incremental_column="amount")
    assert (len(other.rows("in.c-test.orders")), other.outputs[0]["incremental"]) == (3, False)
    none = load(run, orders, other.state, incremental_column="")
    assert (len(none.rows("in.c-test.orders")), none.outputs[0]["incremental"]) == (3, False)
    assert (
        len(load(run, orders, none.state, incremental_column="amount").rows("in.c-test.orders"))
        == 3
    )


@pytest.mark.parametrize("type_", ["timestamp", "date", "decimal(20,6)"])
def test_it_goes_on_by_moments_and_decimals(run: Run, people: Any, type_: str) -> None:
    values = {
        "timestamp": ["2026-01-01 10:00:00", "2026-01-01 10:00:01"],
        "date": ["2026-01-01", "2026-01-02"],
        "decimal(20,6)": ["12345678901234.000001", "12345678901234.000002"],
    }[type_]
    if people.kind == "sqlite" and type_.startswith("decimal"):
        pytest.skip("SQLite has no decimals")
    people.execute(f"CREATE TABLE orders (id integer, moment {type_})")
    people.execute(f"INSERT INTO orders VALUES (1, '{values[0]}')")
    first = load(run, people, {}, incremental_column="moment")
    assert (
        load(run, people, first.state, incremental_column="moment").rows("in.c-test.orders") == []
    )
    people.execute(f"INSERT INTO orders VALUES (2, '{values[1]}')")
    second = load(run, people, first.state, incremental_column="moment")
    assert ids(second) == [2]


@pytest.mark.postgres
def test_a_text_is_no_column_to_go_on_by(run: Run, postgresql: Any) -> None:
    postgresql.execute("CREATE TABLE orders AS SELECT 'x' AS code")
    with pytest.raises(RunnerError) as caught:
        load(run, postgresql, {}, incremental_column="code")
    assert caught.value.message == (
        "Column “code” of “orders” cannot be loaded incrementally by: it must hold numbers, "
        "dates or times."
    )
