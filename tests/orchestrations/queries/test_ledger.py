"""The ledger of due moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from orchestrations.models import Schedule, Slot
from orchestrations.queries.ledger import (
    Mark,
    SlotFilter,
    csv_rows,
    last_slots,
    ledger,
    outcome_counts,
)
from tests.builders import make_empty_orchestration, make_schedule

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def slot(schedule: Schedule, hours: float, outcome: str = "fired", reason: str = "") -> Slot:
    return Slot.objects.create(
        schedule=schedule, due_at=NOON + hours * HOUR, outcome=outcome, reason=reason
    )


def test_pages_of_several_schedules_lose_and_repeat_nothing_where_moments_are_the_same(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    orchestration = make_empty_orchestration()
    several = [make_schedule(None, orchestration=orchestration) for _ in range(3)]
    made = [slot(schedule, hour) for hour in range(5) for schedule in several]
    where, found, before = SlotFilter(orchestration=orchestration.pk), list[int](), None
    while True:
        with django_assert_num_queries(1):
            page = ledger(where, before=before, limit=4)
            assert all(slot.schedule.pk for slot in page.slots)
        found += [slot.pk for slot in page.slots]
        if page.older is None:
            break
        before = Mark.read(str(page.older))

    newest_first = sorted(made, key=lambda slot: (slot.due_at, slot.pk), reverse=True)
    assert found == [slot.pk for slot in newest_first]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "2026-06-01T12:00:00/3",
        "2026-06-01T12:00:00Z/",
        "2026-06-01/x",
        "/",
        "0001-01-01T00:00:00+14:00/1",
    ],
)
def test_what_is_no_mark_reads_as_none(text: str) -> None:
    assert Mark.read(text) is None


def test_filters() -> None:
    mine, other = make_schedule(None), make_schedule(None)
    slot(other, 1)
    slots = [slot(mine, 0), slot(mine, 1, "missed"), slot(mine, 2), slot(mine, 3, "missed")]

    def found(**fields: object) -> list[int]:
        where = SlotFilter(schedule=mine.pk, **fields)  # type: ignore[arg-type]  # by the test
        return [slots.index(s) for s in ledger(where).slots]

    assert found() == [3, 2, 1, 0]
    assert found(outcome="missed") == [3, 1]
    assert found(since=NOON + HOUR, until=NOON + 3 * HOUR) == [2, 1]
    assert found(orchestration=other.orchestration_id) == []


def test_counts_and_the_strip_are_of_all_outcomes() -> None:
    schedule = make_schedule(None)
    slot(schedule, -24 * 31)
    for hours in range(3):
        slot(schedule, hours)
    slot(schedule, 3, "missed")
    where = SlotFilter(schedule=schedule.pk, outcome="missed")

    assert outcome_counts(where, NOON + 4 * HOUR) == {"fired": 3, "missed": 1}
    assert [s.due_at for s in last_slots(where, 2)] == [NOON + 2 * HOUR, NOON + 3 * HOUR]


def test_as_csv_no_text_is_a_formula() -> None:
    schedule = make_schedule(None, name="=1+1")
    one = slot(schedule, 0, "rejected", "@SUM(A1)")
    heading, row = csv_rows(SlotFilter(schedule=schedule.pk))

    assert heading[:4] == ["due_at", "schedule", "name", "outcome"]
    assert row[:7] == [
        "2026-06-01T12:00:00+00:00",
        schedule.pk,
        "'=1+1",
        "rejected",
        "normal",
        "'@SUM(A1)",
        "",
    ]
    assert row[7] == one.decided_at.isoformat()
