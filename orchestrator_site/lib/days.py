"""Days and hours on which schedules are held: public holidays, own dates, blackout windows.

All dates and times are wall-clock ones of whoever asks. Holidays come from the library `holidays`,
which knows countries by their ISO 3166-1 codes and subdivisions by ISO 3166-2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class DayRules:
    """What a calendar says; `name` is what a reason calls it.

    `weekdays` are days of the week that are off, 0 is Monday; `windows` hold naive wall-clock
    times, the end is excluded.
    """

    name: str
    country: str = ""
    subdivision: str = ""
    weekdays: frozenset[int] = frozenset()
    dates: tuple[tuple[date, str], ...] = ()
    windows: tuple[tuple[datetime, datetime, str], ...] = ()
