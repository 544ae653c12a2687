from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.models import Bucket
from orchestrator_site.lib.fuzzy import fitting, rank, score


def order(text: str, *names: str) -> list[str]:
    found = [(score(text, name), name) for name in names]
    return [
        name for fit, name in sorted(found, key=lambda pair: -(pair[0] or 0)) if fit is not None
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("night", ["Night", "Nightly", "Last night", "Fortnight", "N in great haste today"]),
        ("sal", ["Sales", "Sales of today", "Daily sales", "Special"]),
        ("da sa", ["Daily sales", "Sales, daily"]),
        ("RUN 12", ["Run 12", "Run 121"]),
    ],
)
def test_the_better_fit_comes_first(text: str, names: list[str]) -> None:
    assert order(text, *reversed(names)) == names


def test_what_lacks_a_letter_or_has_them_in_another_order_does_not_fit() -> None:
    assert order("ab", "ba", "a", "", "xaxbx") == ["xaxbx"]
    assert order("a b", "a", "b") == []


def test_nothing_fits_everything() -> None:
    assert score(" \0", "x") == 0.0


@pytest.mark.django_db
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text("ab%_\\' .", max_size=5))
def test_the_database_finds_what_has_a_score(text: str) -> None:
    names = ["ab", "a%b", "a_b", "a\\b", "b a", "a'b", "", "AB", "%", "b.a"]
    Bucket.objects.all().delete()
    Bucket.objects.bulk_create(
        Bucket(key=f"k{number}", stage="in", name=name) for number, name in enumerate(names)
    )
    found = Bucket.objects.filter(fitting(text, "name")).order_by("pk")
    assert [b.name for b in found] == [name for name in names if score(text, name) is not None]


@pytest.mark.django_db
def test_the_database_ranks_alike() -> None:
    names = ["Special", "Great sales", "Salesman", "Sales", "Wholesales"]
    for number, name in enumerate(names):
        Bucket.objects.create(key=f"k{number}", stage="in", name=name)
    found = Bucket.objects.filter(fitting("sales", "name")).order_by(rank("sales", "name"), "pk")
    assert [b.name for b in found] == ["Sales", "Salesman", "Great sales", "Wholesales"]
