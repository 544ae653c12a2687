from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, time, subprocess
sys.path.insert(0, {root!r})
from orchestrator_site.lib.supervisor import Child, Supervisor, die_with_parent

def steady():
    print("pid", os.getpid(), flush=True)
    while True: time.sleep(0.05)

def stubborn():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    steady()

def failing():
    print("failing now", flush=True)
    raise RuntimeError("broken on purpose")

def parent():
    import subprocess
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
    print("last words without a newline", end="", flush=True)
    os._exit(3)

children = [Child(name, globals()[name]) for name in sys.argv[1:]]
sys.exit(Supervisor(children).run())
"""
ROOT = str(Path(__file__).resolve().parents[2])


class Running:
    """The program above in a process of its own, with what it printed so far."""

    def __init__(self, *names: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", PROGRAM.format(root=ROOT), *names],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.process.stdout
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""

    def until(self, done: Callable[[str], bool], seconds: float = 20) -> str:
        end = time.monotonic() + seconds
        assert self.process.stdout
        while not done(self.text):
            assert time.monotonic() < end, f"never came; printed so far:\n{self.text}"
            self.text += (self.process.stdout.read() or b"").decode()
            time.sleep(0.01)
        return self.text

    def pids(self) -> list[int]:
        return [int(line.split("pid ")[1]) for line in self.text.splitlines() if "pid " in line]


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*names: str) -> Running:
        started.append(Running(*names))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.communicate()


def gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_lines_carry_the_name_of_their_process(run: Callable[..., Running]) -> None:
    running = run("steady")
    assert running.until(lambda t: "\n" in t).startswith("  steady │ pid ")


def test_a_failing_child_starts_again_with_growing_pauses_and_shows_its_traceback(
    run: Callable[..., Running],
) -> None:
    text = run("failing").until(lambda t: t.count("it starts again in") == 2)
    assert [line.split("│ ")[1] for line in text.splitlines() if "again" in line] == [
        "ended; it starts again in 1 s",
        "ended; it starts again in 2 s",
    ]
    assert text.count("RuntimeError: broken on purpose") == 2


def test_one_that_is_killed_starts_again_and_the_others_stay(run: Callable[..., Running]) -> None:
    running = run("steady", "stubborn")
    running.until(lambda t: t.count("pid ") == 2)
    first, other = running.pids()
    os.kill(first, signal.SIGKILL)
    running.until(lambda t: t.count("pid ") == 3)
    assert gone(first)
    assert not gone(other, seconds=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_all_cleanly(run: Callable[..., Running], number: int) -> None:
    running = run("steady", "steady")
    running.until(lambda t: t.count("pid ") == 2)
    running.process.send_signal(number)
    assert running.process.wait(10) == 0
    assert [gone(pid) for pid in running.pids()] == [True, True]


def test_one_that_ignores_the_stop_is_killed_within_ten_seconds(
    run: Callable[..., Running],
) -> None:
    running = run("stubborn")
    running.until(lambda t: "pid " in t)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0
    assert gone(running.pids()[0])


def test_kill_of_the_supervisor_leaves_no_orphan(run: Callable[..., Running]) -> None:
    running = run("steady", "stubborn")
    running.until(lambda t: t.count("pid ") == 2)
    running.process.kill()
    assert [gone(pid) for pid in running.pids()] == [True, True]


def test_a_grandchild_that_holds_the_pipe_does_not_hold_the_restart(
    run: Callable[..., Running],
) -> None:
    text = run("parent").until(lambda t: t.count("last words") == 2)
    assert "  parent │ ended; it starts again in 1 s" in text.splitlines()
