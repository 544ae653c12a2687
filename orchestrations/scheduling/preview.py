"""When a schedule would fire: the same function answers that fires it (invariant I3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from django.utils import timezone as clock

from orchestrations.exceptions import InvalidSchedule
from orchestrator_site.lib import cron as crons

MOST_PREVIEWED = 100


@dataclass(frozen=True)
class PreviewMoment:
    """One coming due moment: in UTC, in the schedule's zone and in the viewer's.

    `note` says what a clock change does to it; None means nothing.
    """

    at: datetime
    local: datetime
    viewer: datetime
    kind: Literal["normal", "gap", "fold", "moved"]
    note: str | None


@dataclass(frozen=True)
class Preview:
    """A schedule in words, and its next due moments in order."""

    words: str
    occurrences: list[PreviewMoment]


def preview(
    cron: str, timezone: str, *, n: int = 5, after: datetime | None = None, viewer_zone: str = "UTC"
) -> Preview:
    """Say when a schedule would fire: up to `n` (1 to 100) moments strictly after `after` or now.

    A viewer's zone that is not known counts as UTC. Raises InvalidSchedule with the wrong fields.
    """
    cron = check_timing(cron, timezone)
    viewer = ZoneInfo(viewer_zone if crons.is_zone(viewer_zone) else "UTC")
    count = max(1, min(n, MOST_PREVIEWED))
    found = crons.occurrences(cron, timezone, after or clock.now(), count)
    moments = [
        PreviewMoment(o.at, o.local, o.at.astimezone(viewer), o.kind, crons.clock_note(o))
        for o in found
    ]
    return Preview(crons.describe(cron, timezone), moments)


def check_timing(cron: str, timezone: str) -> str:
    """Return the expression with single spaces; raises InvalidSchedule with the wrong fields."""
    wrong: dict[str, str] = {}
    try:
        written = crons.parse(cron)
    except crons.CronError as error:
        wrong["cron"] = str(error)
    if not crons.is_zone(timezone):
        wrong["timezone"] = f"“{timezone[:60]}” is not a time zone; take one such as Europe/Prague."
    if wrong:
        raise InvalidSchedule(" ".join(wrong.values()), fields=wrong)
    return written.text if isinstance(written, crons.Every) else " ".join(cron.split())
