"""How long before a time work must start, so that it is ready by then. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

MINUTE = timedelta(minutes=1)
# Without any history: rather too early than too late.
UNKNOWN = timedelta(hours=1)
LONGEST = timedelta(days=2)


def lead_of(durations: Sequence[timedelta], confidence: int) -> timedelta:
    """Return the shortest whole minutes in which `confidence` per cent of the durations were over.

    The nearest-rank percentile, so that few durations count as their longest. An hour without any,
    two days at most.
    """
    if not durations:
        return UNKNOWN
    rank = math.ceil(len(durations) * confidence / 100)
    longest = sorted(durations)[max(rank, 1) - 1]
    return min(max(math.ceil(longest / MINUTE), 1) * MINUTE, LONGEST)
