from __future__ import annotations

import threading

import pytest
from django.db import connection

from components.models import RateCount
from components.services.rate_limits import DatabaseStore
from orchestrator_site.lib.rate_limit import Limiter


@pytest.mark.django_db
def test_counts_are_added_up_and_read_with_the_window_before() -> None:
    store = DatabaseStore()
    answers = [store.add("a", 7, 0), store.add("a", 7, 5), store.add("a", 7, 2)]
    assert answers == [(0, 0), (0, 5), (0, 7)]
    assert DatabaseStore().add("a", 8, 1) == (7, 1)
    assert store.add("b", 8, 0) == (0, 0)
    assert [store.add("a", 8, -1), store.add("a", 8, -1)] == [(7, 0), (7, 0)]


@pytest.mark.django_db
def test_old_windows_are_deleted_on_the_way() -> None:
    store = DatabaseStore()
    for window in (1, 2, 3, 9):
        store.add("a", window, 1)
    assert list(RateCount.objects.values_list("window", flat=True)) == [9]


@pytest.mark.django_db
def test_keys_are_kept_as_digests() -> None:
    DatabaseStore().add("login as ada", 7, 1)
    assert "ada" not in str(list(RateCount.objects.values()))


@pytest.mark.postgres_database
@pytest.mark.django_db(transaction=True)
def test_threads_with_connections_of_their_own_lose_no_count() -> None:
    limiters = [Limiter(DatabaseStore(), lambda: 600.0) for _ in range(4)]
    allowed: list[bool] = []

    def call(limiter: Limiter) -> None:
        allowed.extend(limiter.hit_at_once("a", 25).is_allowed for _ in range(20))
        connection.close()

    threads = [threading.Thread(target=call, args=(limiter,)) for limiter in limiters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(allowed), sum(allowed)) == (80, 25)
