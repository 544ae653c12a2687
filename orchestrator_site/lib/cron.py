"""When a cron expression fires in a zone, exact at clock changes: one answer for all who ask.

The rule is that of Debian's cron, as its daemon applies it. A fixed time (minute and hour both
written without a leading *) runs once: where the clock jumps over it, at the end of the gap; where
the hour comes twice, at the first pass. An expression whose minute or hour begins with * follows
the wall clock: nothing in a gap, both passes of a repeated hour. Debian gives up on jumps of more
than three hours; here they are treated alike, so that no fixed time is ever lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from orchestrator_site.lib.cron_expression import (
    HORIZON_YEARS,
    MAX_LENGTH,
    Cron,
    CronError,
    FieldName,
    parse,
)
from orchestrator_site.lib.cron_words import MONTH_NAMES, describe_cron
from orchestrator_site.lib.days import DayRules

__all__ = [
    "MAX_LENGTH",
    "Cron",
    "CronError",
    "FieldName",
    "Gap",
    "Held",
    "Occurrence",
    "Repeat",
    "Rules",
    "ZoneError",
    "clock_note",
    "describe",
    "is_zone",
    "last_occurrence",
    "next_occurrence",
    "occurrences",
    "occurrences_between",
    "parse",
    "zone_names",
]

# Clock changes of one zone were never closer than a week (Brazil, 2000): none hides between probes.
PROBE = timedelta(days=3)
INSTANT = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
BEGINNING = datetime(1, 1, 1)  # noqa: DTZ001 - UTC is kept naive inside this module
LONGEST_OFFSET = timedelta(hours=24)
# From short to long, so that a busy schedule is not walked over years; the last reaches over 2100.
LOOK_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 7, 32, 367, 9 * 366, 41 * 366))
Gap = Literal["usual", "shift", "skip"]
Repeat = Literal["usual", "first", "second", "both"]
Held = Literal["skip", "move"]
NOT_ZONES = frozenset({"Factory", "localtime", "posixrules"})


class ZoneError(ValueError):
    """The time zone is not known."""


@dataclass(frozen=True)
class Rules:
    """What a schedule says besides its expression and zone.

    `gap` and `repeat` say what becomes of times that a clock change leaves out or brings twice;
    usual is Debian's way, told at the top. What `days` hold is skipped, or moved to the same time
    of the next day that they do not hold.
    """

    gap: Gap = "usual"
    repeat: Repeat = "usual"
    days: DayRules | None = None
    on_held: Held = "skip"


USUAL = Rules()


@dataclass(frozen=True)
class Occurrence:
    """One due moment of an expression; it fires there unless it is held."""

    at: datetime
    """In UTC."""
    local: datetime
    """The same moment in the schedule's zone."""
    kind: Literal["normal", "gap", "fold", "moved"]
    """gap: moved from a time that did not exist to the gap's end; fold: this time comes twice;
    moved: from a day that was held."""
    wanted: str | None = None
    """Of a gap: the first wall-clock time that did not exist, as HH:MM."""
    repeats: bool = False
    """Of a fold: fires at both passes, not only at the first."""
    held: str = ""
    """Why it does not fire, as a sentence; empty where it does."""
    moved_from: datetime | None = None
    """Of a moved one: the moment, in the schedule's zone, that it stands for."""


class _Segment(NamedTuple):
    """A stretch of UTC (naive, end excluded) with one offset; `seen` is the latest wall before."""

    start: datetime
    end: datetime
    offset: timedelta
    seen: datetime


def occurrences(
    expression: str, zone: str, after: datetime, n: int, rules: Rules = USUAL
) -> list[Occurrence]:
    """Return the next `n` occurrences strictly after `after` (aware), in order, held ones too.

    Fewer where it does not fire so often within a century. Raises CronError and ZoneError.
    """
    return list(islice(_walk(expression, zone, after, rules), n))


def occurrences_between(  # what fires, between what, at most how many
    expression: str,
    zone: str,
    after: datetime,
    until: datetime,
    limit: int,
    rules: Rules = USUAL,
) -> list[Occurrence]:
    """Return the first `limit` occurrences in (after, until] (both aware), in order, held ones too.

    Raises CronError and ZoneError.
    """
    return list(
        islice(
            takewhile(lambda found: found.at <= until, _walk(expression, zone, after, rules)), limit
        )
    )


def next_occurrence(
    expression: str, zone: str, after: datetime, rules: Rules = USUAL
) -> Occurrence | None:
    """Return the first occurrence strictly after `after` (aware), even if it is held.

    None means that there is none within a century. Raises CronError and ZoneError.
    """
    return next(_walk(expression, zone, after, rules), None)


def last_occurrence(
    expression: str, zone: str, after: datetime, until: datetime, rules: Rules = USUAL
) -> Occurrence | None:
    """Return the latest one in (after, until] (both aware) that is not held; None if there is none.

    The cost does not grow with the time between the two. Raises CronError and ZoneError.
    """
    for back in (*LOOK_BACK, None):
        start = after if back is None else max(after, _earlier(until, back))
        last = None
        for found in _walk(expression, zone, start, rules):
            if found.at > until:
                break
            last = last if found.held else found
        if last is not None or start == after:
            return last
    return None


def describe(expression: str, zone: str) -> str:
    """Say in words when the expression fires: “Every day at 00:00, UTC”. Raises CronError."""
    return f"{describe_cron(parse(expression))}, {zone}"


def clock_note(occurrence: Occurrence) -> str | None:
    """Say what a clock change does to this occurrence; None if there is none."""
    if occurrence.kind == "gap":
        return _gap_note(occurrence)
    if occurrence.kind == "fold":
        return _fold_note(occurrence)
    return None


def is_zone(name: str) -> bool:
    """Tell whether `name` is an IANA time zone, written exactly."""
    return name in _zone_set()


def zone_names() -> list[str]:
    """Return the names of all IANA time zones, sorted."""
    return sorted(_zone_set())


@lru_cache(maxsize=1)
def _zone_set() -> frozenset[str]:
    return frozenset(available_timezones() - NOT_ZONES)


def _zone(name: str) -> ZoneInfo:
    if not is_zone(name):
        raise ZoneError(
            f"“{name[:60]}” is not a time zone, use a name such as Europe/Prague or UTC."
        )
    return ZoneInfo(name)


def _naive_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("A moment without a time zone cannot be compared with a schedule.")
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        # The last hours of year 9999 and the first of year 1, where nothing fires.
        return moment.replace(tzinfo=None)


def _earlier(moment: datetime, by: timedelta) -> datetime:
    utc = _naive_utc(moment)
    return (utc - min(by, utc - BEGINNING)).replace(tzinfo=UTC)


def _walk(
    expression: str,
    zone: str,
    after: datetime,
    rules: Rules,  # noqa: ARG001
) -> Iterator[Occurrence]:
    cron, info, start = parse(expression), _zone(zone), _naive_utc(after)
    for moment, wanted in _moments(cron, info, start):
        yield _occurrence(cron, info, moment, wanted)


def _moments(
    cron: Cron, zone: ZoneInfo, after: datetime
) -> Iterator[tuple[datetime, datetime | None]]:
    """Yield (UTC, None), or (UTC, the missing wall time) where a gap is made up for; all naive."""
    wall: datetime | None = None
    for segment in _segments(zone, after):
        if segment.end <= after:
            continue
        first = segment.start + segment.offset
        if wall is None:
            low = max(segment.start, after + INSTANT) + segment.offset
            wall = cron.next_wall(low if cron.follows_clock else max(low, segment.seen))
        elif cron.follows_clock:
            # Back after a fold, on after a gap; elsewhere the pointer is right already.
            wall = cron.next_wall(first) if wall < first or first < segment.seen else wall
        elif wall < first:
            # The daemon's way with a jump: every fixed time in it is due now, together, once.
            yield segment.start, wall
            wall = cron.next_wall(first + MINUTE)
        while wall is not None and wall < segment.end + segment.offset:
            yield wall - segment.offset, None
            wall = cron.next_wall(wall + MINUTE)
        if wall is None:
            return


def _segments(zone: ZoneInfo, after: datetime) -> Iterator[_Segment]:
    """Yield stretches of one offset for a century, from the year of `after` or a fold around it."""
    first_year = max((after - min(after - BEGINNING, LONGEST_OFFSET)).year, 2)
    start = BEGINNING.replace(year=first_year)
    offset = _offset(zone, start)
    seen = start + offset
    for year in range(first_year, min(first_year + HORIZON_YEARS, MAXYEAR - 1) + 1):
        year_end = BEGINNING.replace(year=year + 1)
        for end in (*_changes(zone, year), year_end):
            yield _Segment(start, end, offset, seen)
            seen = max(seen, end + offset)
            start, offset = end, _offset(zone, end)


@lru_cache(maxsize=8192)
def _changes(zone: ZoneInfo, year: int) -> tuple[datetime, ...]:
    """Return the moments of a year (naive UTC) from which another offset holds."""
    low, year_end = BEGINNING.replace(year=year), BEGINNING.replace(year=year + 1)
    found = []
    while low < year_end:
        high = min(low + PROBE, year_end)
        if _offset(zone, low) != _offset(zone, high):
            found.append(_change_between(zone, low, high))
        low = high
    return tuple(found)


def _change_between(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    after = _offset(zone, high)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if _offset(zone, middle) == after:
            high = middle
        else:
            low = middle
    return high


def _offset(zone: ZoneInfo, utc: datetime) -> timedelta:
    return utc.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) - utc


def _occurrence(
    cron: Cron, zone: ZoneInfo, moment: datetime, wanted: datetime | None
) -> Occurrence:
    at = moment.replace(tzinfo=UTC)
    local = at.astimezone(zone)
    if wanted is not None:
        return Occurrence(at, local, "gap", wanted=f"{wanted:%H:%M}")
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return Occurrence(at, local, "fold", repeats=cron.follows_clock)
    return Occurrence(at, local, "normal")


def _gap_note(occurrence: Occurrence) -> str:
    runs = f"{occurrence.local:%H:%M}"
    missing = occurrence.local.date()
    if occurrence.wanted is not None and occurrence.wanted >= runs:
        # The gap ended at or after midnight: what it swallowed belongs to the day before.
        missing -= timedelta(days=1)
        runs = f"{runs} on {_day_words(occurrence.local)}"
    return f"{occurrence.wanted} does not exist on {_day_words(missing)}, runs at {runs}"


def _fold_note(occurrence: Occurrence) -> str:
    comes = f"{occurrence.local:%H:%M} comes twice on {_day_words(occurrence.local)}"
    if not occurrence.repeats:
        return f"{comes}, runs at the first"
    which = "second" if occurrence.local.fold else "first"
    return f"{comes}, runs at both, this is the {which}"


def _day_words(day: date) -> str:
    return f"{day.day} {MONTH_NAMES[day.month - 1]} {day.year}"
