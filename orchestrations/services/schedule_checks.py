"""What may be said of a schedule: its policies, numbers and limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from django.db.models import TextChoices

from orchestrations.enums import GapPolicy, HeldPolicy, Misfire, Overlap, RepeatPolicy
from orchestrations.exceptions import InvalidSchedule
from orchestrations.models import Calendar, Schedule
from orchestrations.scheduling.preview import check_timing
from orchestrations.validators import variable_errors
from orchestrator_site.lib.moments import FIRST_YEAR, LAST_YEAR

MOST_MISFIRES = 100
LONGEST_NAME = 200
LONGEST_WINDOW = 60 * 24 * 366  # minutes
LEAST_CONFIDENCE, MOST_CONFIDENCE = 50, 99  # per cent
CHOICES: dict[str, type[TextChoices]] = {
    "overlap": Overlap,
    "misfire": Misfire,
    "gap": GapPolicy,
    "repeat": RepeatPolicy,
    "on_held": HeldPolicy,
}
NUMBERS = {
    "misfire_limit": (1, MOST_MISFIRES),
    "misfire_window": (1, LONGEST_WINDOW),
    "confidence": (LEAST_CONFIDENCE, MOST_CONFIDENCE),
}


MOMENTS = ("valid_from", "valid_to", "paused_until")


class Options(TypedDict, total=False):
    """What a schedule may say besides when it fires."""

    overlap: Overlap
    misfire: Misfire
    misfire_limit: int
    misfire_window: int | None  # minutes
    gap: GapPolicy
    repeat: RepeatPolicy
    calendar: Calendar | None
    on_held: HeldPolicy
    confidence: int | None  # per cent
    valid_from: datetime | None
    valid_to: datetime | None
    paused_until: datetime | None
    variables: dict[str, Any]


def check_schedule(schedule: Schedule) -> None:
    """Tidy what was typed; raises InvalidSchedule with every field that is wrong."""
    wrong = variable_errors(schedule.variables)
    try:
        schedule.cron = check_timing(schedule.cron, schedule.timezone)
    except InvalidSchedule as error:
        wrong.update(error.fields)
    schedule.name = schedule.name.strip()
    if len(schedule.name) > LONGEST_NAME:
        wrong["name"] = f"The name is longer than {LONGEST_NAME} characters."
    said = (*CHOICES, *NUMBERS, *MOMENTS)
    wrong.update(option_errors({field: getattr(schedule, field) for field in said}))
    if wrong:
        raise InvalidSchedule(" ".join(wrong.values()), fields=wrong)


def option_errors(said: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence for each option given that is wrong: policies, numbers and limits."""
    wrong: dict[str, str] = {}
    for field, (low, high) in NUMBERS.items():
        if said.get(field) is not None and not low <= said[field] <= high:
            wrong[field] = f"This takes a whole number from {low} to {high}."
    for field, allowed in CHOICES.items():
        if field in said and said[field] not in allowed.values:
            wrong[field] = f"This takes one of: {', '.join(allowed.values)}."
    for field in MOMENTS:
        at = said.get(field)
        if isinstance(at, datetime) and not FIRST_YEAR <= at.year <= LAST_YEAR:
            wrong[field] = f"Use a year from {FIRST_YEAR} to {LAST_YEAR}."
    first, last = said.get("valid_from"), said.get("valid_to")
    if first and last and last <= first:
        wrong["valid_to"] = "The end must come after the beginning."
    return wrong
