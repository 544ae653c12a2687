"""When in the day tables usually arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from statistics import median_low

from django.utils import timezone

from components.models import TableVersion

LOOK_BACK = timedelta(days=60)
MOST_DAYS = 20
FEWEST_DAYS = 5
MOST_ROWS = 5000


def usual_arrivals(table_keys: Iterable[str], now: datetime) -> dict[str, str]:
    """Return the median time of day, as HH:MM in the present zone, of each table's first updates.

    By the last 20 days with one; tables with fewer than five such days are left out. One query.
    """
    keys = set(table_keys)
    rows = TableVersion.objects.filter(
        table__key__in=keys, created_at__gt=now - LOOK_BACK, created_at__lte=now
    )
    first: defaultdict[str, dict[date, int]] = defaultdict(dict)
    newest = rows.order_by("-created_at").values_list("table__key", "created_at")
    for key, created_at in newest[:MOST_ROWS] if keys else ():
        local = timezone.localtime(created_at)
        first[key][local.date()] = local.hour * 60 + local.minute
    return {
        key: "{:02}:{:02}".format(*divmod(median_low(list(days.values())[:MOST_DAYS]), 60))
        for key, days in first.items()
        if len(days) >= FEWEST_DAYS
    }
