"""When a schedule would fire: the same function answers that fires it (invariant I3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone as clock

from orchestrations.exceptions import InvalidSchedule
from orchestrator_site.lib import cron as crons
from orchestrator_site.lib.cron_rules import Kind, Rules

MOST_PREVIEWED = 100
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class PreviewMoment:
    """One coming due moment: in UTC, in the schedule's zone and in the viewer's.

    `note` says what a clock change or a calendar does to it; None means nothing. What `is_held`
    starts nothing. `starts_at` comes before it where the work must be ready by then. `gap` is the
    time since the one before it that starts, None for the first.
    """

    at: datetime
    local: datetime
    viewer: datetime
    kind: Kind
    note: str | None
    is_held: bool = False
    starts_at: datetime | None = None
    gap: timedelta | None = None


@dataclass(frozen=True)
class Preview:
    """A schedule in words, and its next due moments in order.

    `usual_gap` is the commonest time between two of them; None where none comes twice.
    """

    words: str
    occurrences: list[PreviewMoment]
    usual_gap: timedelta | None = None


@dataclass(frozen=True)
class Limits:
    """From when to when a schedule is valid and until when it is paused; None means not at all."""

    valid_from: datetime | None = None
    valid_to: datetime | None = None
    paused_until: datetime | None = None


NO_LIMITS = Limits()


def preview(  # noqa: PLR0913  # keyword-only: one for each thing that is said
    cron: str,
    timezone: str,
    *,
    n: int = 5,
    after: datetime | None = None,
    viewer_zone: str = "UTC",
    rules: Rules = crons.USUAL,
    limits: Limits = NO_LIMITS,
    lead: timedelta = timedelta(),
) -> Preview:
    """Say when a schedule would fire: up to `n` (1 to 100) moments strictly after `after` or now.

    Moments that fall outside of its limits are left out, held ones are told of. A viewer's zone
    that is not known counts as UTC. Raises InvalidSchedule with the wrong fields.
    """
    cron = check_timing(cron, timezone)
    viewer = ZoneInfo(viewer_zone if crons.is_zone(viewer_zone) else "UTC")
    count = max(1, min(n, MOST_PREVIEWED))
    begin = _begin((after or clock.now()) + lead, limits, lead)
    found = [
        each
        for each in crons.occurrences(cron, timezone, begin, count, rules)
        if limits.valid_to is None or each.at <= limits.valid_to
    ]
    gaps = _gaps(found)
    moments = [
        PreviewMoment(
            *(each.at, each.local, each.at.astimezone(viewer), each.kind, crons.clock_note(each)),
            is_held=bool(each.held),
            starts_at=each.at - lead if lead else None,
            gap=gap,
        )
        for each, gap in zip(found, gaps, strict=True)
    ]
    return Preview(crons.describe(cron, timezone), moments, _usual(gaps))


def _usual(gaps: Sequence[timedelta | None]) -> timedelta | None:
    counted = Counter(gap for gap in gaps if gap is not None).most_common(1)
    return next((gap for gap, times in counted if times > 1), None)


def _begin(after: datetime, limits: Limits, lead: timedelta) -> datetime:
    """Return the moment after which the first one may come."""
    if limits.valid_from is not None:
        after = max(after, limits.valid_from - INSTANT)
    if limits.paused_until is not None:
        after = max(after, limits.paused_until + lead - INSTANT)
    return after


def _gaps(found: Sequence[crons.Occurrence]) -> list[timedelta | None]:
    gaps: list[timedelta | None] = []
    last: datetime | None = None
    for each in found:
        gaps.append(None if last is None or each.held else each.at - last)
        last = last if each.held else each.at
    return gaps


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
