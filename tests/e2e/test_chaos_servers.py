"""The broker and the database go away and come back; nothing is lost, doubled or left hanging."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.installation import Installation, Source, new_database
from tests.e2e.pipelines import MINUTE, Pipeline, moment, next_minute, wait_for
from tests.e2e.servers import (
    PrivatePostgres,
    PrivateRedis,
    private_postgres,
    private_redis,
    virtual_host,
)

pytestmark = pytest.mark.processes
PUNCTUAL = timedelta(seconds=3)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path) as server:
        yield server


@pytest.fixture
def database() -> Iterator[PrivatePostgres]:
    with private_postgres() as server:
        yield server


@pytest.mark.postgres
@pytest.mark.redis
def test_a_broker_away_for_half_a_minute_delays_runs_and_nothing_else(
    start: Start, source: Source, broker: PrivateRedis, database: PrivatePostgres
) -> None:
    installation = start(DATABASE_URL=database.url, BROKER_URL=broker.url)
    pipeline = Pipeline(installation, source)
    schedule = pipeline.every_minute()
    first = next_minute()
    wait_for(first - timedelta(seconds=15))
    broker.kill()
    slot = pipeline.decided(schedule, first, seconds=25)
    assert moment(slot["decided_at"]) - first < PUNCTUAL
    wait_for(first + timedelta(seconds=15))
    assert [run["started_at"] for run in pipeline.history(schedule)[1]] == [None]
    broker.start()
    assert pipeline.ended(slot["run"])["status"] == "success"
    pipeline.decided(schedule, first + MINUTE)
    pipeline.switched_off(schedule)
    last = moment(pipeline.history(schedule)[0][-1]["due_at"])
    pipeline.each_minute_ran_once(schedule, first, last)


@pytest.mark.postgres
@pytest.mark.redis
def test_a_database_that_crashes_during_a_job_and_at_a_slot_loses_and_doubles_nothing(
    start: Start, source: Source, broker: PrivateRedis, database: PrivatePostgres
) -> None:
    installation = start(DATABASE_URL=database.url, BROKER_URL=broker.url)
    pipeline = Pipeline(installation, source)
    long = Pipeline(installation, source, name="Long")
    run = long.stopped_midway()
    database.restart()
    source.gate.set()
    ended = long.ended(run)
    assert (ended["status"], len(ended["tasks"][0]["jobs"])) == ("success", 1)
    assert long.table() == (1, 100)
    schedule = pipeline.every_minute()
    first = next_minute()
    wait_for(first - timedelta(seconds=2))
    database.stop()  # nothing can be decided when the minute turns
    wait_for(first + timedelta(seconds=3))
    database.start()
    pipeline.decided(schedule, first)
    wait_for(first + MINUTE)
    database.restart()  # in the very moment of firing
    pipeline.decided(schedule, first + MINUTE)
    pipeline.switched_off(schedule)
    last = moment(pipeline.history(schedule)[0][-1]["due_at"])
    pipeline.each_minute_ran_once(schedule, first, last)


@pytest.fixture
def on_rabbitmq(start: Start) -> Iterator[Installation]:
    with new_database() as url, virtual_host() as broker_url:
        installation = start(DATABASE_URL=url, BROKER_URL=broker_url)
        yield installation
        installation.stop()


@pytest.mark.postgres
@pytest.mark.rabbitmq
def test_killing_the_control_worker_on_rabbitmq_only_delays_the_run(
    on_rabbitmq: Installation, source: Source
) -> None:
    pipeline = Pipeline(on_rabbitmq, source, phases=2)
    assert pipeline.ended(pipeline.run())["status"] == "success"
    run = pipeline.stopped_midway()
    on_rabbitmq.kill("control")
    source.gate.set()
    ended = pipeline.ended(run)
    assert ended["status"] == "success"
    assert [(task["status"], len(task["jobs"])) for task in ended["tasks"]] == [("success", 1)] * 2
