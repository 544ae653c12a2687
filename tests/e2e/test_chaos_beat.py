"""Beat is killed around the minute; every slot is decided once and runs once."""

from __future__ import annotations

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
