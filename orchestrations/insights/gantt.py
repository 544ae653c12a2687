"""What the Gantt chart of a run draws: spans of tasks on an axis of time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from orchestrator_site.lib.durations import humanize

MOST_TICKS = 7
NARROWEST = 0.35  # per cent; a shorter span could not be seen
MINUTE, HOUR, DAY = 60, 3600, 86400
STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(HOUR * n for n in (1, 2, 3, 6, 12)),
    *(DAY * n for n in (1, 2, 7, 14, 28)),
)


class Part(StrEnum):
    """What a task does in one span of its time."""

    DELAY = "delay"
    QUEUED = "queued"
    ATTEMPT = "attempt"
    PAUSE = "pause"


WORDS = {Part.DELAY: "Delay", Part.QUEUED: "Queued", Part.PAUSE: "Pause before a retry"}


@dataclass(frozen=True)
class Try:
    """One attempt at a task, or its child run; None means that it has not come to that yet."""

    created: datetime
    started: datetime | None
    ended: datetime | None
    status: str  # value
    label: str  # the status in words


@dataclass(frozen=True)
class Span:
    """One stretch of a task's time; `end` None means that it goes on."""

    part: Part
    start: datetime
    end: datetime | None
    status: str = ""
    text: str = ""


@dataclass(frozen=True)
class Bar:
    """One span as drawn: place and width in per cent of the axis, and its words."""

    part: Part
    status: str
    x: float
    width: float
    text: str


@dataclass(frozen=True)
class Tick:
    """One line of the axis, in per cent, with its time in words."""

    x: float
    label: str
    anchor: str  # of the text: start, middle or end


@dataclass(frozen=True)
class Axis:
    """The time that is drawn."""

    start: datetime
    end: datetime

    def place(self, moment: datetime) -> float:
        """Return where a moment lies, in per cent; outside of it there is the edge."""
        whole = (self.end - self.start).total_seconds() or 1.0
        return min(max((moment - self.start).total_seconds() / whole * 100, 0.0), 100.0)


def spans(
    tries: Sequence[Try], *, delay: float = 0, not_before: datetime | None = None
) -> list[Span]:
    """Return the spans of one task in order of time.

    `delay` is that of its design, in seconds; `not_before` is set while it waits for a moment.
    """
    found: list[Span] = []
    begin = tries[0].created if tries else not_before
    if delay and begin:
        end = begin if tries else None
        found.append(Span(Part.DELAY, begin - timedelta(seconds=delay), end, "waiting"))
    for number, each in enumerate(tries, 1):
        if number > 1:
            before = tries[number - 2]
            found.append(Span(Part.PAUSE, before.ended or each.created, each.created, "waiting"))
        found.append(Span(Part.QUEUED, each.created, each.started or each.ended, "waiting"))
        if each.started:
            text = f"Attempt {number}: {each.label}" if len(tries) > 1 or not_before else each.label
            found.append(Span(Part.ATTEMPT, each.started, each.ended, each.status, text))
    if tries and not_before and tries[-1].ended:
        found.append(Span(Part.PAUSE, tries[-1].ended, None, "waiting"))
    return found


def bars(found: Iterable[Span], axis: Axis, *, now: datetime) -> list[Bar]:
    """Return the spans that lie on the axis as they are drawn."""
    drawn = []
    for span in found:
        end = span.end or now
        if end < axis.start or span.start > axis.end or end < span.start:
            continue
        x, width = axis.place(span.start), axis.place(end) - axis.place(span.start)
        if span.part != Part.ATTEMPT and width < NARROWEST:
            continue
        width = max(width, NARROWEST)
        took = humanize((end - span.start).total_seconds())
        words = span.text or WORDS[span.part]
        text = f"{words}, {took}" + ("" if span.end else " so far")
        drawn.append(
            Bar(span.part, span.status, round(min(x, 100 - width), 3), round(width, 3), text)
        )
    return drawn


def ticks(axis: Axis, zone: tzinfo, *, most: int = MOST_TICKS) -> list[Tick]:
    """Return the lines of the axis: at round times of a zone, a handful of them."""
    length = (axis.end - axis.start).total_seconds()
    step = next((s for s in STEPS if length / s <= most), STEPS[-1])
    many_days = axis.start.astimezone(zone).date() != axis.end.astimezone(zone).date()
    found = []
    moment = _round_up(axis.start, step, zone)
    while moment <= axis.end:
        x = axis.place(moment)
        found.append(
            Tick(
                round(x, 3), _label(moment.astimezone(zone), step, many_days=many_days), _anchor(x)
            )
        )
        moment += timedelta(seconds=step)
    return found


def _round_up(moment: datetime, step: int, zone: tzinfo) -> datetime:
    """Return the first round time of a zone that is not before a moment."""
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    local = moment.timestamp() + offset.total_seconds()
    return moment + timedelta(seconds=-local % step)


def _label(local: datetime, step: int, *, many_days: bool) -> str:
    if step >= DAY:
        return f"{local:%d %b}"
    text = f"{local:%H:%M:%S}" if step < MINUTE else f"{local:%H:%M}"
    return f"{local:%d %b} {text}" if many_days and local.hour == 0 and local.minute == 0 else text


def _anchor(x: float) -> str:
    edge = 4
    if x < edge:
        return "start"
    return "end" if x > 100 - edge else "middle"
