"""A real web server on the loopback address, and the databases of this machine."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import psycopg
import pymysql
import pytest

from components.builtin.contract import Column, InputTable
from components.runners.inline import InlineRun, run_inline

Answer = Callable[["Handler"], None]


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Handler(BaseHTTPRequestHandler):
    """Answers each path with the next of its answers; the last one stays."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name in the library
        """Say nothing."""

    def reply(
        self, body: bytes = b"", status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        """Send a whole answer."""
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), **(headers or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_method(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(self.command, self.path, headers, self.rfile.read(length)))
        answers = self.server.answers.get(self.path.partition("?")[0])
        if not answers:
            self.reply(b"nothing here", 404, {"Content-Type": "text/plain"})
            return
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)


for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
    setattr(Handler, f"do_{method}", Handler.handle_method)


@dataclass
class Server(ThreadingHTTPServer):
    """The server, what it answers and what it saw."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    daemon_threads = True

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is what some tests are about."""

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.server_port}"

    def says(self, path: str, *bodies: bytes, status: int = 200, **headers: str) -> str:
        """Answer a path with bodies, one after another; return its URL."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for body in bodies or (b"",):
            self.does(path, partial(Handler.reply, body=body, status=status, headers=named))
        return self.url + path

    def does(self, path: str, answer: Answer) -> str:
        """Answer a path with a function of the handler; return its URL."""
        self.answers.setdefault(path, []).append(answer)
        return self.url + path


def serving() -> Iterator[Server]:
    """Run a server in a thread."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def web() -> Iterator[Server]:
    yield from serving()


@pytest.fixture
def other_web() -> Iterator[Server]:
    """A second server: another origin."""
    yield from serving()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., InlineRun]:
    """Run a component in this process; see `run_inline`."""
    return partial(run_inline, root=tmp_path)


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str, str], InputTable]:
    """Make a mapped table: its alias, and the SELECT that yields its rows."""

    def make(alias: str, select: str) -> InputTable:
        file = tmp_path / f"{alias}.parquet"
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"COPY ({select}) TO '{file}' (FORMAT parquet)")
            sql = f"SELECT * FROM read_parquet('{file}')"
            described = connection.execute(f"DESCRIBE {sql}").fetchall()
        columns = [Column(name=row[0], type=row[1]) for row in described]
        return InputTable(f"in.c-test.{alias}", alias, columns, sql, paths=(str(file),))

    return make


@dataclass
class People:
    """A database of somebody: how a component connects to it, and a way to look inside."""

    parameters: dict[str, Any]
    execute: Callable[..., list[tuple[Any, ...]]]

    @property
    def kind(self) -> str:
        """Which database it is."""
        return str(self.parameters["type"])


@pytest.fixture
def postgresql() -> Iterator[People]:
    name = f"people_{uuid4().hex[:12]}"
    server = "host=127.0.0.1 user=postgres dbname="
    with psycopg.connect(f"{server}postgres", autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            with psycopg.connect(f"{server}{name}", autocommit=True) as connection:

                def execute(sql: str) -> list[tuple[Any, ...]]:
                    done = connection.execute(sql)
                    return done.fetchall() if done.description else []

                where = {"host": "127.0.0.1", "user": "postgres", "database": name}
                yield People({"type": "postgresql", **where}, execute)
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def mysql() -> Iterator[People]:
    name = f"people_{uuid4().hex[:12]}"
    with (
        pymysql.connect(host="127.0.0.1", user="root", autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {name}")
        try:

            def execute(sql: str) -> list[tuple[Any, ...]]:
                cursor.execute(sql)
                return list(cursor.fetchall())

            where = {"host": "127.0.0.1", "user": "root", "database": name}
            yield People({"type": "mysql", **where}, execute)
        finally:
            cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[People]:
    (tmp_path / "files").mkdir(exist_ok=True)
    connection = sqlite3.connect(tmp_path / "files" / "people.db", isolation_level=None)
    with closing(connection):

        def execute(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql).fetchall()

        yield People({"type": "sqlite", "database": "people.db"}, execute)


@pytest.fixture(
    params=[
        pytest.param("postgresql", marks=pytest.mark.postgres),
        pytest.param("mysql", marks=pytest.mark.mariadb),
        "sqlite",
    ]
)
def people(request: pytest.FixtureRequest) -> People:
    """Each of the databases in turn."""
    found: People = request.getfixturevalue(request.param)
    return found
