"""What the next clock changes of a zone do to a schedule, in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator_site.lib.clock import ClockChange, next_clock_changes
from orchestrator_site.lib.cron import Every, Occurrence, Rules, clock_note, occurrences_between
from orchestrator_site.lib.cron import parse as parse_expression
from orchestrator_site.lib.cron_notes import day_words
from orchestrator_site.lib.sentences import counted, joined

INSTANT = timedelta(microseconds=1)
SHOWN = 3


@dataclass(frozen=True)
class ClockEffect:
    """A coming clock change, when it is in words, and what it does to a schedule."""

    change: ClockChange
    when: str
    effect: str


def clock_effects(
    expression: str, zone: str, after: datetime, rules: Rules, n: int = 2
) -> list[ClockEffect]:
    """Return the next `n` clock changes of a zone with what each does to a schedule.

    Raises CronError and ZoneError.
    """
    return [
        ClockEffect(change, _when(change), _effect(expression, zone, change, rules))
        for change in next_clock_changes(zone, after, n)
    ]


def _when(change: ClockChange) -> str:
    moved = "forward" if change.is_gap else "back"
    return (
        f"{day_words(change.before)}: the clock goes {moved} "
        f"from {change.before:%H:%M} to {change.after:%H:%M}"
    )


def _effect(expression: str, zone: str, change: ClockChange, rules: Rules) -> str:
    walls = parse_expression(expression)
    if isinstance(walls, Every) and walls.is_real_time:
        return "Nothing: the interval is counted in real time."
    around = _around(expression, zone, change, rules)
    low, high = sorted((change.before, change.after))
    span = f"between {low:%H:%M} and {high:%H:%M}"
    if change.is_gap and around:
        return _first_of([note for each in around if (note := clock_note(each))])
    if around:
        return _repeated(around)
    named = walls.next_wall(low)
    if not change.is_gap or named is None or named >= high:
        return f"Nothing: it does not run {span}."
    return f"It goes on by the clock: nothing runs {span}, times that do not exist."


def _first_of(told: list[str]) -> str:
    more = f"; and {counted(len(told) - SHOWN, 'more time')}" if len(told) > SHOWN else ""
    return f"{'; '.join(told[:SHOWN])}{more}."


def _repeated(around: list[Occurrence]) -> str:
    """Say which times come twice and whether they run at both."""
    times = list(dict.fromkeys(f"{each.local:%H:%M}" for each in around))
    named = joined(times[:SHOWN])
    if len(times) > SHOWN:
        named = f"{', '.join(times[:SHOWN])} and {counted(len(times) - SHOWN, 'more time')}"
    where = "both" if around[0].repeats else "the second" if around[0].local.fold else "the first"
    come = "comes twice, runs" if len(times) == 1 else "come twice, each runs"
    return f"{named} {come} at {where}."


def _around(expression: str, zone: str, change: ClockChange, rules: Rules) -> list[Occurrence]:
    """Return what is due at the end of a gap, or while the clock shows times a second time."""
    jump = abs(change.after - change.before)
    begin = change.at - (INSTANT if change.is_gap else jump + INSTANT)
    until = change.at if change.is_gap else change.at + jump - INSTANT
    plain = Rules(rules.gap, rules.repeat)
    found = occurrences_between(expression, zone, begin, until, 200, plain)
    return [each for each in found if each.kind in {"gap", "fold"}]
