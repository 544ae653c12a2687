from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator_site.lib.processes import (
    adopt_orphans,
    children,
    die_with_parent,
    kill,
    resident_bytes,
    signal_group,
    tree,
)
from tests.waiting import eventually


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def forked(work: Callable[[], None]) -> int:
    """Run `work` in a forked process that ends with it; returns its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def test_a_tree_is_seen_with_its_memory_and_signalled_as_a_group() -> None:
    shell = subprocess.Popen(
        ["/bin/sh", "-c", "sleep 600 & sleep 600 & wait"], start_new_session=True
    )
    eventually(lambda: len(children(shell.pid)) == 2)
    found = tree(shell.pid)
    assert found == [shell.pid, *children(shell.pid)]
    assert resident_bytes(found) > resident_bytes([shell.pid]) > 100_000
    assert signal_group(shell.pid, signal.SIGKILL)
    shell.wait()
    eventually(lambda: all(map(gone, found)))
    assert (tree(shell.pid), children(shell.pid), resident_bytes(found)) == ([], [], 0)
    lone = subprocess.Popen(["/bin/true"], start_new_session=True)
    lone.wait()
    assert not signal_group(lone.pid, signal.SIGKILL)
    assert not kill(lone.pid)


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    told = tmp_path / "pid"

    def parent() -> None:
        me = os.getpid()

        def child() -> None:
            die_with_parent(me)
            told.write_text(str(os.getpid()))
            time.sleep(600)

        forked(child)
        time.sleep(600)

    pid = forked(parent)
    eventually(lambda: told.exists() and told.read_text())
    child = int(told.read_text())
    assert not gone(child)
    assert kill(pid)
    os.waitpid(pid, 0)
    eventually(lambda: gone(child))


def test_a_child_whose_parent_is_gone_already_ends_at_once(tmp_path: Path) -> None:
    survived = tmp_path / "survived"

    def child() -> None:
        die_with_parent(os.getppid() + 1)  # as if the number had been another's
        survived.touch()

    pid = forked(child)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert not survived.exists()


def test_orphans_are_adopted(tmp_path: Path) -> None:
    told = tmp_path / "parent"

    def guardian() -> None:
        adopt_orphans()

        def middle() -> None:
            def orphan() -> None:
                eventually(lambda: os.getppid() == me)
                told.write_text(str(os.getppid()))

            forked(orphan)

        me = os.getpid()
        forked(middle)
        os.wait()
        os.wait()

    pid = forked(guardian)
    os.waitpid(pid, 0)
    assert told.read_text() == str(pid)
