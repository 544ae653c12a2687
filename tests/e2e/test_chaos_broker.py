"""The broker goes away and comes back; runs come later, and nothing is lost or doubled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from orchestrator_site.lib.supervisor import STOP_AFTER
from tests.e2e.conftest import Start
from tests.e2e.installation import Source, new_database, until
from tests.e2e.pipelines import MINUTE, Pipeline, moment, next_minute, wait_for
from tests.e2e.servers import PrivateRedis, private_redis, virtual_host

pytestmark = [pytest.mark.processes, pytest.mark.postgres]
PUNCTUAL = timedelta(seconds=5)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path) as server:
        yield server


@pytest.fixture
def database() -> Iterator[str]:
    with new_database() as url:
        yield url


@pytest.fixture
def rabbitmq() -> Iterator[str]:
    with virtual_host() as url:
        yield url


@pytest.mark.redis
def test_a_broker_away_for_a_minute_delays_runs_and_nothing_else(
    database: str, broker: PrivateRedis, start: Start, source: Source
) -> None:
    installation = start(DATABASE_URL=database, BROKER_URL=broker.url)
    pipeline = Pipeline(installation, source)
    status = partial(installation.api, "GET", "/status")
    first = next_minute(ahead=8)
    schedule = pipeline.every_minute()
    wait_for(first - timedelta(seconds=5))
    broker.kill()
    slot = pipeline.decided(schedule, first, seconds=25)
    assert moment(slot["decided_at"]) - first < PUNCTUAL
    until(lambda: not status()["parts"]["broker"], "the status page to tell of the broker")
    assert not status()["is_good"]
    wait_for(first + timedelta(seconds=57))
    assert [run["started_at"] for run in pipeline.history(schedule)[1]] == [None]
    broker.start()
    assert pipeline.ended(slot["run"])["status"] == "success"
    pipeline.decided(schedule, first + MINUTE)
    until(lambda: status()["parts"]["broker"], "the status page to tell that it is back")
    assert status()["outages"] == []  # schedules fired all the time
    pipeline.switched_off(schedule)
    last = moment(pipeline.history(schedule)[0][-1]["due_at"])
    pipeline.each_minute_ran_once(schedule, first, last, may_wait=True)


@pytest.mark.rabbitmq
def test_killing_the_control_worker_on_rabbitmq_only_delays_the_run_and_all_stop_by_themselves(
    database: str, rabbitmq: str, start: Start, source: Source
) -> None:
    installation = start(DATABASE_URL=database, BROKER_URL=rabbitmq)
    pipeline = Pipeline(installation, source, phases=2)
    assert pipeline.ended(pipeline.run())["status"] == "success"
    run = pipeline.stopped_midway()
    installation.kill("control")
    source.gate.set()
    ended = pipeline.ended(run)
    assert ended["status"] == "success"
    assert [(task["status"], len(task["jobs"])) for task in ended["tasks"]] == [("success", 1)] * 2
    assert pipeline.ended(pipeline.run())["status"] == "success"
    begun = time.monotonic()
    assert installation.stop() == 0
    assert time.monotonic() - begun < STOP_AFTER  # else idle workers had to be killed
