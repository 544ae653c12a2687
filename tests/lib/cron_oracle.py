"""A slow, obvious reading of what expressions and policies mean, minute by minute.

Nothing here shares code with what is tested: fields are expanded, days matched, clock changes found
and intervals counted again. `python -m tests.lib.cron_oracle` writes the golden file anew.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

GOLDEN = Path(__file__).parent / "golden" / "cron.tsv"
MINUTE = timedelta(minutes=1)
AROUND = timedelta(hours=26)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
EXPRESSIONS = (
    "30 2 * * *",
    "15,45 1-3 * * *",
    "0 0 * * *",
    "30 0 * * *",
    "59 23 * * *",
    "30 2 * * 0",
    "0 12 30 12 *",
    "*/15 * * * *",
    "*/30 2 * * *",
    "0 */2 * * *",
    "@every 90 minutes from 2011-01-01 00:30",
    "@every 2 days from 2011-01-02 02:30",
)
ZONES = {
    "Europe/Prague": (2027,),
    "America/New_York": (2027,),
    "Australia/Lord_Howe": (2027,),
    "Africa/Casablanca": (2026,),
    "America/Santiago": (2027,),
    "Asia/Kolkata": (2027,),
    "Pacific/Apia": (2011, 2020, 2021),
    "UTC": (2027,),
}
POLICIES = (("usual", "usual"), *product(("shift", "skip"), ("first", "second", "both")))


@dataclass(frozen=True)
class Case:
    """An expression in a zone under two policies, around one moment."""

    zone: str
    around: datetime
    expression: str
    gap: str
    repeat: str

    @property
    def begin(self) -> datetime:
        return self.around - AROUND

    @property
    def end(self) -> datetime:
        return self.around + AROUND


def cases() -> Iterator[Case]:
    for zone, years in ZONES.items():
        for moment in _changes(ZoneInfo(zone), years):
            for expression in EXPRESSIONS:
                for gap, repeat in POLICIES:
                    yield Case(zone, moment, expression, gap, repeat)


def answer(case: Case) -> list[str]:
    """What fires after the beginning of the case up to its end, as the golden file has it."""
    zone = ZoneInfo(case.zone)
    minutes = list(_minutes(case.begin + MINUTE, case.end))
    if "minutes from" in case.expression:
        return [_line(at, zone, "") for at in minutes if _is_counted(case.expression, zone, at)]
    follows = case.expression.split()[0][0] == "*" or case.expression.split()[1][0] == "*"
    found = dict.fromkeys(_regular(case, zone, minutes, follows=follows), "")
    shifts = not follows if case.gap == "usual" else case.gap == "shift"
    for at in minutes:
        if not any(_matches(case.expression, wall) for wall in _swallowed(at, zone)):
            continue
        if shifts:
            found[at] = " gap"
        elif not follows and at not in found:
            found[at] = " held"
    return [_line(at, zone, note) for at, note in sorted(found.items())]


def _regular(
    case: Case, zone: ZoneInfo, minutes: list[datetime], *, follows: bool
) -> Iterator[datetime]:
    """The moments at which the clock shows a time that is named, at the passes that count."""
    repeat = ("both" if follows else "first") if case.repeat == "usual" else case.repeat
    # A wall time may be shown first, or again, outside of the window.
    shown: dict[datetime, list[datetime]] = defaultdict(list)
    for at in _minutes(case.begin - AROUND, case.end + AROUND):
        shown[_wall(at, zone)].append(at)
    for at in minutes:
        passes = shown[_wall(at, zone)]
        wanted = {"first": passes[:1], "second": passes[-1:], "both": passes}[repeat]
        if _matches(case.expression, _wall(at, zone)) and at in wanted:
            yield at


def _minutes(begin: datetime, end: datetime) -> Iterator[datetime]:
    while begin <= end:
        yield begin
        begin += MINUTE


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _swallowed(at: datetime, zone: ZoneInfo) -> list[datetime]:
    """The wall-clock minutes that the clock jumps over just before a moment."""
    before, after = _wall(at - MINUTE, zone), _wall(at, zone)
    return list(_minutes(before + MINUTE, after - MINUTE)) if after - before > MINUTE else []


def _line(at: datetime, zone: ZoneInfo, note: str) -> str:
    return f"{at.astimezone(zone).isoformat(timespec='minutes')}{note}"


def _is_counted(expression: str, zone: ZoneInfo, at: datetime) -> bool:
    _, count, _, _, day, time = expression.split()
    anchor = datetime.fromisoformat(f"{day} {time}").replace(tzinfo=zone).astimezone(UTC)
    return at >= anchor and ((at - anchor) // MINUTE) % int(count) == 0


def _matches(expression: str, wall: datetime) -> bool:
    if expression.startswith("@every"):
        _, count, _, _, day, time = expression.split()
        anchor = datetime.fromisoformat(f"{day} {time}")
        days, rest = divmod(wall - anchor, timedelta(days=1))
        return days >= 0 and days % int(count) == 0 and not rest
    minute, hour, day, month, weekday = expression.split()
    if wall.minute not in _values(minute, 0) or wall.hour not in _values(hour, 1):
        return False
    if wall.month not in _values(month, 3):
        return False
    of_month = wall.day in _values(day, 2)
    of_week = (calendar.weekday(wall.year, wall.month, wall.day) + 1) % 7 in _values(weekday, 4)
    both = day[0] == "*" or weekday[0] == "*"
    return (of_month and of_week) if both else (of_month or of_week)


def _values(text: str, index: int) -> set[int]:
    low, high = RANGES[index]
    found: set[int] = set()
    for term in text.split(","):
        body, _, step = term.partition("/")
        start, _, end = body.partition("-")
        first = low if body == "*" else int(start)
        last = high if body == "*" or (step and not end) else int(end or start)
        found |= set(range(first, last + 1, int(step or 1)))
    return found


def _changes(zone: ZoneInfo, years: tuple[int, ...]) -> list[datetime]:
    """The minutes of some years at which the zone's offset changes; noon of a day where none."""
    found = []
    for year in years:
        hour = datetime(year, 1, 1, tzinfo=UTC)
        while hour.year == year:
            later = hour + timedelta(hours=1)
            if hour.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
                found.append(
                    next(
                        at
                        for at in _minutes(hour, later)
                        if at.astimezone(zone).utcoffset() == later.astimezone(zone).utcoffset()
                    )
                )
            hour = later
    return found or [datetime(years[0], 6, 1, 12, tzinfo=UTC)]


def lines() -> Iterator[str]:
    """The golden file: zone, moment in the middle (UTC), expression, gap, repeat, what fires."""
    for case in cases():
        moment = case.around.strftime("%Y-%m-%dT%H:%MZ")
        fires = " ".join(each.replace(" ", "!") for each in answer(case))
        yield f"{case.zone}\t{moment}\t{case.expression}\t{case.gap}\t{case.repeat}\t{fires}"


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(lines()) + "\n", encoding="utf-8")
