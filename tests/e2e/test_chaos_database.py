"""PostgreSQL crashes during a job and while slots are decided; nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import Start
from tests.e2e.installation import Source, until
from tests.e2e.pipelines import (
    MINUTE,
    Pipeline,
    minutes_between,
    moment,
    next_minute,
    wait_for,
)
from tests.e2e.servers import PrivatePostgres, PrivateRedis, private_postgres, private_redis

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PrivateRedis]:
    with private_redis(tmp_path) as server:
        yield server


@pytest.fixture
def database() -> Iterator[PrivatePostgres]:
    with private_postgres() as server:
        yield server


def test_a_database_away_for_a_minute_is_told_of_and_every_minute_is_explained(
    database: PrivatePostgres, broker: PrivateRedis, start: Start, source: Source
) -> None:
    installation = start(DATABASE_URL=database.url, BROKER_URL=broker.url)
    pipeline = Pipeline(installation, source)
    first = next_minute(ahead=8)
    schedule = pipeline.every_minute()
    wait_for(first - timedelta(seconds=5))
    database.stop()
    wait_for(first + timedelta(seconds=63))  # two minutes turn meanwhile
    database.start()
    pipeline.decided(schedule, first + MINUTE)
    told = "The database could not be reached. No schedule fired from "
    until(lambda: told in installation.log(), "the message about the outage")
    pipeline.switched_off(schedule)

    slots, runs = pipeline.history(schedule)
    assert [moment(slot["due_at"]) for slot in slots] == minutes_between(
        first, moment(slots[-1]["due_at"])
    )
    assert [slot["outcome"] for slot in slots] == ["coalesced", *["fired"] * (len(slots) - 1)]
    assert slots[0]["reason"].startswith("Nothing fired from ")
    assert [run["status"] for run in runs] == ["success"] * (len(slots) - 1)
    assert [slot["run"] for slot in slots[1:]] == [run["id"] for run in runs]
    [outage] = installation.api("GET", "/status")["outages"]
    assert outage["reason"] == "The database could not be reached."
    assert moment(outage["began_at"]) < first
    assert moment(outage["ended_at"]) > first + MINUTE
    assert installation.log().count(told) == 1


def test_a_database_that_crashes_during_a_job_and_at_a_slot_loses_and_doubles_nothing(
    database: PrivatePostgres, broker: PrivateRedis, start: Start, source: Source
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
    first = next_minute()
    schedule = pipeline.every_minute()
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
