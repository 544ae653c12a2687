"""Filters of the pages of orchestrations and runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import template

from orchestrations.models import Run, Schedule, TaskRun, Trigger
from orchestrations.queries.schedules import words
from orchestrations.queries.triggers import title
from orchestrator_site.lib import durations

register = template.Library()


@register.filter
def duration(item: Run | TaskRun | Any) -> str:
    """Say how long something took from `started_at` to `ended_at`; empty while it has not ended."""
    if not item or not item.started_at or not item.ended_at:
        return ""
    return durations.humanize((item.ended_at - item.started_at).total_seconds())


@register.filter
def seconds(length: float) -> str:
    """Say a number of seconds."""
    return durations.humanize(length)


@register.filter
def in_words(schedule: Schedule) -> str:
    """Say when a schedule fires."""
    return words(schedule)


@register.filter
def trigger_title(trigger: Trigger | None) -> str:
    """Say what a sentence calls a trigger; lists read its tables and source before."""
    if trigger is None:
        return "Trigger"
    return title(trigger, [table.table_key for table in trigger.tables.all()])


@register.filter
def file_size(size: int) -> str:
    """Say a size in bytes."""
    return durations.format_bytes(size)


@register.filter
def thousands(number: int) -> str:
    """Write a count with commas."""
    return durations.format_count(number)


@register.filter
def bars(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Return what the duration chart draws of runs that have ended, oldest first."""
    return [
        {
            "url": run.get_absolute_url(),
            "label": run.get_status_display(),
            "status": run.status,
            "seconds": round((run.ended_at - run.started_at).total_seconds(), 1),
            "start": run.started_at.isoformat(),
        }
        for run in runs
        if run.started_at and run.ended_at
    ]


@register.filter
def per_cent(units: float) -> float:
    """Say a place on the axis of the timeline, 0 to 1000, in per cent."""
    return round(units / 10, 2)


@register.filter
def plus(first: float, second: float) -> float:
    """Add two lengths of a drawing."""
    return round(first + second, 2)
