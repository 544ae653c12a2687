from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from orchestrator_site.lib.paging import KeysetPage, keyset_page
from tests.builders import make_user

pytestmark = pytest.mark.django_db


def page(**place: Any) -> tuple[list[int], int | None, int | None]:
    found: KeysetPage[User] = keyset_page(User.objects.all(), limit=2, **place)
    return [user.pk for user in found.rows], found.newer, found.older


def test_pages_follow_one_another_in_both_directions() -> None:
    e, d, c, b, a = (user.pk for user in [make_user() for _ in range(5)])
    assert page() == ([a, b], None, b)
    make_user()  # a new one moves no page
    assert page(after=b) == ([c, d], c, d)
    assert page(after=d) == ([e], e, None)
    assert page(before=e) == ([c, d], c, d)
    assert page(before=c) == ([a, b], a, b)


def test_the_newest_page_is_known_from_both_sides() -> None:
    c, b, a = (user.pk for user in [make_user() for _ in range(3)])
    assert page(before=c) == ([a, b], None, b)
    assert page(before=a) == ([], None, a + 1)
    assert page(after=c) == ([], c - 1, None)


def test_all_on_one_page() -> None:
    assert keyset_page(User.objects.all(), limit=2).is_all
    make_user()
    assert keyset_page(User.objects.all(), limit=1) == KeysetPage(list(User.objects.all()))


def test_a_page_costs_one_query(django_assert_num_queries: Any) -> None:
    make_user()
    with django_assert_num_queries(1):
        page(after=10**17)


def test_pages_by_a_moment_follow_it_in_both_directions(django_assert_num_queries: Any) -> None:
    """The second oldest joined last, two at the same moment."""
    made = [make_user() for _ in range(5)]
    days = (2, 5, 3, 3, 1)
    for user, day in zip(made, days, strict=True):
        User.objects.filter(pk=user.pk).update(date_joined=datetime(2026, 1, day, tzinfo=UTC))
    a, b, c, d, e = (made[n].pk for n in (1, 3, 2, 0, 4))
    assert page(moment="date_joined") == ([a, b], None, b)
    assert page(moment="date_joined", after=b) == ([c, d], c, d)
    assert page(moment="date_joined", after=d) == ([e], e, None)
    assert page(moment="date_joined", before=e) == ([c, d], c, d)
    assert page(moment="date_joined", before=c) == ([a, b], None, b)
    with django_assert_num_queries(2):
        page(moment="date_joined", after=10**9)
