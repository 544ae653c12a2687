"""Keep a few processes running as children that die with this one.

Children are forked, not started anew: they share the memory of everything that is imported before,
and begin within milliseconds. The supervisor itself has one thread and no open connection, so that
forking is safe.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
STOP_AFTER = 8.0  # seconds from SIGTERM to SIGKILL: a stop ends within ten
STEADY_AFTER = 60.0  # seconds of running after which a failure counts as the first again
LONGEST_PAUSE = 30.0
COLOURS = (36, 32, 33, 35, 34)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Child:
    """One process: `main` runs in it and does not return before it is to end."""

    name: str
    main: Callable[[], object]
    pid: int | None = None
    output: int = -1
    rest: bytes = b""
    failures: int = 0
    started: float = 0.0
    start_at: float = 0.0


@dataclass
class Supervisor:
    """Starts the children, prefixes what they print, restarts one that fails, stops all cleanly."""

    children: list[Child]
    write: Callable[[str], object] = sys.stdout.write
    pid_folder: Path | None = None  # where <name>.pid tells whom to look at
    stopping: float | None = None
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self, *, every_second: Callable[[], object] = lambda: None) -> int:
        """Run until SIGINT or SIGTERM; return the exit status, 0 after a clean stop."""
        # The reading end wakes select() when a child ends or a signal comes.
        wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.selector.register(wake, selectors.EVENT_READ)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while not (self.stopping and not any(c.pid for c in self.children)):
            self._start_due()
            self._relay(timeout=1.0)
            self._reap()
            self._kill_late()
            every_second()
        return 0

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        if self.stopping is None:
            self.stopping = time.monotonic()
            for child in self.children:
                self._signal(child, signal.SIGTERM)

    def _kill_late(self) -> None:
        if self.stopping and time.monotonic() - self.stopping > STOP_AFTER:
            for child in self.children:
                self._signal(child, signal.SIGKILL)

    def _signal(self, child: Child, number: int) -> None:
        if child.pid:
            with suppress(ProcessLookupError):  # it has ended and will be reaped
                os.kill(child.pid, number)

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.pid is None and not self.stopping and child.start_at <= now:
                self._start(child)

    def _start(self, child: Child) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._become(child, writing)
        os.close(writing)
        os.set_blocking(reading, False)
        child.pid, child.output, child.started = pid, reading, time.monotonic()
        self.selector.register(reading, selectors.EVENT_READ, child)
        if self.pid_folder:
            _tell(self.pid_folder / f"{child.name}.pid", pid)

    def _become(self, child: Child, writing: int) -> None:
        """Turn this fork into the child; it never returns."""
        parent = os.getppid()
        die_with_parent()
        os.setsid()  # Ctrl-C in the terminal reaches the supervisor alone
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        self.selector.close()
        for other in self.children:
            if other.pid:
                os.close(other.output)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(writing)
        status = 1
        try:
            if os.getppid() == parent:  # else it died before the kernel was asked
                child.main()
                status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001  # the last frame of a process: print and end it
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _relay(self, timeout: float) -> None:
        for key, _ in self.selector.select(timeout):
            if isinstance(key.data, Child):
                self._drain(key.data)
            else:
                os.read(key.fd, 4096)

    def _drain(self, child: Child) -> None:
        """Write the whole lines that the child has printed; let go of a pipe that has ended."""
        try:
            data = os.read(child.output, 65536)
        except BlockingIOError:
            return
        *lines, child.rest = (child.rest + data).split(b"\n")
        for line in lines:
            self._say(child, line.decode(errors="replace"))
        if not data:
            self._close(child)

    def _close(self, child: Child) -> None:
        """Let go of the pipe, after the line that was left unfinished."""
        self.selector.unregister(child.output)
        os.close(child.output)
        child.output = -1
        if child.rest:
            self._say(child, child.rest.decode(errors="replace"))
        child.rest = b""

    def _say(self, child: Child, line: str) -> None:
        prefix = f"{child.name:>8} │ "
        if sys.stdout.isatty():
            colour = COLOURS[self.children.index(child) % len(COLOURS)]
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        self.write(f"{prefix}{line}\n")
        sys.stdout.flush()

    def _reap(self) -> None:
        for child in self.children:
            if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                self._ended(child)

    def _ended(self, child: Child) -> None:
        child.pid = None
        while child.output != -1 and self._readable(child):
            self._drain(child)
        if child.output != -1:
            self._close(child)  # a grandchild holds the pipe; what it prints is of no use any more
        if self.stopping:
            return
        now = time.monotonic()
        child.failures = 1 if now - child.started > STEADY_AFTER else child.failures + 1
        pause = min(LONGEST_PAUSE, 2.0 ** (child.failures - 1))
        child.start_at = now + pause
        self._say(child, f"ended; it starts again in {pause:.0f} s")

    def _readable(self, child: Child) -> bool:
        return any(key.fd == child.output for key, _ in self.selector.select(0))


def _tell(file: Path, pid: int) -> None:
    """Write a process number so that nobody ever reads half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(str(pid))
    new.replace(file)
