"""What a clock change or a calendar did to one occurrence, in words."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from orchestrator_site.lib.cron_rules import Occurrence
from orchestrator_site.lib.cron_words import MONTH_NAMES


def clock_note(occurrence: Occurrence) -> str | None:
    """Say what a clock change, or a calendar that moved it, does to this one; None if nothing."""
    if occurrence.held:
        return occurrence.held
    if occurrence.kind == "gap":
        return gap_note(occurrence)
    if occurrence.kind == "fold":
        return _fold_note(occurrence)
    if occurrence.kind == "moved" and occurrence.moved_from is not None:
        return f"Stands for {moment_words(occurrence.moved_from)}, which is held"
    return None


def gap_note(occurrence: Occurrence, *, runs: bool = True) -> str:
    """Say that a time did not exist, and whether it runs at the end of the gap or is skipped."""
    time = f"{occurrence.local:%H:%M}"
    missing = occurrence.local.date()
    if occurrence.wanted is not None and occurrence.wanted >= time:
        # The gap ended at or after midnight: what it swallowed belongs to the day before.
        missing -= timedelta(days=1)
        time = f"{time} on {day_words(occurrence.local)}"
    what = f"{occurrence.wanted} does not exist on {day_words(missing)}"
    return f"{what}, runs at {time}" if runs else f"{what} and is skipped"


def moment_words(moment: datetime) -> str:
    """Say a moment by its own clock: “28 December 2026 06:00”."""
    return f"{day_words(moment)} {moment:%H:%M}"


def day_words(day: date) -> str:
    """Say a day: “28 December 2026”."""
    return f"{day.day} {MONTH_NAMES[day.month - 1]} {day.year}"


def _fold_note(occurrence: Occurrence) -> str:
    which = "second" if occurrence.local.fold else "first"
    comes = f"{occurrence.local:%H:%M} comes twice on {day_words(occurrence.local)}"
    if not occurrence.repeats:
        return f"{comes}, runs at the {which}"
    return f"{comes}, runs at both, this is the {which}"
