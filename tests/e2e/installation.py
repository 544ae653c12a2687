"""A whole installation in its own processes, as `make run` starts it, for tests that need one."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "admin", "an administrator for tests"
POSTGRES = "postgresql://postgres@127.0.0.1:5432"
CLEAN = ("DATABASE_URL", "BROKER_URL", "ORCHESTRATOR_HOME", "DJANGO_SETTINGS_MODULE", "STORAGE_URL")


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(done: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Wait for a condition and return what it gave; fails naming what never came."""
    end = time.monotonic() + seconds
    while not (got := done()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)
    return got


class Installation:
    """Starts `manage.py up` in a data directory of its own and talks to it by API and signals."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home, self.port = home, free_port()
        clean = {name: value for name, value in os.environ.items() if name not in CLEAN}
        self.environment = clean | {
            "ORCHESTRATOR_HOME": str(home),
            "PORT": str(self.port),
            "ORCHESTRATOR_ADMIN_USER": USER,
            "ORCHESTRATOR_ADMIN_PASSWORD": PASSWORD,
            "SECRET_KEY": "a key for the installations that tests start",
            **variables,
        }
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.token = ""

    def start(self) -> None:
        """Start everything and wait until the pages answer."""
        log = (self.home / "up.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        until(self.answers, f"the pages of {self.address}\n{self.log()[-3000:]}")
        self.token = (
            self.token
            or self.command("create_token", "tests", "--user", USER, "--scope", "write")
            .strip()
            .splitlines()[-1]
            .split()[-1]
        )

    def answers(self) -> bool:
        """Whether the log-in page is served."""
        assert self.process
        assert self.process.poll() is None, self.log()
        try:
            return httpx.get(f"{self.address}/accounts/login/").status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> str:
        """What the processes printed so far."""
        return (self.home / "up.log").read_text(errors="replace")

    def command(self, *words: str) -> str:
        """Run a management command against this installation; return what it printed."""
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout

    def stop(self) -> int:
        """Stop as Ctrl-C does; return the exit status."""
        assert self.process
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()

    def pid(self, name: str) -> int:
        """The present process of web, beat, control or jobs."""
        return int((self.home / "run" / f"{name}.pid").read_text())

    def kill(self, name: str) -> None:
        """End a process with SIGKILL; the supervisor starts it again."""
        os.kill(self.pid(name), signal.SIGKILL)

    def api(self, method: str, path: str, body: Any = None, *, wanted: int | None = None) -> Any:
        """Call the API and return its JSON; fails unless it answers as wanted (or 2xx)."""
        answer = httpx.request(
            method,
            f"{self.address}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        good = answer.status_code == wanted if wanted else answer.is_success
        assert good, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    def configuration(self, name: str, component: str, parameters: dict[str, Any]) -> int:
        """Create a configuration; return its id."""
        body = {"component": component, "name": name, "parameters": parameters}
        return int(self.api("POST", "/configurations", body)["id"])


class Source:
    """A local web server that gives CSV; a gate can hold its answers back in the middle."""

    def __init__(self) -> None:
        self.rows = 100
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Event()
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/csv")
                self.end_headers()
                self.wfile.write(b"id,name\n")
                if not source.gate.is_set():
                    self.wfile.flush()
                    source.waiting.set()
                    source.gate.wait(120)
                with suppress(ConnectionError):  # who asked was stopped meanwhile
                    self.wfile.writelines(f"{n},name {n}\n".encode() for n in range(source.rows))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/orders.csv"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Let everybody go and stop."""
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def new_database() -> Iterator[str]:
    """A PostgreSQL database of its own for as long as the context lasts; gives its URL."""
    name = f"orchestrator_{secrets.token_hex(6)}"
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{POSTGRES}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def json_of(text: str) -> Any:
    """The last JSON document in a text."""
    return json.loads(re.findall(r"^\{.*\}$", text, flags=re.MULTILINE)[-1])
