"""Time zones as stretches of one offset: where the wall clock jumps, and what it shows when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from orchestrator_site.lib.cron_expression import HORIZON_YEARS

# Clock changes of one zone were never closer than a week (Brazil, 2000): none hides between probes.
PROBE = timedelta(days=3)
INSTANT = timedelta(microseconds=1)
BEGINNING = datetime(1, 1, 1)  # noqa: DTZ001 - UTC is kept naive inside this module
LONGEST_OFFSET = timedelta(hours=24)
NOT_ZONES = frozenset({"Factory", "localtime", "posixrules"})


class ZoneError(ValueError):
    """The time zone is not known."""


class Segment(NamedTuple):
    """A stretch of UTC (naive, end excluded) with one offset; `seen` is the latest wall before."""

    start: datetime
    end: datetime
    offset: timedelta
    seen: datetime

    @property
    def first(self) -> datetime:
        """What the wall clock shows at its start."""
        return self.start + self.offset


@dataclass(frozen=True)
class ClockChange:
    """A moment (UTC) at which a zone's wall clock jumps from `before` to `after` (both naive)."""

    at: datetime
    before: datetime
    after: datetime

    @property
    def is_gap(self) -> bool:
        """Tell whether times are left out; otherwise they come twice."""
        return self.after > self.before


def is_zone(name: str) -> bool:
    """Tell whether `name` is an IANA time zone, written exactly."""
    return name in _zone_set()


def zone_names() -> list[str]:
    """Return the names of all IANA time zones, sorted."""
    return sorted(_zone_set())


def find_zone(name: str) -> ZoneInfo:
    """Return a zone by its name; raises ZoneError."""
    if not is_zone(name):
        raise ZoneError(
            f"“{name[:60]}” is not a time zone, use a name such as Europe/Prague or UTC."
        )
    return ZoneInfo(name)


def next_clock_changes(zone: str, after: datetime, n: int = 2) -> list[ClockChange]:
    """Return the next `n` jumps of a zone's wall clock after `after` (aware), in order.

    Fewer where none comes within ten years. Raises ZoneError.
    """
    info, start = find_zone(zone), naive_utc(after)
    found: list[ClockChange] = []
    for year in range(start.year, min(start.year + 10, MAXYEAR - 1) + 1):
        for at in changes(info, year):
            if at > start and len(found) < n:
                before = at + offset_at(info, at - timedelta(seconds=1))
                found.append(ClockChange(at.replace(tzinfo=UTC), before, at + offset_at(info, at)))
    return found


def naive_utc(moment: datetime) -> datetime:
    """Return an aware moment as naive UTC; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("A moment without a time zone cannot be compared with a schedule.")
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        # The last hours of year 9999 and the first of year 1, where nothing fires.
        return moment.replace(tzinfo=None)


def earlier(moment: datetime, by: timedelta) -> datetime:
    """Return an aware moment so much before another, or the beginning of time."""
    utc = naive_utc(moment)
    return (utc - min(by, utc - BEGINNING)).replace(tzinfo=UTC)


def at_wall(zone: ZoneInfo, wall: datetime) -> datetime:
    """Return the moment (naive UTC) at which the clock shows `wall` (naive) first.

    The end of the gap where it never does.
    """
    utc = naive_utc(wall.replace(tzinfo=zone, fold=0))
    if utc + offset_at(zone, utc) == wall:
        return utc
    around = (utc - timedelta(days=2), utc + timedelta(days=2))
    years = {moment.year for moment in around}
    jumps = [at for year in sorted(years) for at in changes(zone, year) if around[0] < at]
    return next((at for at in jumps if at + offset_at(zone, at) > wall), utc)


def segments(zone: ZoneInfo, after: datetime) -> Iterator[Segment]:
    """Yield stretches of one offset for a century, from the year of `after` or a fold around it."""
    first_year = max((after - min(after - BEGINNING, LONGEST_OFFSET)).year, 2)
    start = BEGINNING.replace(year=first_year)
    offset = offset_at(zone, start)
    seen = start + offset
    for year in range(first_year, min(first_year + HORIZON_YEARS, MAXYEAR - 1) + 1):
        year_end = BEGINNING.replace(year=year + 1)
        for end in (*changes(zone, year), year_end):
            yield Segment(start, end, offset, seen)
            seen = max(seen, end + offset)
            start, offset = end, offset_at(zone, end)


@lru_cache(maxsize=8192)
def changes(zone: ZoneInfo, year: int) -> tuple[datetime, ...]:
    """Return the moments of a year (naive UTC) from which another offset holds."""
    low, year_end = BEGINNING.replace(year=year), BEGINNING.replace(year=year + 1)
    found = []
    while low < year_end:
        high = min(low + PROBE, year_end)
        if offset_at(zone, low) != offset_at(zone, high):
            found.append(_change_between(zone, low, high))
        low = high
    return tuple(found)


def offset_at(zone: ZoneInfo, utc: datetime) -> timedelta:
    """Return how far the wall clock is ahead of UTC at a moment (naive UTC)."""
    return utc.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) - utc


@lru_cache(maxsize=1)
def _zone_set() -> frozenset[str]:
    return frozenset(available_timezones() - NOT_ZONES)


def _change_between(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    after = offset_at(zone, high)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if offset_at(zone, middle) == after:
            high = middle
        else:
            low = middle
    return high
