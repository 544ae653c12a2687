"""Jobs in a real Celery worker with a thread per job, on the embedded database and broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import eventually

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parents[3]
SETUP = """
import json, django
django.setup()
from datetime import timedelta
from django.utils import timezone
from components.models import *
from components.services import jobs, recovery
from tests.builders import make_configuration
"""
Script = Callable[[str], Any]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An installation of its own, not that of the tests."""
    clean = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "BROKER_URL")}
    return clean | {
        "ORCHESTRATOR_HOME": str(tmp_path / "home"),
        "COMPONENT_MODULES": "tests.job_components",
        "DJANGO_SETTINGS_MODULE": "orchestrator_site.settings",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def script(environment: dict[str, str]) -> Script:
    """Run Python in the installation; returns what the script puts into `answer`."""

    def run(code: str) -> Any:
        text = f"{SETUP}\nanswer = None\n{textwrap.dedent(code)}\nprint('\\n' + json.dumps(answer))"
        done = subprocess.run(
            [sys.executable, "-c", text], env=environment, check=True, stdout=subprocess.PIPE
        )
        return json.loads(done.stdout.splitlines()[-1])

    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True
    )
    return run


def start_worker(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    words = ["-m", "celery", "-A", "orchestrator_site", "worker", "-Q", "jobs", "-P", "threads"]
    return subprocess.Popen(
        [sys.executable, *words, "-c", "4", "-l", "WARNING"], cwd=ROOT, env=environment
    )


@pytest.fixture
def worker(
    script: Script,  # noqa: ARG001  # it is migrated first
    environment: dict[str, str],
) -> Iterator[subprocess.Popen[bytes]]:
    process = start_worker(environment)
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def statuses(script: Script) -> list[list[str]]:
    found: list[list[str]] = script(
        "answer = [[j.status, j.error] for j in Job.objects.order_by('pk')]"
    )
    return found


@pytest.mark.usefixtures("worker")
def test_jobs_run_side_by_side_in_one_worker(script: Script) -> None:
    script("""
        one, other = (make_configuration("test-script", parameters={"do": "succeed"}) for _ in "ab")
        jobs.create_jobs([jobs.JobRequest(c) for c in (one, other, one)])
    """)
    eventually(lambda: statuses(script) == [["success", ""]] * 3)
    assert script("answer = [c.state for c in Configuration.objects.order_by('pk')]") == [
        {"count": 2},
        {"count": 1},
    ]


def test_a_killed_worker_leaves_nothing_running_and_nothing_hanging(
    script: Script,
    worker: subprocess.Popen[bytes],
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    script(f"""
        parameters = {{"do": "breed", "pids": {str(pids)!r}}}
        jobs.create_job(make_configuration("test-script", parameters=parameters))
    """)
    eventually(lambda: len([p for p in pids.iterdir() if p.read_text()]) == 4)
    found = [int(path.read_text()) for path in pids.iterdir()]
    worker.kill()
    worker.wait()
    eventually(lambda: not any(map(running, found)), seconds=5)
    assert statuses(script) == [["processing", ""]]
    script("""
        jobs.create_job(make_configuration("test-script", parameters={"do": "succeed"}))
        long_ago = timezone.now() - timedelta(seconds=31)
        Job.objects.update(rung_at=long_ago)
        Job.objects.filter(status="processing").update(lease_until=long_ago)
        recovery.recover_jobs()
    """)
    second = start_worker(environment)
    try:
        eventually(lambda: statuses(script)[1][0] == "success")
    finally:
        second.kill()
        second.wait()
    status, error = statuses(script)[0]
    assert status == "error"
    assert error.startswith("The worker stopped. It ran as ")
