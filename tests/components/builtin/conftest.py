"""A real web server on the loopback address, and the databases of this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
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
