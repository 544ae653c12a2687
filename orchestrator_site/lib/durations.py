"""Durations, sizes and counts in words, and durations back from what people type."""

from __future__ import annotations

import re

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

MAX_LENGTH = 100
# A century: longer is a slip of the keyboard, and far from what a timedelta can hold.
MAX_SECONDS = 36_525 * DAY
SHOWN_LENGTH = 30

_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), MINUTE),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), HOUR),
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("w", "week", "weeks"), WEEK),
}
_PART = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]*)", re.ASCII)
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BYTE_STEP = 1000
_TENTHS_BELOW = 100


class DurationError(ValueError):
    """The text is not a duration."""


def humanize(seconds: float) -> str:
    """Say a duration by its two largest units: “1 min 14 sec”, “2 hr 5 min”, “3 days”.

    Rounds down; a negative duration, which clocks out of step can give, counts as none.
    """
    return _two_largest(seconds, (" day", " hr", " min", " sec"), "under 1 sec")


def short(seconds: float) -> str:
    """Say a duration for narrow places: “1m 14s”, “2h 5m”, “3d”, “<1s”; rounds as `humanize`."""
    return _two_largest(seconds, ("d", "h", "m", "s"), "<1s")


def parse_duration(text: str) -> float:
    """Return the seconds of “90”, “90 s”, “1 min 14 sec”, “1h 30m”, “2 days” or “1.5 h”.

    A bare number counts seconds. Raises DurationError with a sentence for the person who typed it.
    """
    rest = text.strip().lower()
    if not rest or len(rest) > MAX_LENGTH:
        raise _not_a_duration(text)
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", rest, re.ASCII):
        return _checked(float(rest), text)
    total = 0.0
    while rest:
        match = _PART.match(rest)
        if match is None or match[2] not in _UNITS:
            raise _not_a_duration(text)
        total += float(match[1]) * _UNITS[match[2]]
        rest = rest[match.end() :].strip()
    return _checked(total, text)


def exact(seconds: int) -> str:
    """Write whole seconds so that `parse_duration` reads the same: “90” is “1m 30s”, 0 “0s”."""
    amounts = (seconds // DAY, seconds % DAY // HOUR, seconds % HOUR // MINUTE, seconds % MINUTE)
    parts = [f"{n}{unit}" for n, unit in zip(amounts, "dhms", strict=True) if n]
    return " ".join(parts) or "0s"


def format_bytes(size: int) -> str:
    """Say a size in bytes by decimal units: “0 B”, “1.5 kB”, “230 MB”."""
    if size < _BYTE_STEP:
        return f"{size} B"
    amount, unit = float(size), 0
    # 999.95 kB would be shown as 1000 kB.
    while round(amount) >= _BYTE_STEP and unit < len(_BYTE_UNITS) - 1:
        amount /= _BYTE_STEP
        unit += 1
    if round(amount, 1) < _TENTHS_BELOW:
        return f"{amount:.1f}".removesuffix(".0") + f" {_BYTE_UNITS[unit]}"
    return f"{amount:.0f} {_BYTE_UNITS[unit]}"


def format_count(number: int) -> str:
    """Write a number with a comma between thousands: “12,300,000”."""
    return f"{number:,}"


def _two_largest(seconds: float, units: tuple[str, str, str, str], under_one: str) -> str:
    whole = int(max(seconds, 0))
    if whole == 0:
        return under_one
    amounts = (whole // DAY, whole % DAY // HOUR, whole % HOUR // MINUTE, whole % MINUTE)
    largest = next(index for index, amount in enumerate(amounts) if amount)
    shown = zip(amounts[largest : largest + 2], units[largest : largest + 2], strict=True)
    return " ".join(_amount(amount, unit) for amount, unit in shown if amount)


def _amount(amount: int, unit: str) -> str:
    plural = "s" if unit == " day" and amount > 1 else ""
    return f"{amount}{unit}{plural}"


def _checked(seconds: float, text: str) -> float:
    if seconds > MAX_SECONDS:
        raise DurationError(f"“{_shown(text)}” is too long, at most 100 years are possible.")
    return seconds


def _not_a_duration(text: str) -> DurationError:
    return DurationError(
        f"“{_shown(text)}” is not a duration, write it like 90 s, 5 min or 1 h 30 min."
    )


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
