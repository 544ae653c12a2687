"""The broker's file used by processes of a test's own."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from kombu import Connection, Exchange, Queue

ROOT = Path(__file__).resolve().parents[1]
WORK = Queue("work", Exchange("work"), routing_key="work")
START = """
import os, signal, sys
from pathlib import Path
from kombu import Connection, Exchange, Queue
from orchestrator_site.lib.sqlite_transport.store import Options, acquire, release
path = Path(sys.argv[1])
WORK = Queue("work", Exchange("work"), routing_key="work")
"""


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
