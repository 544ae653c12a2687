from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration, Run
from orchestrations.queries.orchestration_list import (
    OrchestrationPage,
    Order,
    Shown,
    find_orchestrations,
    page_by_name,
    page_by_number,
)
from tests.builders import make_empty_orchestration, make_run, make_schedule

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def named(*names: str) -> list[Orchestration]:
    return [make_empty_orchestration(name=name) for name in names]


def run(of: Orchestration, status: RunStatus, seconds: int | None = None) -> Run:
    end = NOON + timedelta(seconds=seconds) if seconds is not None else None
    return make_run(of, status=status, started_at=NOON, ended_at=end)


def names(**how: object) -> str:
    return "".join(o.name for o in find_orchestrations(**how))  # type: ignore[arg-type]  # as asked


def test_filters() -> None:
    a, b, c, _ = named("a", "b", "c", "d")
    run(a, RunStatus.ERROR, 1)
    run(a, RunStatus.PROCESSING)  # what has not ended yet says nothing
    run(b, RunStatus.ERROR, 1)
    run(b, RunStatus.SUCCESS, 1)
    run(c, RunStatus.WAITING)
    make_schedule(NOON, orchestration=a)
    make_schedule(None, orchestration=b, is_enabled=False)
    make_schedule(NOON, orchestration=c, deleted_at=NOON)
    Orchestration.objects.filter(pk=b.pk).update(is_enabled=False)
    found = {shown: names(shown=shown) for shown in Shown}
    assert found == {
        Shown.ALL: "abcd",
        Shown.FAILING: "a",
        Shown.RUNNING: "ac",
        Shown.DISABLED: "b",
        Shown.UNSCHEDULED: "bcd",
    }
    assert names(search="b", shown=Shown.UNSCHEDULED) == "b"
    Orchestration.objects.filter(pk=a.pk).update(deleted_at=NOON)
    assert (names(shown=Shown.FAILING), names(shown=Shown.RUNNING)) == ("", "c")


def test_orders() -> None:
    a, b, c, _ = named("a", "b", "c", "d")
    run(b, RunStatus.SUCCESS, 100)
    run(a, RunStatus.SUCCESS, 5)
    run(c, RunStatus.PROCESSING)
    for number, each in enumerate((a, b, c)):
        Run.objects.filter(orchestration=each).update(created_at=NOON + timedelta(hours=number))
    make_schedule(NOON + timedelta(hours=2), orchestration=a)
    make_schedule(NOON, orchestration=a, deleted_at=NOON)
    make_schedule(NOON + timedelta(hours=1), orchestration=b)
    found = {
        (order, turned): names(order=order, turned=turned)
        for order in Order
        for turned in (False, True)
    }
    assert found == {
        (Order.NAME, False): "abcd",
        (Order.NAME, True): "dcba",
        (Order.LAST_RUN, False): "cbad",
        (Order.LAST_RUN, True): "abcd",
        (Order.NEXT_RUN, False): "bacd",
        (Order.NEXT_RUN, True): "abcd",
        (Order.DURATION, False): "bacd",
        (Order.DURATION, True): "abcd",
    }


def by_name(*, turned: bool = False, **place: int | None) -> OrchestrationPage:
    found = find_orchestrations(turned=turned)
    return page_by_name(found, limit=2, turned=turned, **place)


@pytest.mark.parametrize("turned", [False, True])
def test_pages_by_name_follow_one_another_in_both_directions(*, turned: bool) -> None:
    made = named("a", "b", "b", "b", "c")
    if turned:
        made.reverse()
    first = by_name(turned=turned)
    second = by_name(turned=turned, after=first.after)
    third = by_name(turned=turned, after=second.after)
    assert [p.orchestrations for p in (first, second, third)] == [made[:2], made[2:4], made[4:]]
    assert (first.has_previous, third.has_next) == (False, False)
    assert by_name(turned=turned, before=third.before) == second
    again = by_name(turned=turned, before=second.before)
    assert (again.orchestrations, again.has_previous) == (made[:2], False)


def test_a_neighbour_that_is_gone_leads_to_the_first_page() -> None:
    made = named("a")
    assert by_name(after=10**9).orchestrations == made


def test_pages_by_number() -> None:
    made = named("a", "b", "c")
    found = find_orchestrations()
    assert page_by_number(found, limit=2) == OrchestrationPage(made[:2], next_number=2)
    second = OrchestrationPage(made[2:], previous_number=1)
    assert page_by_number(found, limit=2, number=2) == second
    assert (second.has_previous, second.has_next) == (True, False)
    assert page_by_number(found, limit=2, number=-3).orchestrations == made[:2]
