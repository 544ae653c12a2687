"""What a schedule will do to itself and to others, said before it is saved. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from orchestrations.enums import Overlap
from orchestrations.insights.forecast import Expected, Fate, Start, Usual, replay
from orchestrator_site.lib.durations import humanize

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LOOKED_AT = 200
# What is offered instead: lengths that divide an hour or a day.
PERIODS = (
    *(n * MINUTE for n in (10, 15, 20, 30)),
    *(n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)),
    DAY,
)
STEP = 10  # minutes between the times that are tried
SHOWN = 3


@dataclass(frozen=True)
class Load:
    """How many runs of others are expected in each minute of a day, by local time."""

    minutes: tuple[int, ...] = (0,) * 1440

    @classmethod
    def of(cls, expected: Iterable[Expected], zone: ZoneInfo) -> Load:
        """Count what is expected; a run counts in each minute that it takes."""
        counts = [0] * 1440
        for each in expected:
            if each.begins_at is None or each.ends_at is None:
                continue
            local = each.begins_at.astimezone(zone)
            first = local.hour * 60 + local.minute
            length = max(1, min(1440, -(-(each.ends_at - each.begins_at) // MINUTE)))
            for minute in range(first, first + length):
                counts[minute % 1440] += 1
        return cls(tuple(counts))

    def cost(self, starts: Iterable[int], length: timedelta) -> int:
        """Return how much else runs while runs of a length begin at these minutes of the day."""
        minutes = max(1, min(1440, -(-length // MINUTE)))
        return sum(
            self.minutes[(start + offset) % 1440] for start in starts for offset in range(minutes)
        )


@dataclass(frozen=True)
class Offer:
    """A schedule that would fit: in words, and as a cron expression."""

    words: str
    cron: str


@dataclass(frozen=True)
class Advice:
    """What is wrong with a schedule, as a sentence, and what would fit instead."""

    text: str
    offers: list[Offer]


def advise(
    moments: Sequence[datetime], usual: Usual, overlap: Overlap, load: Load
) -> Advice | None:
    """Return what is to be said of moments that come sooner than a run ends; None where none do.

    `moments` are the next starts; `load` is of all other orchestrations.
    """
    moments = moments[:LOOKED_AT]
    gaps = [after - before for before, after in pairwise(moments)]
    if not gaps or min(gaps) >= usual.p50:
        return None
    starts = [Start(at, 1, 1, overlap) for at in moments]
    found = replay(starts, {1: usual}, limit=1)
    gap = sorted(gaps)[len(gaps) // 2]
    happens = _happens(found, overlap)
    if not happens:
        return None
    takes, every = humanize(usual.p50.total_seconds()), humanize(gap.total_seconds())
    text = f"A run usually takes {takes}, and it starts every {every}: {happens}."
    return Advice(text, _longer(usual, gap, load))


def quiet_times(length: timedelta, load: Load, *, taken: Sequence[int] = ()) -> list[time]:
    """Return the quietest times of a day for a run of a length, an hour or more apart.

    `taken` are minutes of the day that are no offer. In order of the day.
    """
    ranked = sorted(range(0, 1440, STEP), key=lambda m: (load.cost([m], length), m))
    chosen: list[int] = []
    for minute in ranked:
        if any(_apart(minute, other) < 60 for other in (*chosen, *taken)):  # noqa: PLR2004
            continue
        chosen.append(minute)
        if len(chosen) == SHOWN:
            break
    return [time(minute // 60, minute % 60) for minute in sorted(chosen)]


def _apart(one: int, other: int) -> int:
    return min((one - other) % 1440, (other - one) % 1440)


def _happens(found: Sequence[Expected], overlap: Overlap) -> str:
    """Say what the overlap policy does to these starts; empty where it does nothing."""
    count = len(found)
    lost = sum(each.fate in {Fate.SKIPPED, Fate.ENDED} for each in found)
    if overlap == Overlap.TERMINATE:
        return f"{_share(lost, count)} will be terminated by the next one" if lost else ""
    if lost:
        return f"{_share(lost, count)} will be skipped"
    waits = [e.begins_at - e.start.at for e in found if e.begins_at is not None]
    if waits and waits[-1] > max(waits[: len(waits) // 2], default=timedelta()):
        after = humanize((found[-1].start.at - found[0].start.at).total_seconds())
        return f"they queue up, after {after} each waits {humanize(waits[-1].total_seconds())}"
    longest = max(waits, default=timedelta())
    return f"some wait {humanize(longest.total_seconds())} for the one before" if longest else ""


def _share(lost: int, count: int) -> str:
    """Say a part of many starts as people do."""
    share = lost / count
    for part, words in (
        (1 / 2, "every second slot"),
        (1 / 3, "every third slot"),
        (2 / 3, "two of three slots"),
        (3 / 4, "three of four slots"),
    ):
        if abs(share - part) < 0.02:  # noqa: PLR2004  # the ends of what was looked at
            return words
    return f"{round(100 * share)} % of the slots" if share >= 0.01 else "some slots"  # noqa: PLR2004


def _at(load: Load, minute: int, size: int) -> tuple[int, int]:
    """Return what decides between equal costs: what runs at the very start, then the earlier."""
    return load.cost(range(minute, 1440, size), MINUTE), minute


def _longer(usual: Usual, gap: timedelta, load: Load) -> list[Offer]:
    """Offer the shortest period that nine of ten runs fit into, at its quietest minute."""
    period = next((p for p in PERIODS if p > gap and p >= usual.p90), None)
    if period is None:
        return []
    size = period // MINUTE
    best = min(
        range(0, min(size, 60), STEP if size >= 60 else 5),  # noqa: PLR2004
        key=lambda m: (load.cost(range(m, 1440, size), usual.p50), *_at(load, m, size)),
    )
    if period < HOUR:
        cron = f"*/{size} * * * *" if best == 0 else f"{best}-59/{size} * * * *"
        return [Offer(f"every {size} minutes", cron)]
    if period == HOUR:
        return [Offer(f"hourly at :{best:02}", f"{best} * * * *")]
    if period == DAY:
        [first, *_] = quiet_times(usual.p50, load)
        return [Offer(f"daily at {first:%H:%M}", f"{first.minute} {first.hour} * * *")]
    hours = period // HOUR
    return [Offer(f"every {hours} hours at :{best:02}", f"{best} */{hours} * * *")]
