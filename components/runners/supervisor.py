"""Watch one child until it ends: its log, its limits, and whether it should still run."""

from __future__ import annotations

import select
import signal
import time
from dataclasses import dataclass, field
from typing import Any

from components.runners.base import EndedBy, Ending, Journal, LogLine, Pulse, RunnerResult
from components.runners.channel import Message
from components.runners.launcher import Child
from orchestrator_site.lib.processes import resident_bytes, tree

PULSE_SECONDS = 1.0  # how late a termination is seen
SAMPLE_SECONDS = 0.25  # how late too much memory is seen
LOG_SECONDS = 0.5
LOG_CHARACTERS = 64 * 1024
LOG_LIMIT = 50 * 1024 * 1024  # characters that one job may log
KILL_AFTER = 10.0  # seconds between SIGTERM and SIGKILL
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What a child may use."""

    seconds: float
    memory: int  # bytes, of all its processes together


@dataclass
class Supervisor:
    """The watch over one child; `watch` may be called once."""

    child: Child
    journal: Journal
    limits: Limits
    kill_after: float = KILL_AFTER
    _started: float = field(default_factory=time.monotonic)
    _buffer: list[LogLine] = field(default_factory=list)
    _buffered: int = 0
    _logged: int = 0
    _peak: int = 0
    _stopping: EndedBy | None = None
    _kill_at: float | None = None
    _refused: bool = False  # the journal did not take the last lines
    _due: dict[str, float] = field(default_factory=dict)

    def watch(self) -> Ending:
        """Return how the child ended; afterwards it has no process left.

        Log lines that the journal did not take yet come with the ending.
        """
        now = self._started
        self._due = {
            "pulse": now + PULSE_SECONDS,
            "sample": now + SAMPLE_SECONDS,
            "log": now + LOG_SECONDS,
        }
        end: Message | None = None
        code: int | None = None
        try:
            end = self._attend()
        finally:
            if end is not None and self._stopping is None:
                self.child.leave()
            else:
                code = self.child.close()
        return self._ending(end, code)

    def _attend(self) -> Message | None:
        """Return what the child said at its end; None means that it ended without a word."""
        while True:
            messages = self._receive()
            if messages is None:
                return None
            self._keep(messages)
            for message in messages:
                if "end" in message:
                    end: Message = message["end"]
                    return end
            self._look()

    def _receive(self) -> list[Message] | None:
        wait = min([*self._due.values(), self._deadline()]) - time.monotonic()
        if not select.select([self.child.sock], [], [], max(0.0, wait))[0]:
            return []
        return self.child.reader.available()

    def _deadline(self) -> float:
        return self._kill_at or self._started + self.limits.seconds

    def _keep(self, messages: list[Message]) -> None:
        for message in messages:
            for at, level, text in message.get("log", ()):
                self._keep_line((at, level, text))

    def _keep_line(self, line: LogLine) -> None:
        if self._logged > LOG_LIMIT:
            return
        self._logged += len(line[2])
        if self._logged > LOG_LIMIT:
            line = (line[0], "warning", "The log grew past 50 MB; what follows was dropped.")
        self._buffer.append(line)
        self._buffered += len(line[2])

    def _look(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self._is_due("sample", now, SAMPLE_SECONDS):
            self._sample()
        if self._is_due("log", now, LOG_SECONDS) or self._is_full():
            self._flush()
        if self._is_due("pulse", now, PULSE_SECONDS):
            self._take_pulse()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = now + self.kill_after
            self.child.signal(signal.SIGKILL)
        elif self._stopping is None and now >= self._started + self.limits.seconds:
            self._stop(EndedBy.TIME, signal.SIGTERM)

    def _is_due(self, what: str, now: float, every: float) -> bool:
        if now < self._due[what]:
            return False
        self._due[what] = now + every
        return True

    def _sample(self) -> None:
        used = resident_bytes(tree(self.child.pid))
        self._peak = max(self._peak, used)
        if used > self.limits.memory:
            self._stop(EndedBy.MEMORY, signal.SIGKILL)

    def _is_full(self) -> bool:
        return self._buffered >= LOG_CHARACTERS and not self._refused

    def _flush(self) -> None:
        if not self._buffer:
            return
        self._refused = not self.journal.write(self._buffer)
        if not self._refused:
            self._buffer, self._buffered = [], 0

    def _take_pulse(self) -> None:
        pulse = self.journal.pulse()
        if pulse == Pulse.LOST:
            self._stop(EndedBy.LOSS, signal.SIGKILL)
        elif pulse == Pulse.TERMINATE:
            self._stop(EndedBy.TERMINATION, signal.SIGTERM)

    def _stop(self, by: EndedBy, number: signal.Signals) -> None:
        """Begin to stop the child; a second reason only counts where it is harsher."""
        if self._stopping is None or number == signal.SIGKILL:
            self._stopping = self._stopping or by
            self._kill_at = self._kill_at or time.monotonic() + self.kill_after
            self.child.signal(number)

    def _ending(self, end: Message | None, code: int | None) -> Ending:
        peak = max(self._peak, (end or {}).get("peak_memory", 0))
        common: dict[str, Any] = {"peak_memory": peak, "lines": self._buffer}
        if self._stopping is not None:
            return Ending(self._stopping, error=self._stop_sentence(), **common)
        if end is None:
            return Ending(EndedBy.CRASH, error=crash_sentence(code), is_user_error=False, **common)
        if "error" in end:
            return Ending(
                EndedBy.ITSELF,
                error=end["error"],
                is_user_error=end["is_user_error"],
                permanent=end["permanent"],
                traceback=end.get("traceback", ""),
                **common,
            )
        fields = ("result", "state", "outputs", "message")
        return Ending(
            EndedBy.ITSELF, result=RunnerResult(**{name: end[name] for name in fields}), **common
        )

    def _stop_sentence(self) -> str:
        if self._stopping == EndedBy.TIME:
            return f"The job ran longer than its time limit of {duration(self.limits.seconds)}."
        if self._stopping == EndedBy.MEMORY:
            return f"The job used more than {self.limits.memory // MEGABYTE} MB of memory."
        return ""


def crash_sentence(code: int | None) -> str:
    """Return how a process ended that did not say so itself."""
    if code is None:
        return "The component's process is gone together with the one that started it."
    if code < 0:
        return f"The component's process was ended by signal {-code} ({signal.strsignal(-code)})."
    return f"The component's process ended by itself with code {code} before its work was done."


def duration(seconds: float) -> str:
    """Return a limit in words: the largest unit that it is a whole number of."""
    for name, size in (("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {name}" + ("" if count == 1 else "s")
    return f"{seconds:g} seconds"
