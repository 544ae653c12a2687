"""The strip of an orchestration's last runs: one bar each, as high as the run was long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django import template

from orchestrations.models import Run
from orchestrator_site.lib import durations

register = template.Library()
STEP, WIDTH = 8, 6
LOWEST, HIGHEST = 5, 22


@dataclass(frozen=True)
class Bar:
    """One run in units of the drawing; `text` says all of it."""

    run: Run
    x: int
    y: int
    height: int
    text: str


@register.filter
def strip(runs: Iterable[Run]) -> list[Bar]:
    """Return the bars of some runs, oldest first: the longest one is as high as the strip."""
    listed = list(runs)
    lengths = [_seconds(run) for run in listed]
    longest = max(lengths, default=0) or 1
    bars = []
    for place, (run, length) in enumerate(zip(listed, lengths, strict=True)):
        height = LOWEST + round((HIGHEST - LOWEST) * length / longest)
        bars.append(Bar(run, place * STEP, HIGHEST - height, height, _text(run, length)))
    return bars


@register.filter
def strip_width(bars: list[Bar]) -> int:
    """Return how wide a strip is."""
    return max(len(bars) * STEP - (STEP - WIDTH), WIDTH)


def _seconds(run: Run) -> float:
    if not run.started_at or not run.ended_at:
        return 0
    return max((run.ended_at - run.started_at).total_seconds(), 0)


def _text(run: Run, length: float) -> str:
    words = [f"Run {run.pk}: {run.get_status_display()}"]
    if run.started_at and run.ended_at:
        words.append(durations.humanize(length))
    return ", ".join(words)
