"""Servers of their own for tests that take them away: Redis, PostgreSQL, a corner of RabbitMQ."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.e2e.installation import free_port, until


class PrivateRedis:
    """A Redis server that keeps nothing over a restart: what was queued is lost with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": ""}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        until(self._answers, "the private Redis", seconds=20)

    def kill(self) -> None:
        """Take it away without a word."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            with redis.Redis(port=self.port) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


class PrivatePostgres:
    """A PostgreSQL cluster in a folder that its own user may read."""

    def __init__(self, folder: Path) -> None:
        self.data, self.port = folder / "data", free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
        # PostgreSQL refuses to be run by root.
        self.as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.as_user:
            shutil.chown(folder, "postgres", "postgres")
        self._call("initdb", "-U", "postgres", "--auth=trust", "--no-sync", "-D", str(self.data))

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self._control("start", "-o", options, "-l", str(self.data / "server.log"))

    def stop(self) -> None:
        """Break all connections and end it at once, as a crash does."""
        self._control("stop", "-m", "immediate")

    def restart(self) -> None:
        """Crash it and start it again."""
        self._control("restart", "-m", "immediate")

    def _control(self, *words: str) -> None:
        self._call("pg_ctl", "-D", str(self.data), "-w", "-t", "60", *words)

    def _call(self, program: str, *words: str) -> None:
        # Not captured: the server would inherit the pipe, and reading it would never end.
        subprocess.run(
            [*self.as_user, self.programs / program, *words],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            timeout=90,
        )


@contextmanager
def private_redis(folder: Path) -> Iterator[PrivateRedis]:
    """A running Redis of one's own for as long as the context lasts."""
    server = PrivateRedis(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """A running PostgreSQL of one's own for as long as the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-postgres-"))
    try:
        server = PrivatePostgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def virtual_host() -> Iterator[str]:
    """A virtual host of the RabbitMQ server, removed with all its queues; gives its URL."""
    name = f"orchestrator_{secrets.token_hex(6)}"
    _rabbitmqctl("add_vhost", name)
    try:
        _rabbitmqctl("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        yield f"amqp://guest:guest@127.0.0.1:5672/{name}"
    finally:
        _rabbitmqctl("delete_vhost", name)


def _rabbitmqctl(*words: str) -> None:
    subprocess.run(["rabbitmqctl", "--quiet", *words], check=True, timeout=60)
