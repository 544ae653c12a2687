"""Whole installations, one per combination of database and broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.installation import Installation, Source, new_database

Start = Callable[..., Installation]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an installation: `embedded`, `postgres+redis` or `postgres+rabbitmq`."""
    with ExitStack() as ends:

        def begin(kind: str = "embedded", **variables: str) -> Installation:
            if kind != "embedded":
                variables["DATABASE_URL"] = ends.enter_context(new_database())
                variables["BROKER_URL"] = {
                    "postgres+redis": "redis://127.0.0.1:6379/5",
                    "postgres+rabbitmq": "amqp://guest:guest@127.0.0.1:5672//",
                }[kind]
            home = tmp_path / kind
            home.mkdir(exist_ok=True)
            installation = Installation(home, **variables)
            ends.callback(installation.stop)
            installation.start()
            return installation

        yield begin


@pytest.fixture
def source() -> Iterator[Source]:
    """A local server with rows to extract."""
    made = Source()
    yield made
    made.close()
