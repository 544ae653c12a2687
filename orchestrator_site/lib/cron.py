"""When a schedule's expression fires in a zone, exact at clock changes: one answer for all who ask.

The usual rule is that of Debian's cron, as its daemon applies it. A fixed time (minute and hour
both written without a leading *) runs once: where the clock jumps over it, at the end of the gap;
where the hour comes twice, at the first pass. An expression whose minute or hour begins with *
follows the wall clock: nothing in a gap, both passes of a repeated hour. Debian gives up on jumps
of more than three hours; here they are treated alike, so that no fixed time is ever lost. `Rules`
say otherwise for one schedule.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice, pairwise, takewhile
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from orchestrator_site.lib import cron_expression
from orchestrator_site.lib.clock import (
    INSTANT,
    Segment,
    ZoneError,
    at_wall,
    earlier,
    find_zone,
    is_zone,
    naive_utc,
    segments,
    zone_names,
)
from orchestrator_site.lib.cron_expression import MAX_LENGTH, Cron, CronError, FieldName
from orchestrator_site.lib.cron_notes import clock_note, gap_note
from orchestrator_site.lib.cron_rules import USUAL, Gap, Held, Occurrence, Repeat, Rules
from orchestrator_site.lib.cron_words import describe_cron
from orchestrator_site.lib.every import MACRO, Every, parse_every
from orchestrator_site.lib.held import hold

__all__ = [
    "MAX_LENGTH",
    "USUAL",
    "Cron",
    "CronError",
    "Every",
    "Expression",
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
    "parse_cron",
    "zone_names",
]

MINUTE = timedelta(minutes=1)
# From short to long, so that a busy schedule is not walked over years; the last reaches over 2100.
LOOK_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 7, 32, 367, 9 * 366, 41 * 366))

Expression = Cron | Every


class Walls(Protocol):
    """What names wall-clock times."""

    def next_wall(self, wall: datetime) -> datetime | None:
        """Return the first named time at or after `wall` (both naive); None if there is none."""


class _Policy(NamedTuple):
    """What becomes of times in a gap and of repeated ones, usual put into plain terms."""

    shifts: bool
    tells_skipped: bool
    repeat: str


def parse(expression: str) -> Expression:
    """Read a cron expression or an anchored interval; raises CronError with field and reason."""
    text = expression.strip()
    if text[: len(MACRO)].upper() == MACRO and len(text) <= MAX_LENGTH and text.isascii():
        return parse_every(text)
    return cron_expression.parse(expression)


def parse_cron(expression: str) -> Cron | None:
    """Read a cron expression; None where it is an anchored interval. Raises CronError."""
    found = parse(expression)
    return found if isinstance(found, Cron) else None


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
    found = _walk(expression, zone, after, rules)
    return list(islice(takewhile(lambda each: each.at <= until, found), limit))


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
        start = after if back is None else max(after, earlier(until, back))
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


def _walk(expression: str, zone: str, after: datetime, rules: Rules) -> Iterator[Occurrence]:
    walls, info, start = parse(expression), find_zone(zone), naive_utc(after)
    if rules.days is None:
        return _plain(walls, info, start, rules)
    return hold(lambda begin: _plain(walls, info, begin, rules), info, start, rules)


def _plain(
    walls: Expression, zone: ZoneInfo, after: datetime, rules: Rules
) -> Iterator[Occurrence]:
    """Yield what is due before a calendar has its say."""
    if isinstance(walls, Every) and walls.is_real_time:
        for moment in _in_real_time(walls, zone, after):
            yield _occurrence(moment, zone, repeats=True)
        return
    policy = _policy(walls, rules)
    for moment, missing in _moments(walls, zone, after, policy):
        if missing is None:
            yield _occurrence(moment, zone, repeats=policy.repeat == "both")
        else:
            yield _at_gap(moment, zone, missing, is_held=not policy.shifts)


def _policy(walls: Expression, rules: Rules) -> _Policy:
    follows = walls.follows_clock
    shifts = not follows if rules.gap == "usual" else rules.gap == "shift"
    repeat = rules.repeat
    if repeat == "usual":
        repeat = "both" if follows else "first"
    return _Policy(shifts, not shifts and not follows, repeat)


def _in_real_time(every: Every, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield the moments (naive UTC) of an interval in real time."""
    anchor = at_wall(zone, every.anchor)
    moment = anchor + max((after - anchor) // every.step + 1, 0) * every.step
    try:
        while True:
            yield moment
            moment += every.step
    except OverflowError:
        return


def _moments(
    walls: Walls, zone: ZoneInfo, after: datetime, policy: _Policy
) -> Iterator[tuple[datetime, datetime | None]]:
    """Yield (UTC, None), or (UTC, the missing wall time) at the end of a gap; all naive."""
    named = _Remembered(walls)
    for segment, following in pairwise(chain(segments(zone, after), [None])):
        if segment is None or segment.end <= after:
            continue
        begin = segment.first if policy.repeat != "first" else max(segment.first, segment.seen)
        missing = _missing(named, segment, policy) if segment.start > after else None
        if missing is not None:
            # The daemon's way with a jump: every fixed time in it is due now, together, once.
            yield segment.start, missing
            begin = segment.first + MINUTE
        begin = max(begin, max(segment.start, after + INSTANT) + segment.offset)
        end = segment.end + segment.offset
        if policy.repeat == "second" and following is not None:
            end = min(end, following.first)
        for wall in named.between(begin, end):
            yield wall - segment.offset, None
        if named.at_or_after(begin) is None:
            return


def _missing(named: _Remembered, segment: Segment, policy: _Policy) -> datetime | None:
    """Return the first named time that a gap swallowed, if it is due or told of at the gap's end.

    What is skipped is not told of where a regular moment is.
    """
    if segment.first <= segment.seen or not (policy.shifts or policy.tells_skipped):
        return None
    missing = named.at_or_after(segment.seen)
    if missing is None or missing >= segment.first:
        return None
    is_regular = named.at_or_after(segment.first) == segment.first
    return None if is_regular and not policy.shifts else missing


class _Remembered:
    """Asks for named times, and not again for what lies between a question and its answer."""

    def __init__(self, walls: Walls) -> None:
        self.walls = walls
        self.asked: datetime | None = None
        self.answer: datetime | None = None

    def at_or_after(self, wall: datetime) -> datetime | None:
        """Return the first named time at or after `wall`."""
        known = self.asked is not None and self.asked <= wall
        if not known or (self.answer is not None and wall > self.answer):
            self.asked, self.answer = wall, self.walls.next_wall(wall)
        return self.answer

    def between(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the named times from `begin` to before `end`."""
        wall = self.at_or_after(begin)
        while wall is not None and wall < end:
            yield wall
            wall = self.at_or_after(wall + MINUTE)


def _at_gap(moment: datetime, zone: ZoneInfo, missing: datetime, *, is_held: bool) -> Occurrence:
    at = moment.replace(tzinfo=UTC)
    found = Occurrence(at, at.astimezone(zone), "gap", wanted=f"{missing:%H:%M}")
    if not is_held:
        return found
    return Occurrence(at, found.local, "gap", wanted=found.wanted, held=gap_note(found, runs=False))


def _occurrence(moment: datetime, zone: ZoneInfo, *, repeats: bool) -> Occurrence:
    at = moment.replace(tzinfo=UTC)
    local = at.astimezone(zone)
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return Occurrence(at, local, "fold", repeats=repeats)
    return Occurrence(at, local, "normal")
