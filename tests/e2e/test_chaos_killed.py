"""Processes of an embedded installation are killed in the middle of a run; nothing hangs."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.e2e.installation import Installation, Source, until
from tests.e2e.pipelines import RECOVERY, Family, Pipeline

pytestmark = pytest.mark.processes


def assert_worker_stopped(job: Any) -> None:
    assert (job["status"], job["error_type"]) == ("error", "application")
    assert job["error"].startswith("The worker stopped. It ran as ")
    assert (job["tables_out"], job["result"]) == ([], {})


def assert_all_is_well(pipeline: Pipeline, before: tuple[int, int]) -> None:
    """The old table is untouched; the next run loads it anew."""
    assert pipeline.table() == before
    pipeline.source.gate.set()
    assert pipeline.ended(pipeline.run())["status"] == "success"
    version, rows = pipeline.table()
    assert version > before[0]
    assert rows == pipeline.source.rows != before[1]


def assert_died(pipeline: Pipeline, run: int, before: tuple[int, int]) -> None:
    """The run whose worker was killed has ended in an error that says so; then all is well."""
    ended = pipeline.ended(run)
    assert (ended["status"], [task["status"] for task in ended["tasks"]]) == ("error", ["error"])
    assert_worker_stopped(pipeline.job(ended))
    assert_all_is_well(pipeline, before)


def loaded(installation: Installation, source: Source) -> tuple[Pipeline, tuple[int, int]]:
    """A pipeline whose table is there; the source has more rows since."""
    pipeline = Pipeline(installation, source)
    assert pipeline.ended(pipeline.run())["status"] == "success"
    before = pipeline.table()
    assert before[1] == source.rows
    source.rows = 250
    return pipeline, before


def test_killing_the_jobs_worker_ends_its_job_and_leaves_the_table(
    start: Start, source: Source
) -> None:
    installation = start()
    pipeline, before = loaded(installation, source)
    run = pipeline.stopped_midway()
    worker = installation.pid("jobs")
    family = Family.of(worker)
    assert len(family.sessions) == 3  # the worker, its fork server, the job
    begun = time.monotonic()
    installation.kill("jobs")
    family.is_gone()
    assert_died(pipeline, run, before)
    assert time.monotonic() - begun < RECOVERY
    assert installation.pid("jobs") != worker


def test_killing_the_control_worker_again_and_again_only_delays_the_run(
    start: Start, source: Source
) -> None:
    installation = start()
    pipeline = Pipeline(installation, source, phases=3)
    source.gate.clear()
    installation.kill("control")
    run = pipeline.run()  # asked for while nobody is there to begin it
    assert source.waiting.wait(60), installation.log()[-3000:]
    killed = installation.pid("control")
    installation.kill("control")
    source.gate.set()
    until(lambda: installation.pid("control") != killed, "a new control worker")
    installation.kill("control")
    ended = pipeline.ended(run)
    assert ended["status"] == "success"
    assert [(task["status"], len(task["jobs"])) for task in ended["tasks"]] == [("success", 1)] * 3
    assert [pipeline.table(phase) for phase in (1, 2, 3)] == [(1, 100)] * 3


def test_killing_everything_leaves_no_process_and_the_next_start_recovers(
    start: Start, source: Source
) -> None:
    installation = start()
    pipeline, before = loaded(installation, source)
    run = pipeline.stopped_midway()
    assert installation.process
    family = Family.of(installation.process.pid)
    assert {installation.pid(name) for name in ("web", "beat", "control", "jobs")} < family.pids
    os.kill(installation.process.pid, signal.SIGKILL)
    assert installation.process.wait(10) == -signal.SIGKILL
    family.is_gone()
    begun = time.monotonic()
    installation.start()
    assert_died(pipeline, run, before)
    assert time.monotonic() - begun < RECOVERY


def test_ctrl_c_stops_everything_also_while_a_job_runs(start: Start, source: Source) -> None:
    installation = start()
    pipeline = Pipeline(installation, source)
    pipeline.stopped_midway()
    assert installation.process
    family = Family.of(installation.process.pid)
    assert installation.stop() == 0
    assert family.alive() == set()
