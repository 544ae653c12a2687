"""Moments as people type them: “2026-11-01”, “2026-11”, “2026-11-01T10:30”, “-7d”, “today”."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_date

from orchestrator_site.lib.durations import DurationError, parse_duration

_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_WITH_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1970, 2999
SHOWN = 30


class MomentError(ValueError):
    """The text is no moment."""


def parse_moment(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return when a text's moment begins and when it is over: a day, a month, a minute are long.

    Both are the same for what is counted back from `now`, whose zone all others are in. Raises
    MomentError with a sentence for the person who typed it.
    """
    wanted = text.strip().lower()
    if wanted == "now":
        return now, now
    if wanted in {"today", "yesterday"}:
        day = now - timedelta(days=wanted == "yesterday")
        return _days(datetime(day.year, day.month, day.day, tzinfo=now.tzinfo), 1)
    if wanted.startswith("-"):
        return _back(wanted[1:], now, text)
    try:
        return _written(text.strip(), now)
    except (ValueError, OverflowError) as error:
        raise MomentError(_sentence(text)) from error


def _back(amount: str, now: datetime, text: str) -> tuple[datetime, datetime]:
    try:
        at = now - timedelta(seconds=parse_duration(amount))
    except DurationError as error:
        raise MomentError(_sentence(text)) from error
    return at, at


def _written(text: str, now: datetime) -> tuple[datetime, datetime]:
    if found := _WITH_TIME.fullmatch(text.upper()):
        at = datetime.fromisoformat(found[0])
        at = at if at.tzinfo else at.replace(tzinfo=now.tzinfo)
        _check_year(at.year)
        return at, at + timedelta(seconds=1 if found[1] else 60)
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, month, day = (int(part) if part else 0 for part in match.groups())
    _check_year(year)
    first = datetime(year, month or 1, day or 1, tzinfo=now.tzinfo)
    if day:
        return _days(first, 1)
    if month:
        return first, first.replace(year=year + month // 12, month=month % 12 + 1)
    return first, first.replace(year=year + 1)


def _days(first: datetime, count: int) -> tuple[datetime, datetime]:
    """Return days by the calendar: one in which a clock changes is not 24 hours long."""
    return first, first + timedelta(days=count)


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(year)


def _sentence(text: str) -> str:
    shown = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
    return f"“{shown}” is no date; write it like 2026-11-01, 2026-11-01T10:30, today or -7d."


def midnight(text: str, *, days: int = 0) -> datetime | None:
    """Return when a day such as 2026-11-01 begins in the present zone, or one some days later.

    None where the text is no day.
    """
    try:
        day = parse_date(text.strip())
    except ValueError:  # 31 February
        return None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        return None
    return timezone.make_aware(datetime.combine(day + timedelta(days=days), time()))
