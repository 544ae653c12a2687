from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from components.queries.arrivals import usual_arrivals
from tests.builders import update_table

NOON = datetime(2026, 6, 20, 12, tzinfo=UTC)
ORDERS, ITEMS = "in.c-shop.orders", "in.c-shop.items"
pytestmark = pytest.mark.django_db


def arrive(table: str, days_ago: int, hour: int, minute: int) -> None:
    day = NOON - timedelta(days=days_ago)
    with time_machine.travel(day.replace(hour=hour, minute=minute), tick=False):
        update_table(table)


def test_the_median_of_the_first_updates_of_the_days_counts(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for days_ago, minute in ((5, 10), (4, 0), (3, 20), (2, 15), (1, 50)):
        arrive(ORDERS, days_ago, 8, minute)
        arrive(ORDERS, days_ago, 20, 0)  # the second one of a day says nothing
    for days_ago in (4, 3, 2, 1):
        arrive(ITEMS, days_ago, 9, 0)  # too few days
    with django_assert_num_queries(1):
        assert usual_arrivals([ORDERS, ITEMS], NOON) == {ORDERS: "08:15"}
    with timezone.override("Europe/Prague"):
        assert usual_arrivals([ORDERS], NOON) == {ORDERS: "10:15"}


def test_without_tables_nothing_is_asked(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert usual_arrivals([], NOON) == {}
