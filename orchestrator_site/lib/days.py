"""Days and hours on which schedules are held: public holidays, own dates, blackout windows.

All dates and times are wall-clock ones of whoever asks. Holidays come from the library `holidays`,
which knows countries by their ISO 3166-1 codes and subdivisions by ISO 3166-2. It is imported when
the first calendar needs it: it takes a tenth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib import import_module

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ENGLISH = ("en_US", "en_GB", "en_AU", "en_CA", "en")
CODE_LENGTH = 2
DAY = timedelta(days=1)


class DaysError(ValueError):
    """The country or its part is not known."""


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

    def reason(self, wall: datetime) -> str:
        """Return why a wall-clock time (naive) is held; empty where it is free."""
        for begins, ends, name in self.windows:
            if begins <= wall < ends:
                return name or f"closed until {ends:%Y-%m-%d %H:%M}"
        return self.day_reason(wall.date())

    def day_reason(self, day: date) -> str:
        """Return why a whole day is held; empty where it is not."""
        for on, name in self.dates:
            if on == day:
                return name or "a day off"
        if self.country:
            holiday = holidays_of(self.country, self.subdivision, day.year).get(day)
            if holiday:
                return holiday
        return WEEKDAYS[day.weekday()] if day.weekday() in self.weekdays else ""

    def touches(self, wall: datetime) -> bool:
        """Tell whether anything of the day of a wall-clock time (naive) is held."""
        begin = datetime.combine(wall.date(), time())
        return bool(self.day_reason(wall.date())) or any(
            begins < begin + DAY and begin < ends for begins, ends, _ in self.windows
        )


@lru_cache(maxsize=1024)
def holidays_of(country: str, subdivision: str, year: int) -> Mapping[date, str]:
    """Return the public holidays of a year by day; none where the country is not known.

    Their names are English where the library has them.
    """
    library = import_module("holidays")
    try:
        found = library.country_holidays(
            country, subdiv=subdivision or None, years=year, language=_language(country)
        )
    except NotImplementedError:  # the library's word for a country it does not know
        return {}
    return dict(found)


@lru_cache(maxsize=1)
def countries() -> tuple[tuple[str, str], ...]:
    """Return (ISO 3166-1 code, English name) of the countries with known holidays, by name."""
    registry = import_module("holidays.registry").COUNTRIES
    found = {
        next(code for code in names[1:] if len(code) == CODE_LENGTH): _spaced(names[0])
        for names in registry.values()
    }
    return tuple(sorted(found.items(), key=lambda item: item[1]))


@lru_cache(maxsize=256)
def subdivisions(country: str) -> tuple[str, ...]:
    """Return the ISO 3166-2 codes of a country's parts that have holidays of their own."""
    known = import_module("holidays").list_supported_countries(include_aliases=False)
    return tuple(known.get(country, ()))


def check_country(country: str, subdivision: str) -> None:
    """Raise DaysError where the holidays of a country, or a part of it, are not known."""
    if not country:
        if subdivision:
            raise DaysError("Choose the country first.")
        return
    if country not in dict(countries()):
        raise DaysError(f"The holidays of “{country[:20]}” are not known.")
    if subdivision and subdivision not in subdivisions(country):
        raise DaysError(f"“{subdivision[:20]}” is no part of {dict(countries())[country]}.")


@lru_cache(maxsize=256)
def _language(country: str) -> str | None:
    """Return the English that the library has for a country; None leaves its own language."""
    known = import_module("holidays").list_localized_countries(include_aliases=False)
    languages = known.get(country, ())
    return next((language for language in ENGLISH if language in languages), None)


def _spaced(name: str) -> str:
    """Return a name such as UnitedKingdom in words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
