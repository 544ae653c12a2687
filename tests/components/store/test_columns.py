"""How types meet, and which types are kept."""

from __future__ import annotations

from typing import Any

import pytest

from components.exceptions import ImportRejected
from components.store.columns import clean_names, meet, wider
from components.store.loading import Bench
from components.store.writing import write_query


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("BIGINT", "BIGINT", "BIGINT"),
        ("BIGINT", "DOUBLE", "DOUBLE"),
        ("INTEGER", "FLOAT", "DOUBLE"),
        ("FLOAT", "DOUBLE", "DOUBLE"),
        ("SMALLINT", "UINTEGER", "BIGINT"),
        ("BIGINT", "UBIGINT", "DECIMAL(20,0)"),
        ("BIGINT", "DECIMAL(9,2)", "DECIMAL(21,2)"),
        ("DECIMAL(9,2)", "DECIMAL(6,4)", "DECIMAL(11,4)"),
        ("DECIMAL(38,0)", "DECIMAL(9,2)", "DOUBLE"),
        ("DECIMAL(9,2)", "DOUBLE", "DOUBLE"),
        ("DATE", "TIMESTAMP", "TIMESTAMP"),
        ("BIGINT", "VARCHAR", "VARCHAR"),
        ("BIGINT", "BOOLEAN", "VARCHAR"),
        ("DOUBLE", "DATE", "VARCHAR"),
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "VARCHAR"),
    ],
)
def test_two_types_meet_in_the_narrowest_that_holds_both(one: str, other: str, both: str) -> None:
    assert wider(one, other) == wider(other, one) == both


def test_a_column_without_values_takes_the_other_type() -> None:
    empty: Any = {"name": "A", "type": "VARCHAR", "empty": True}
    full: Any = {"name": "a", "type": "BIGINT"}
    assert meet(empty, full) == {"name": "A", "type": "BIGINT"}
    assert meet(full, empty) == full
    assert meet(empty, empty) == empty


def test_no_columns_at_all_are_refused() -> None:
    with pytest.raises(ImportRejected, match=r"^There are no columns.$"):
        clean_names([])


@pytest.mark.parametrize(
    ("expression", "type_", "kept"),
    [
        ("1::HUGEINT", "DECIMAL(38,0)", "1"),
        ("[1, NULL]", "VARCHAR", "[1,null]"),
        ("MAP {'a': 1}", "VARCHAR", '{"a":1}'),
        ("'x'::ENUM('x', 'y')", "VARCHAR", "x"),
        ("INTERVAL 1 DAY", "VARCHAR", "1 day"),
        ("'{\"a\": 1}'::JSON", "VARCHAR", '{"a": 1}'),
        (
            "'2026-01-01 00:00:00.123456789'::TIMESTAMP_NS",
            "VARCHAR",
            "2026-01-01 00:00:00.123456789",
        ),
        (
            "'2026-01-01 01:00+01'::TIMESTAMPTZ",
            "TIMESTAMP WITH TIME ZONE",
            "2026-01-01 00:00:00+00",
        ),
        ("'a'::BLOB", "BLOB", "a"),
        (
            "uuid '00000000-0000-0000-0000-000000000001'",
            "VARCHAR",
            "00000000-0000-0000-0000-000000000001",
        ),
    ],
)
def test_every_type_is_kept_in_a_form_that_parquet_does_not_round(
    bench: Bench, reader: Any, expression: str, type_: str, kept: str
) -> None:
    segment = write_query(
        bench.connection, f"SELECT {expression} AS v; ", bench.target(), bench.store
    )
    assert segment["columns"] == [{"name": "v", "type": type_}]
    assert reader.types(segment) == {"v": type_}
    with bench.store.reading([segment["path"]]) as files:
        found = bench.connection.execute(
            f"SELECT v::VARCHAR FROM '{files[segment['path']]}'"
        ).fetchall()
    assert found == [(kept,)]


def test_a_query_may_end_in_a_comment(bench: Bench, reader: Any) -> None:
    segment = write_query(bench.connection, "SELECT 1 AS a -- why", bench.target(), bench.store)
    assert reader.rows(segment) == [(1,)]


def test_a_query_names_its_repeated_columns(bench: Bench) -> None:
    with pytest.raises(ImportRejected, match=r"^columns 1 and 2 are both called “A”.$"):
        write_query(bench.connection, 'SELECT 1 AS a, 2 AS "A"', bench.target(), bench.store)
    assert list(bench.store.files()) == []
