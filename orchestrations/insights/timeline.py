"""What the timeline draws: bars on an axis, merged where they could not be told apart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from orchestrator_site.lib.durations import humanize

WIDTH = 1000.0  # units of the axis
NARROWEST = 2.0
LABELS = 8
LABEL_SHARE = 0.07  # of the axis that a label takes
HOUR = timedelta(hours=1)
STEPS = [n * HOUR for n in (1, 2, 3, 6, 12, 24, 48, 168)]


@dataclass(frozen=True)
class Mark:
    """One thing to draw: from when to when, as what, its words and where it leads."""

    begins_at: datetime
    ends_at: datetime
    kind: str  # the status of a run, or the fate of one that is expected
    text: str
    url: str = ""
    late_at: datetime | None = None  # of one that is expected


@dataclass(frozen=True)
class Bar:
    """One bar in units of the axis; `late` is how far the thin end reaches beyond it."""

    x: float
    width: float
    late: float
    kind: str
    text: str
    url: str = ""

    @property
    def css(self) -> str:
        """The class that gives it its colour."""
        return f"is-{self.kind}" if self.kind.startswith("expected-") else f"status-{self.kind}"


@dataclass(frozen=True)
class Tick:
    """One line across the timeline, with words where it has a label."""

    x: float
    label: str
    is_day: bool


@dataclass(frozen=True)
class Axis:
    """From when to when is drawn."""

    begin: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Return where a moment is, cut off at both ends."""
        share = (at - self.begin) / (self.end - self.begin)
        return round(min(max(share, 0.0), 1.0) * WIDTH, 2)

    def ticks(self, zone: tzinfo) -> list[Tick]:
        """Return lines at round local times, at most as many labels as there is room for."""
        step = next((s for s in STEPS if (self.end - self.begin) / s <= LABELS * 1.5), STEPS[-1])
        local = self.begin.astimezone(zone)
        at = local.replace(hour=0, minute=0, second=0, microsecond=0)
        found = []
        while at.astimezone(self.end.tzinfo) < self.end:
            # Wall-clock steps: a line stays at midnight when the clocks change.
            if at.astimezone(self.end.tzinfo) >= self.begin:
                is_day = at.hour == 0
                label = f"{at:%a} {at.day} {at:%b}" if is_day else f"{at:%H:%M}"
                x = self.x(at.astimezone(self.end.tzinfo))
                # Words that would be cut off at the end are left out.
                found.append(Tick(x, label if x < WIDTH * (1 - LABEL_SHARE) else "", is_day))
            at = (at.replace(tzinfo=None) + step).replace(tzinfo=zone)
        return found


def bars(axis: Axis, marks: Iterable[Mark]) -> list[Bar]:
    """Return the bars of one line; those of one kind that would touch are drawn as one."""
    drawn: list[Bar] = []
    group: list[Mark] = []
    for mark in sorted(marks, key=lambda m: (m.begins_at, m.ends_at)):
        if group and mark.kind == group[-1].kind and _touches(axis, group[-1], mark):
            group.append(mark)
            continue
        if group:
            drawn.append(_bar(axis, group))
        group = [mark]
    if group:
        drawn.append(_bar(axis, group))
    return drawn


def _touches(axis: Axis, before: Mark, after: Mark) -> bool:
    right = max(axis.x(before.ends_at), axis.x(before.begins_at) + NARROWEST)
    return axis.x(after.begins_at) < right + NARROWEST / 2


def _bar(axis: Axis, marks: Sequence[Mark]) -> Bar:
    first, last = marks[0], marks[-1]
    x = axis.x(first.begins_at)
    right = max(axis.x(mark.ends_at) for mark in marks)
    width = max(right - x, NARROWEST)
    late = max((axis.x(mark.late_at) for mark in marks if mark.late_at), default=right)
    if len(marks) == 1:
        return Bar(x, width, max(round(late - x - width, 2), 0), first.kind, first.text, first.url)
    length = humanize((last.ends_at - first.begins_at).total_seconds())
    text = f"{len(marks)} in {length}, the first: {first.text}"
    return Bar(x, width, max(round(late - x - width, 2), 0), first.kind, text)
