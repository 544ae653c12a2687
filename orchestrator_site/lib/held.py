"""What a calendar does to a stream of due moments: holds some, and moves them where asked to."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator_site.lib.clock import BEGINNING, at_wall, offset_at
from orchestrator_site.lib.cron_notes import moment_words
from orchestrator_site.lib.cron_rules import Occurrence, Rules
from orchestrator_site.lib.days import DayRules

DAY = timedelta(days=1)
MOST_DAYS = 366  # that a moment is moved at most

Stream = Callable[[datetime], Iterator[Occurrence]]


def hold(plain: Stream, zone: ZoneInfo, after: datetime, rules: Rules) -> Iterator[Occurrence]:
    """Yield what `plain` has after `after` (naive UTC), with what is held and where it goes.

    A held moment stays in its place with the reason. Moved, another stands at the same time of the
    next day that does not hold it; where a regular moment is there already, that one stands for
    both. Moments that a day before `after` moves beyond it are there too.
    """
    days = rules.days
    if days is None:
        yield from plain(after)
    elif rules.on_held == "move":
        found = _moved(plain(_first_held(days, zone, after)), zone, days)
        limit = after.replace(tzinfo=UTC)
        yield from (each for each in found if each.at > limit)
    else:
        yield from (_held(each, days) for each in plain(after))


def _held(occurrence: Occurrence, days: DayRules) -> Occurrence:
    reason = "" if occurrence.held else days.reason(_wall(occurrence))
    return replace(occurrence, held=_sentence(days, reason)) if reason else occurrence


def _moved(plain: Iterator[Occurrence], zone: ZoneInfo, days: DayRules) -> Iterator[Occurrence]:
    waiting: list[tuple[datetime, datetime, Occurrence]] = []
    for occurrence in plain:
        yield from _before(waiting, occurrence.at)
        held = _held(occurrence, days)
        if occurrence.held and waiting and waiting[0][0] == occurrence.at:
            continue  # the one that is moved there runs, and stands for what a gap skips
        if not held.held or occurrence.held:
            _drop(waiting, occurrence.at)
            yield held
            continue
        target = _target(_wall(occurrence), zone, days)
        if target is not None:
            moved = _at(target, zone, occurrence)
            heapq.heappush(waiting, (moved.at, occurrence.at, moved))
            held = replace(held, held=f"{held.held}, moved to {moment_words(moved.local)}")
        yield held
    yield from _before(waiting, None)


def _before(
    waiting: list[tuple[datetime, datetime, Occurrence]], until: datetime | None
) -> Iterator[Occurrence]:
    """Yield the moved ones before `until`; several at one moment are one."""
    while waiting and (until is None or waiting[0][0] < until):
        at, _, moved = heapq.heappop(waiting)
        _drop(waiting, at)
        yield moved


def _drop(waiting: list[tuple[datetime, datetime, Occurrence]], at: datetime) -> None:
    while waiting and waiting[0][0] == at:
        heapq.heappop(waiting)


def _target(wall: datetime, zone: ZoneInfo, days: DayRules) -> datetime | None:
    """Return when (naive UTC) a held moment runs instead; None where a year has no such day.

    Where the clock jumps over that time, the end of the gap must be free as well.
    """
    for number in range(1, MOST_DAYS + 1):
        later = wall + number * DAY
        if days.reason(later):
            continue
        target = at_wall(zone, later)
        if not days.reason(target + offset_at(zone, target)):
            return target
    return None


def _at(moment: datetime, zone: ZoneInfo, instead_of: Occurrence) -> Occurrence:
    at = moment.replace(tzinfo=UTC)
    return Occurrence(at, at.astimezone(zone), "moved", moved_from=instead_of.local)


def _first_held(days: DayRules, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the beginning (naive UTC) of the days before `after` whose moments may end up after.

    Those are the days without a gap between them that hold anything; a moment never moves over a
    day that holds nothing.
    """
    today = datetime.combine((after + offset_at(zone, after)).date(), time())
    for number in range(1, MOST_DAYS + 1):
        if today - number * DAY < BEGINNING + 3 * DAY or not days.touches(today - number * DAY):
            return at_wall(zone, today - (number - 1) * DAY) - timedelta(microseconds=1)
    return at_wall(zone, today - MOST_DAYS * DAY)


def _wall(occurrence: Occurrence) -> datetime:
    return occurrence.local.replace(tzinfo=None, fold=0)


def _sentence(days: DayRules, reason: str) -> str:
    return f"Held by calendar {days.name}: {reason}"
