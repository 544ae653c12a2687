"""The fork server: a warm Python that forks one child per job and lets none outlive its worker.

Started by `launcher.py` as a process of its own with one thread, so that forking is safe; it has
the modules that components use imported already. It adopts every orphan of its children and kills
it: what a component started and left behind, in whatever session, ends with the job. When the
worker's end of the socket closes, everything here is killed.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from orchestrator_site.lib.processes import (
    adopt_orphans,
    children,
    die_with_parent,
    kill,
    signal_group,
)

PRELOAD = ("components.runners.child", "httpx", "sqlalchemy", "json", "csv", "zipfile", "gzip")
REQUEST_BYTES = 4096


class ForkServer:
    """Forks, signals and reaps children; each is told about by its own status pipe."""

    def __init__(self, requests: socket.socket, config: dict[str, Any]) -> None:
        self._requests = requests
        self._config = config
        self._status: dict[int, int] = {}  # pid of a child -> pipe that gets its pid and exit code
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        self._wake_ends = (self._wake, wake)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Answer requests until the worker is gone; then kill all children."""
        while True:
            requests = self._requests.fileno()
            ready, _, _ = select.select([requests, self._wake], [], [])
            if self._wake in ready:
                os.read(self._wake, REQUEST_BYTES)
                self._reap()
            if requests in ready and not self._answer():
                return self._kill_all()

    def _answer(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._requests, REQUEST_BYTES, 2)
        if not data:
            return False
        request = json.loads(data)
        if request["do"] == "start":
            self._start(*fds)
        elif request["pid"] in self._status:  # not reaped yet, so that its number is still its own
            signal_group(request["pid"], signal.Signals(request["signal"]))
        return True

    def _start(self, channel: int, status: int) -> None:
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(server, channel, status)
        os.close(channel)
        self._status[pid] = status
        _tell(status, str(pid))

    def _become_child(self, server: int, channel: int, status: int) -> None:
        """Run the job in this process, a leader of its own group, and never return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            die_with_parent(server)
            adopt_orphans()
            self._requests.close()
            for fd in (*self._wake_ends, status, *self._status.values()):
                os.close(fd)
            from components.runners import child  # noqa: PLC0415  # preloaded; the server needs none

            child.main(socket.socket(fileno=channel), self._config["keys"], self._config["modules"])
            code = 0
        finally:
            os._exit(code)

    def _reap(self) -> None:
        while self._reap_one():
            pass
        for orphan in set(children(os.getpid())) - set(self._status):
            kill(orphan)  # its end wakes us again, for the orphans that it leaves itself

    def _reap_one(self) -> bool:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid in self._status:
            signal_group(pid, signal.SIGKILL)
            pipe = self._status.pop(pid)
            _tell(pipe, str(os.waitstatus_to_exitcode(status)))
            os.close(pipe)
        return pid != 0

    def _kill_all(self) -> None:
        for pid in self._status:
            signal_group(pid, signal.SIGKILL)
        while orphans := children(os.getpid()):
            for pid in orphans:
                kill(pid)
            os.waitpid(-1, 0)


def _tell(pipe: int, text: str) -> None:
    with suppress(BrokenPipeError):  # nobody may wait for this child any more
        os.write(pipe, f"{text}\n".encode())


def main() -> None:
    """Serve the socket whose number is the first argument."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the worker's to handle
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    adopt_orphans()
    config = json.loads(requests.recv(1024 * 1024))
    for name in PRELOAD:
        importlib.import_module(name)
    importlib.import_module("components.builtin").manifests(config["modules"])
    gc.collect()
    gc.freeze()
    ForkServer(requests, config).serve()
    os._exit(0)  # nothing to tidy, and modules written in C complain about what is left


if __name__ == "__main__":
    main()
