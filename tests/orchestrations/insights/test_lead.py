from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrations.insights.lead import LONGEST, UNKNOWN, lead_of


def minutes(*numbers: float) -> list[timedelta]:
    return [timedelta(minutes=number) for number in numbers]


@pytest.mark.parametrize(
    ("durations", "confidence", "lead"),
    [
        ([], 90, UNKNOWN),
        (minutes(12), 50, timedelta(minutes=12)),
        (minutes(30, 10, 20), 90, timedelta(minutes=30)),
        (minutes(*range(1, 11)), 90, timedelta(minutes=9)),
        (minutes(*range(1, 11)), 91, timedelta(minutes=10)),
        (minutes(*range(1, 11)), 50, timedelta(minutes=5)),
        (minutes(7.01), 50, timedelta(minutes=8)),
        (minutes(0), 99, timedelta(minutes=1)),
        (minutes(60 * 24 * 9), 99, LONGEST),
    ],
)
def test_the_lead_covers_so_many_per_cent_of_the_durations(
    durations: list[timedelta], confidence: int, lead: timedelta
) -> None:
    assert lead_of(durations, confidence) == lead
