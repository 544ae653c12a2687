"""What a search means to the database: its conditions as one filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import F, Q

from orchestrator_site.lib.search_fields import Condition, Search, Span

Maker = Callable[[Condition], Q]
NOTHING = Q(pk__in=())


def filter_of(search: Search, makers: Mapping[str, Maker]) -> Q:
    """Return the filter of a search; `makers` has one function for each key, and one for words."""
    return reduce(and_, (_made(condition, makers) for condition in search.conditions), Q())


def _made(condition: Condition, makers: Mapping[str, Maker]) -> Q:
    found = makers[condition.key](condition)
    return ~found if condition.negated else found


def any_of(filters: Iterable[Q]) -> Q:
    """Return what fits one of the filters: nothing fits none."""
    return reduce(or_, filters, NOTHING)


def one_of(path: str) -> Maker:
    """Return the filter of a column that holds one of the texts."""
    return lambda condition: Q((f"{path}__in", condition.texts))


def contains(path: str) -> Maker:
    """Return the filter of a column that contains one of the texts, whatever their capitals.

    Empty columns are left out by themselves, so that an index without them can serve it.
    """

    def make(condition: Condition) -> Q:
        found = any_of(Q((f"{path}__icontains", text)) for text in condition.texts)
        return found & ~Q((path, ""))

    return make


def within(path: str) -> Maker:
    """Return the filter of a column that lies in one of the spans."""
    return lambda condition: any_of(_within(path, span) for span in condition.spans)


def _within(path: str, span: Span) -> Q:
    limits: dict[str, Any] = {}
    if span.low is not None:
        limits[f"{path}__{'gt' if span.open_low else 'gte'}"] = span.low
    if span.high is not None:
        limits[f"{path}__{'lt' if span.open_high else 'lte'}"] = span.high
    return Q(**limits)


def lasting(begin: str, end: str, *, now: datetime) -> Maker:
    """Return the filter of how many seconds lie between two columns; up to `now` without an end."""
    return lambda condition: any_of(_lasting(begin, end, span, now) for span in condition.spans)


def _lasting(begin: str, end: str, span: Span, now: datetime) -> Q:
    ended, running = Q(**{f"{end}__isnull": False}), Q(**{f"{begin}__isnull": False})
    if isinstance(span.low, int | float):
        length = timedelta(seconds=span.low)
        ended &= Q((f"{end}__{'gt' if span.open_low else 'gte'}", F(begin) + length))
        running &= Q((f"{begin}__{'lt' if span.open_low else 'lte'}", now - length))
    if isinstance(span.high, int | float):
        length = timedelta(seconds=span.high)
        ended &= Q((f"{end}__{'lt' if span.open_high else 'lte'}", F(begin) + length))
        running &= Q((f"{begin}__{'gt' if span.open_high else 'gte'}", now - length))
    return ended | Q((f"{end}__isnull", True)) & running
