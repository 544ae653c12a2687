"""Beat is killed and paused around the minute; every slot is decided once, and says why."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest

from tests.e2e.conftest import Start
from tests.e2e.installation import Source, until
from tests.e2e.pipelines import MINUTE, Pipeline, next_minute, wait_for

pytestmark = pytest.mark.processes


def test_killing_beat_around_the_minute_loses_and_doubles_no_slot(
    start: Start, source: Source
) -> None:
    installation = start()
    pipeline = Pipeline(installation, source)
    first = next_minute()
    schedule = pipeline.every_minute()
    wait_for(first - timedelta(seconds=0.5))
    killed = installation.pid("beat")
    installation.kill("beat")  # away when the minute turns
    until(lambda: installation.pid("beat") != killed, "a new beat")
    installation.kill("beat")  # and again while it begins
    wait_for(first + MINUTE)
    installation.kill("beat")  # in the very moment of firing
    pipeline.decided(schedule, first + 2 * MINUTE)
    pipeline.switched_off(schedule)
    pipeline.each_minute_ran_once(schedule, first, first + 2 * MINUTE)


def test_a_paused_beat_is_told_of_and_what_it_missed_says_when(
    start: Start, source: Source
) -> None:
    installation = start()
    pipeline = Pipeline(installation, source)
    missed = next_minute()
    schedule = pipeline.every_minute()
    beat = installation.pid("beat")
    there = [p["kind"] for p in installation.api("GET", "/status")["processes"]]
    assert sorted(there) == ["control", "jobs", "scheduler", "web"]
    wait_for(missed - timedelta(seconds=3))
    os.kill(beat, signal.SIGSTOP)
    try:
        outage = until(
            lambda: installation.api("GET", "/status")["outages"], "an outage on the status page"
        )[0]
        assert (outage["kind"], outage["ended_at"]) == ("silence", None)
        assert not installation.api("GET", "/status")["is_good"]
        assert (
            "Nobody is to be told: No scheduler was seen. No schedule has fired since"
            in installation.log()
        )  # nobody has an address to be told at
        wait_for(missed + timedelta(seconds=63))
    finally:
        os.kill(beat, signal.SIGCONT)
    pipeline.decided(schedule, missed + MINUTE)
    pipeline.switched_off(schedule)

    slots = installation.api("GET", f"/schedules/{schedule}/slots")["items"]
    late, on_time = slots[-1], slots[-2]
    assert (late["outcome"], on_time["outcome"]) == ("coalesced", "fired")
    assert late["reason"].startswith("Nothing fired from ")
    ended = until(
        lambda: installation.api("GET", "/status")["outages"][0]["ended_at"], "the outage's end"
    )
    assert ended > outage["began_at"]
    assert installation.pid("beat") == beat
