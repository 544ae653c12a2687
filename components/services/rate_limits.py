"""Who may call how often: tokens and people at the API, addresses and names at the door."""

from __future__ import annotations

import hashlib
import logging

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import F

from components.models import RateCount
from orchestrator_site.lib.rate_limit import Limiter, Verdict

# From all addresses together a name takes more: else anybody could lock anybody out.
NAME_FACTOR = 10

logger = logging.getLogger(__name__)


class DatabaseStore:
    """Counts in the database, which all processes have in common."""

    def __init__(self) -> None:
        self._swept = 0  # window in which this process last deleted old rows

    def add(self, key: str, window: int, count: int) -> tuple[int, int]:
        """Add to a window's count; return the counts of the window before and of this one.

        Where the database does not take it in time, nothing: each process goes on by itself.
        """
        digest = hashlib.sha256(key.encode()).hexdigest()
        try:
            return self._add(digest, window, count)
        except OperationalError as error:
            logger.warning("The count of calls could not be shared: %s", error)
            return 0, 0

    def _add(self, digest: str, window: int, count: int) -> tuple[int, int]:
        told: dict[int, int] = {}
        if count > 0:
            self._sweep(window)
            with connection.cursor() as cursor:
                cursor.execute(_upsert(), [digest, window, count])
                # what this very call made of it: a look afterwards would see others' calls too
                told[window] = cursor.fetchone()[0]
        elif count < 0:
            mine = RateCount.objects.filter(key=digest, window=window, count__gt=0)
            mine.update(count=F("count") + count)
        rows = RateCount.objects.filter(key=digest, window__in=(window - 1, window))
        counts = dict(rows.values_list("window", "count")) | told
        return counts.get(window - 1, 0), counts.get(window, 0)

    def _sweep(self, window: int) -> None:
        if self._swept != window:
            self._swept = window
            RateCount.objects.filter(window__lt=window - 1).delete()


def _upsert() -> str:
    table = connection.ops.quote_name(RateCount._meta.db_table)  # noqa: SLF001
    return (
        f'INSERT INTO {table} ("key", "window", "count") VALUES (%s, %s, %s) '  # noqa: S608
        f'ON CONFLICT ("key", "window") DO UPDATE SET "count" = {table}."count" + excluded."count" '
        'RETURNING "count"'
    )


limiter = Limiter(DatabaseStore())


def call(who: str) -> Verdict:
    """Count a call of the API by `who`, such as a token's digest."""
    return limiter.hit(f"call {who}", settings.API_RATE_LIMIT)


def stranger(address: str | None) -> Verdict:
    """Count a call of the API without a good token."""
    return limiter.hit(f"stranger {address}", settings.LOGIN_RATE_LIMIT)


def attempt(address: str | None, name: str) -> Verdict:
    """Count an attempt to log in, from an address and for a name; the stricter verdict counts.

    `succeeded` takes it back. Exact, however many come at once.
    """
    verdict = limiter.hit_at_once(f"login from {address}", settings.LOGIN_RATE_LIMIT)
    if not verdict.is_allowed:
        return verdict
    return limiter.hit_at_once(_of_name(name), settings.LOGIN_RATE_LIMIT * NAME_FACTOR)


def succeeded(address: str | None, name: str) -> None:
    """Uncount an attempt that was no failure."""
    limiter.take_back(f"login from {address}")
    limiter.take_back(_of_name(name))


def _of_name(name: str) -> str:
    return f"login as {name.casefold()}"
