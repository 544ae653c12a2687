"""A run of twenty tasks that fork and resist is terminated; /proc shows what is left of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.installation import ROOT, Installation, until
from tests.e2e.pipelines import Family, all_processes

pytestmark = pytest.mark.processes
TASKS, NESTED = 16, 4
EACH = 4  # processes of a task: itself, one in its group, one in a session of its own, an orphan


def make_run(installation: Installation, folder: Path) -> int:
    """Start a run whose tasks breed, some of them in an orchestration inside; return its id."""
    configurations = []
    for number in range(TASKS + NESTED):
        own = folder / str(number)
        own.mkdir(parents=True)
        parameters = {"do": "breed", "pids": str(own)}
        configurations.append(installation.configuration(f"C {number}", "test-script", parameters))
    tasks: list[dict[str, Any]] = [{"configuration": pk} for pk in configurations]
    inner = orchestration(installation, "Inner", tasks[TASKS:])
    outer = orchestration(installation, "Outer", [*tasks[:TASKS], {"orchestration": inner}])
    return int(installation.api("POST", f"/orchestrations/{outer}/runs")["id"])


def orchestration(installation: Installation, name: str, tasks: list[dict[str, Any]]) -> int:
    body = {"name": name, "phases": [{"tasks": tasks}]}
    return int(installation.api("POST", "/orchestrations", body)["id"])


def pids(folder: Path) -> set[int]:
    """The processes that said they live."""
    return {int(text) for file in folder.glob("*/*") if (text := file.read_text())}


def of_the_run(folder: Path, known: set[int]) -> set[int]:
    """The processes that live and are known, or were started with a path in the folder."""
    found = set()
    for pid in all_processes():
        with suppress(ProcessLookupError, FileNotFoundError):
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if state != "Z" and (pid in known or str(folder).encode() in words):
                found.add(pid)
    return found


def test_no_process_is_left_of_a_run_that_was_terminated(start: Start, tmp_path: Path) -> None:
    installation = start(
        COMPONENT_MODULES="tests.job_components",
        JOB_LIMIT=str(TASKS + NESTED),
        PYTHONPATH=str(ROOT),
    )
    folder = tmp_path / "bred"
    run = make_run(installation, folder)
    wanted = EACH * (TASKS + NESTED)
    until(lambda: len(pids(folder)) == wanted, f"{wanted} processes", seconds=120)
    known = pids(folder)
    family = Family.of(installation.pid("jobs"))
    assert known <= of_the_run(folder, known)
    assert len(known) == wanted
    assert installation.api("POST", f"/runs/{run}/terminate", wanted=202)["status"] != "success"
    ended = until(
        lambda: (found := installation.api("GET", f"/runs/{run}"))["ended_at"] and found,
        f"the end of the run\n{installation.log()[-2000:]}",
        seconds=90,
    )
    assert (ended["status"], {task["status"] for task in ended["tasks"]}) == (
        "terminated",
        {"terminated"},
    )
    [child] = [task["run"] for task in ended["tasks"] if task["run"]]
    below = installation.api("GET", f"/runs/{child}")
    assert (below["status"], len(below["tasks"])) == ("terminated", NESTED)
    jobs = installation.api("GET", "/jobs?limit=100")["items"]
    assert [job["status"] for job in jobs] == ["terminated"] * (TASKS + NESTED)
    until(lambda: not of_the_run(folder, known), "the end of all processes", seconds=10)
    # what is left of the worker is what it began with: itself and its fork server
    until(lambda: len(Family.of(installation.pid("jobs")).pids) == 2, "a quiet worker", seconds=10)
    assert family.pids >= Family.of(installation.pid("jobs")).pids
