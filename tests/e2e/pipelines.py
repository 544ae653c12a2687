"""Small pipelines on a local source, and what they left behind, for tests that break things."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator_site.lib.processes import tree
from tests.e2e.installation import Installation, Source, until

MINUTE = timedelta(minutes=1)
RECOVERY = 90.0  # seconds after the cure within which nothing hangs any more


@dataclass
class Pipeline:
    """An orchestration whose phases load one table each from the source."""

    installation: Installation
    source: Source
    name: str = "Shop"
    phases: int = 1
    configurations: list[int] = field(default_factory=list)
    orchestration: int = 0

    def __post_init__(self) -> None:
        api = self.installation.api
        parameters = {"url": self.source.url}
        self.configurations = [
            self.installation.configuration(f"{self.name} {n}", "ex-http", parameters)
            for n in range(1, self.phases + 1)
        ]
        body = {
            "name": self.name,
            "phases": [{"tasks": [{"configuration": c}]} for c in self.configurations],
        }
        self.orchestration = int(api("POST", "/orchestrations", body)["id"])

    def run(self) -> int:
        """Start a run; return its id."""
        return int(
            self.installation.api("POST", f"/orchestrations/{self.orchestration}/runs")["id"]
        )

    def every_minute(self) -> int:
        """Add a schedule of every minute; return its id."""
        path = f"/orchestrations/{self.orchestration}/schedules"
        return int(self.installation.api("POST", path, {"cron": "* * * * *"})["id"])

    def ended(self, run: int, seconds: float = RECOVERY) -> Any:
        """Wait for the end of a run and return it with its tasks."""
        return until(
            lambda: (found := self.installation.api("GET", f"/runs/{run}"))["ended_at"] and found,
            f"the end of run {run}\n{self.installation.log()[-3000:]}",
            seconds,
        )

    def job(self, run: Any) -> Any:
        """The only job of the first task of a run."""
        [job] = run["tasks"][0]["jobs"]
        return self.installation.api("GET", f"/jobs/{job}")

    def stopped_midway(self) -> int:
        """Start a run, wait until its job has read the first line of its file; return the run."""
        self.source.gate.clear()
        self.source.waiting.clear()
        run = self.run()
        assert self.source.waiting.wait(60), self.installation.log()[-3000:]
        return run

    def table(self, phase: int = 1) -> tuple[int, int]:
        """Version and rows of the table that a phase loads."""
        key = f"in.c-{self.name.lower()}-{phase}.orders"
        found = self.installation.api("GET", f"/tables/{key}")
        return found["version"], found["rows"]

    def history(self, schedule: int) -> tuple[list[Any], list[Any]]:
        """The slots of a schedule and all runs of the orchestration, oldest first."""
        api = self.installation.api
        slots = api("GET", f"/schedules/{schedule}/slots?limit=200")["items"][::-1]
        runs = api("GET", f"/orchestrations/{self.orchestration}/runs?limit=200")["items"][::-1]
        return slots, runs

    def decided(self, schedule: int, due: datetime, seconds: float = RECOVERY) -> Any:
        """Wait for the slot of a due moment and return it."""

        def found() -> Any:
            slots = self.history(schedule)[0]
            return next((slot for slot in slots if moment(slot["due_at"]) == due), None)

        return until(found, f"slot {due}\n{self.installation.log()[-3000:]}", seconds)

    def switched_off(self, schedule: int) -> None:
        """Let nothing more be due, and wait until all runs have ended."""
        self.installation.api("PATCH", f"/schedules/{schedule}", {"is_enabled": False})
        until(
            lambda: all(run["ended_at"] for run in self.history(schedule)[1]),
            f"the end of all runs\n{self.installation.log()[-3000:]}",
            RECOVERY,
        )

    def each_minute_ran_once(
        self, schedule: int, first: datetime, last: datetime, *, may_wait: bool = False
    ) -> None:
        """Assert that the slots are exactly these minutes, each with one successful run.

        Where `may_wait`, a run may have waited for the one before.
        """
        slots, runs = self.history(schedule)
        minutes = minutes_between(first, last)
        assert [moment(slot["due_at"]) for slot in slots] == minutes
        allowed = {"fired", "queued"} if may_wait else {"fired"}
        assert {slot["outcome"] for slot in slots} <= allowed
        assert [(moment(r["scheduled_for"]), r["status"]) for r in runs] == [
            (minute, "success") for minute in minutes
        ]
        assert [slot["run"] for slot in slots] == [run["id"] for run in runs]
        jobs = self.installation.api("GET", f"/jobs?configuration={self.configurations[0]}")
        assert [job["status"] for job in jobs["items"]] == ["success"] * len(runs)


def moment(text: str) -> datetime:
    """The moment that the API writes so."""
    return datetime.fromisoformat(text)


def minutes_between(first: datetime, last: datetime) -> list[datetime]:
    """Every minute from the first to the last."""
    return [first + n * MINUTE for n in range((last - first) // MINUTE + 1)]


def next_minute(ahead: float = 5) -> datetime:
    """The next turn of the minute; waits for another where it is not so many seconds ahead."""
    now = datetime.now(UTC)
    found = now.replace(second=0, microsecond=0) + MINUTE
    if found - now < timedelta(seconds=ahead):
        wait_for(found)
        found += MINUTE
    return found


def wait_for(when: datetime) -> None:
    """Wait for a moment of the clock, which is the scenario itself."""
    seconds = (when - datetime.now(UTC)).total_seconds()
    until(lambda: datetime.now(UTC) >= when, f"{when}", seconds + 5)


@dataclass(frozen=True)
class Family:
    """A process with all its descendants, known by their sessions even when their parent is gone.

    Every child of the supervisor, every fork server and every job leads a session of its own.
    """

    pids: frozenset[int]
    sessions: frozenset[int]

    @classmethod
    def of(cls, pid: int) -> Family:
        """The family as it is now."""
        pids = frozenset(tree(pid))
        return cls(pids, frozenset(os.getsid(member) for member in pids))

    def alive(self) -> set[int]:
        """The processes of these sessions that have not ended."""
        found = set()
        for pid in all_processes():
            with suppress(ProcessLookupError, FileNotFoundError):
                state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
                if state != "Z" and os.getsid(pid) in self.sessions:
                    found.add(pid)
        return found

    def is_gone(self) -> None:
        """Wait until no process of it is left."""
        until(lambda: not self.alive(), f"the end of {sorted(self.pids)}", seconds=10)


def all_processes() -> Iterable[int]:
    """The numbers of all processes of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
