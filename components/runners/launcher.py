"""Start children from this process's fork server, which is started with the first of them."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from django.conf import settings

from components.exceptions import ComponentsError
from components.runners import channel
from components.runners.base import JobSpec
from orchestrator_site.lib.secrets import site_keys

# What children may know of the environment: nothing of the installation's own settings.
ENVIRONMENT = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY"}
ENVIRONMENT |= {
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
}
ENVIRONMENT_PREFIX = "AWS_"  # the store's credentials, as boto3 reads them
START_SECONDS = 30
END_SECONDS = 5


class ChildrenCannotStart(ComponentsError):
    """The process that starts components is not running; the log of the worker says why."""


class Child:
    """One running child: what it says comes through `reader`."""

    def __init__(self, launcher: Launcher, sock: socket.socket, status: int) -> None:
        self._launcher = launcher
        self._status = status
        self._told = b""
        self.sock = sock
        self.reader = channel.Reader(sock)
        self.pid = int(self._read_status(START_SECONDS))

    def signal(self, number: signal.Signals) -> None:
        """Signal the child's process group, if it has not ended."""
        self._launcher.request({"do": "signal", "pid": self.pid, "signal": int(number)})

    def close(self) -> int | None:
        """End the child, if it has not ended, and return its exit code; minus n means signal n.

        None means that its end was not seen within five seconds, because the server is gone.
        """
        self.sock.close()
        try:
            code = self._wait(0.2)
            if code is None:
                self.signal(signal.SIGKILL)
                code = self._wait(END_SECONDS)
        finally:
            os.close(self._status)
        return code

    def leave(self) -> None:
        """Let go of a child that said that it ends: it has killed what it started before."""
        self.sock.close()
        os.close(self._status)

    def _wait(self, seconds: float) -> int | None:
        try:
            return int(self._read_status(seconds))
        except (ChildrenCannotStart, TimeoutError):
            return None

    def _read_status(self, seconds: float) -> str:
        """Return the next line of the status pipe: first the pid, then the exit code."""
        while b"\n" not in self._told:
            if not select.select([self._status], [], [], seconds)[0]:
                raise TimeoutError
            data = os.read(self._status, 64)
            if not data:
                raise ChildrenCannotStart
            self._told += data
        line, self._told = self._told.split(b"\n", 1)
        return line.decode()


class Launcher:
    """The client of one fork server; safe to use from many threads."""

    def __init__(self, keys: Sequence[str], modules: Sequence[str]) -> None:
        self._config = {"keys": list(keys), "modules": list(modules)}
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    @property
    def server_pid(self) -> int | None:
        """The fork server's process; None where none was started yet."""
        return self._server.pid if self._server else None

    def start(self, spec: JobSpec) -> Child:
        """Fork a child for the job and give it its orders; a server that is gone is started again.

        Raises ChildrenCannotStart.
        """
        ours, theirs = socket.socketpair()
        status, status_end = os.pipe()
        try:
            self.request({"do": "start"}, [theirs.fileno(), status_end])
        except BaseException:
            ours.close()
            os.close(status)
            raise
        finally:
            theirs.close()
            os.close(status_end)
        try:
            child = Child(self, ours, status)
            channel.send(ours, spec.to_json())
        except (OSError, ChildrenCannotStart) as error:
            ours.close()
            os.close(status)
            raise ChildrenCannotStart from error
        return child

    def request(self, request: channel.Message, fds: Sequence[int] = ()) -> None:
        """Send the server one request; only one that starts a child starts the server too."""
        data = json.dumps(request).encode()
        with self._lock:
            if self._is_up():
                try:
                    self._send(data, fds)
                except (BrokenPipeError, ConnectionResetError):
                    self._stop()
                else:
                    return
            if fds:
                self._start_server()
                self._send(data, fds)

    def close(self) -> None:
        """End the server and with it every child."""
        with self._lock:
            self._stop()

    def _is_up(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def _send(self, data: bytes, fds: Sequence[int]) -> None:
        if self._requests is None:
            raise ChildrenCannotStart
        try:
            socket.send_fds(self._requests, [data], fds)
        except (BrokenPipeError, ConnectionResetError):
            if not fds:
                return  # its children died with it
            raise

    def _start_server(self) -> None:
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in ENVIRONMENT or name.startswith(ENVIRONMENT_PREFIX)
        }
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        with theirs:
            self._server = subprocess.Popen(  # noqa: S603  # this interpreter, this module
                [sys.executable, "-m", "components.runners.server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._requests = ours
        ours.send(json.dumps(self._config).encode())

    def _stop(self) -> None:
        if self._requests is not None:
            self._requests.close()
            self._requests = None
        if self._server is not None:
            try:
                self._server.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None


_lock = threading.Lock()
# By process, because a fork must not share its parent's, and by what the server was started with.
_mine: dict[tuple[int, tuple[str, ...]], Launcher] = {}


def launcher() -> Launcher:
    """Return this process's launcher, with the installation's keys and component modules."""
    with _lock:
        keys = site_keys()
        mine = (os.getpid(), (*keys, *settings.COMPONENT_MODULES))
        if mine not in _mine:
            _mine[mine] = Launcher(keys, settings.COMPONENT_MODULES)
            atexit.register(_mine[mine].close)
        return _mine[mine]
