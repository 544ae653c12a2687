"""Any sequence of loads, also by two writers, equals a plain list of rows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from components.models import Table, TableVersion
from components.services.housekeeping import compact_table
from components.services.storage import (
    commit_outputs,
    prepare_outputs,
    restore_version,
)
from tests.storage_tables import KEY, Row, load, output, rows_of, values


@pytest.fixture(autouse=True)
def _own_store(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_URL = f"file://{tmp_path}/store"


# A table as people think of it: rows by hand, without segments.

IDS, TEXTS = st.integers(1, 6), st.sampled_from(["a", "b", "7", None])
LOADS = st.lists(st.tuples(IDS, TEXTS), max_size=6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["full", "append", "upsert"]), LOADS),
        st.tuples(st.just("compact"), st.none()),
        st.tuples(st.just("restore"), st.integers(0, 30)),
    ),
    min_size=1,
    max_size=7,
)


def select(rows: Sequence[tuple[int, str | None]]) -> str:
    texts = [f"({i}, {'NULL' if v is None else repr(v)})" for i, v in rows]
    return f"SELECT id, v::VARCHAR AS v FROM ({values(*texts or ['(0, NULL)'])}) WHERE id > 0"


def merged(
    rows: Sequence[tuple[int, str | None]], new: Sequence[tuple[int, str | None]]
) -> list[tuple[int, str | None]]:
    return list({**dict(rows), **dict(new)}.items())


def as_text(rows: Sequence[tuple[int, str | None]]) -> list[Row]:
    return sorted(((str(i), v) for i, v in rows), key=repr)


@pytest.mark.django_db
@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, keyed=st.booleans())
def test_any_sequence_of_loads_equals_a_plain_list(
    steps: list[tuple[str, Any]], *, keyed: bool
) -> None:
    Table.objects.update(current=None)
    Table.objects.all().delete()
    versions: list[tuple[TableVersion, list[tuple[int, str | None]]]] = []
    key = ["id"] if keyed else []
    for step, argument in [("full", []), *steps]:
        rows = versions[-1][1] if versions else []
        if step == "compact":
            _halve_limits_and_compact()
        elif step == "restore":
            version, rows = versions[argument % len(versions)]
            if version.pk == Table.objects.get(key=KEY).current_id:
                continue
            restore_version(version, user=None)
        else:
            rows = _expected(step, rows, argument, keyed=keyed)
            load(select(argument), incremental=step != "full", key=key)
        current = Table.objects.select_related("current").get(key=KEY).current
        assert current is not None
        versions.append((current, rows))
    for version, rows in versions:
        assert rows_of(version) == as_text(rows)


def _expected(
    step: str,
    rows: list[tuple[int, str | None]],
    new: list[tuple[int, str | None]],
    *,
    keyed: bool,
) -> list[tuple[int, str | None]]:
    before = [] if step == "full" else rows
    return merged(before, new) if keyed else [*before, *new]


def _halve_limits_and_compact() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.services.housekeeping.MANY_SMALL", 1)
        compact_table(Table.objects.select_related("current").get(key=KEY))


@pytest.mark.postgres_database
@pytest.mark.django_db(transaction=True)
def test_two_writers_of_one_table_lose_and_double_nothing() -> None:
    load(select([(0, None)]), key=["id"])
    start = threading.Barrier(2)
    failures: list[BaseException] = []

    def writer(name: str, own: int) -> None:
        try:
            start.wait()
            for turn in range(6):
                one = output(
                    values(f"({own + turn}, '{name}')", f"(1, '{name}{turn}')"),
                    incremental=True,
                )
                commit_outputs([one], job=None, user=None, prepared=prepare_outputs([one]))
        except BaseException as error:  # noqa: BLE001  # told to the test's own thread
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=writer, args=args) for args in (("a", 100), ("b", 200))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    current = Table.objects.select_related("current").get(key=KEY).current
    assert current is not None
    assert current.number == 13
    found: dict[str, str] = dict(rows_of(current))
    assert sorted(found) == sorted(["1", *(str(n + i) for n in (100, 200) for i in range(6))])
    assert found["1"] in {"a5", "b5"}


@pytest.mark.postgres_database
@pytest.mark.django_db(transaction=True)
def test_writers_of_several_tables_never_wait_for_each_other_in_a_ring() -> None:
    start = threading.Barrier(3)
    failures: list[BaseException] = []

    def writer(tables: Sequence[str]) -> None:
        try:
            start.wait()
            for _ in range(8):
                outputs = [output(values("(1, 'a')"), table=f"in.c-ring.{t}") for t in tables]
                with transaction.atomic():
                    commit_outputs(outputs, job=None, user=None)
        except BaseException as error:  # noqa: BLE001  # told to the test's own thread
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=writer, args=(tables,)) for tables in ("abc", "cba", "bca")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(Table.objects.values_list("current__number", flat=True)) == {24}
