"""Which rows of which tables a job reads."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from components.enums import JobStatus
from components.exceptions import InvalidConfiguration
from components.models import Job, Table, TableVersion
from components.models.component import InputMapping
from components.services.housekeeping import compact_table
from components.services.input_mapping import input_plan, tables_in
from components.services.storage_files import open_bench
from components.store.tables import InputPlan, input_sql, segment_paths
from tests.builders import make_configuration
from tests.storage_tables import KEY, Row, load, values


@pytest.fixture(autouse=True)
def _own_store(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGE_URL = f"file://{tmp_path}/store"


def read(plan: InputPlan) -> list[Row]:
    with open_bench() as bench, bench.store.reading(segment_paths(plan["segments"])) as files:
        found: list[Row] = bench.connection.execute(input_sql(plan, files)).fetchall()
    return sorted(found, key=repr)


def mapped(**entry: Any) -> list[Row]:
    mapping: InputMapping = {"source": KEY, **entry}  # type: ignore[typeddict-item]
    (plan,) = input_plan([mapping], make_configuration())
    return read(plan)


@pytest.mark.django_db
def test_an_input_plan_says_what_is_read() -> None:
    load(values("(1, 'a')"), key=["id"])
    version = load(values("(1, 'b')", "(2, 'c')"), incremental=True)
    (plan,) = input_plan([{"source": KEY, "columns": ["V"]}], make_configuration())
    assert (plan["source"], plan["destination"], plan["rows"]) == (KEY, KEY, 2)
    assert (plan["version"], plan["bytes"]) == (2, version.bytes)
    assert plan["columns"] == [{"name": "v", "type": "VARCHAR"}]
    assert read(plan) == [("b",), ("c",)]
    (plan,) = input_plan([{"source": KEY, "destination": "o"}], make_configuration())
    assert plan["destination"] == "o"


@pytest.mark.parametrize(
    ("entry", "ids"),
    [
        ({"where_column": "id", "where_values": ["1", "3"]}, [1, 3]),
        ({"where_column": "id", "where_values": ["1"], "where_operator": "ne"}, [2, 3]),
        ({"where_column": "v", "where_values": ["a'b"]}, [1]),
        ({"where_column": "V", "where_values": ["a'b"], "where_operator": "ne"}, [2, 3]),
        ({"where_column": "v", "where_values": [""]}, [2, 3]),
        ({"where_column": "v", "where_values": [""], "where_operator": "ne"}, [1]),
        ({"where_column": "v", "where_values": []}, []),
        ({"limit": 2}, [1, 2]),
        ({}, [1, 2, 3]),
    ],
)
@pytest.mark.django_db
def test_an_input_mapping_chooses_rows(entry: dict[str, Any], ids: list[int]) -> None:
    load(values("(1, 'a''b')", "(2, NULL)", "(3, '')"))
    assert mapped(columns=["id"], **entry) == [(i,) for i in ids]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"source": "in.c-x.y"}, "The table in.c-x.y does not exist."),
        ({"source": KEY, "columns": ["id", "x"]}, f"The table {KEY} has no column “x”."),
        ({"source": KEY, "where_column": "y"}, f"The table {KEY} has no column “y”."),
        (
            {"source": KEY, "changed_since": "soon"},
            (
                "“soon” is no time for “changed since”; use “-2 days”, a time such as "
                "2026-01-31T08:00:00Z, or “adaptive”."
            ),
        ),
    ],
)
@pytest.mark.django_db
def test_what_a_mapping_cannot_find_is_named(entry: InputMapping, sentence: str) -> None:
    load(values("(1, 'a')"))
    with pytest.raises(InvalidConfiguration) as caught:
        input_plan([entry], make_configuration())
    assert caught.value.message == sentence


def age(version: TableVersion, by: timedelta) -> None:
    """Let a version, and what came with it, be older."""
    new = version.segments.filter(created_at=version.created_at)
    new.update(created_at=version.created_at - by)
    TableVersion.objects.filter(pk=version.pk).update(created_at=version.created_at - by)


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.django_db
def test_changed_since_takes_later_changes_only(*, compacted: bool) -> None:
    age(load(values("(1, 'a')", "(2, 'b')", "(3, 'c')"), key=["id"]), timedelta(days=5))
    last = load(values("(2, 'B')", "(4, 'd')"), incremental=True)
    if compacted:
        assert compact_table(Table.objects.select_related("current").get(key=KEY))
        assert load(values("(3, 'C')"), incremental=True).number == 4
        last.refresh_from_db()
    recent = [(2, "B"), *([(3, "C")] if compacted else []), (4, "d")]
    assert mapped(changed_since="-2 days") == recent
    assert len(mapped(changed_since="-6 days")) == 4
    day = (timezone.now() - timedelta(days=4)).date().isoformat()
    assert mapped(changed_since=day) == recent
    assert mapped(changed_since="2999-01-01T00:00:00Z") == []


@pytest.mark.django_db
def test_adaptive_starts_from_what_the_last_success_read() -> None:
    configuration = make_configuration()
    mapping: list[InputMapping] = [{"source": KEY, "changed_since": "adaptive"}]

    def run(status: JobStatus) -> list[Row]:
        planned = input_plan(mapping, configuration)
        Job.objects.create(
            component=configuration.component,
            configuration=configuration,
            configuration_name=configuration.name,
            configuration_version=1,
            status=status,
            tables_in=tables_in(planned),
        )
        return read(planned[0])

    load(values("(1, 'a')"), key=["id"])
    assert run(JobStatus.SUCCESS) == [(1, "a")]
    assert run(JobStatus.SUCCESS) == []
    load(values("(2, 'b')"), incremental=True)
    assert run(JobStatus.ERROR) == [(2, "b")]
    load(values("(1, 'A')"), incremental=True)
    assert run(JobStatus.WARNING) == [(1, "A"), (2, "b")]
    assert run(JobStatus.SUCCESS) == []
