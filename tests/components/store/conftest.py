"""A store in a directory of the test, and a bench to load with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from components.store.loading import Bench
from components.store.sandbox import connect
from components.store.segments import Store, open_store
from components.store.writing import SegmentData


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"file://{tmp_path}/store", cache=tmp_path / "cache")


@pytest.fixture
def bench(tmp_path: Path, store: Store) -> Iterator[Bench]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with closing(connect(tmp_path / "spill")) as connection:
        yield Bench(connection, store, scratch)


class Reader:
    """Reads what was written, as a test wants to see it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def rows(self, segment: SegmentData) -> list[tuple[Any, ...]]:
        with self.bench.store.reading([segment["path"]]) as files:
            relation = self.bench.connection.read_parquet(str(files[segment["path"]]))
            return relation.fetchall()

    def types(self, segment: SegmentData) -> dict[str, str]:
        with self.bench.store.reading([segment["path"]]) as files:
            relation = self.bench.connection.read_parquet(str(files[segment["path"]]))
            return dict(zip(relation.columns, map(str, relation.types), strict=True))


@pytest.fixture
def reader(bench: Bench) -> Reader:
    return Reader(bench)
