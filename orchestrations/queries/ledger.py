"""The ledger of due moments: a page of it, counts by outcome, the strip of the last, all as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Q, QuerySet

from orchestrations.enums import SlotOutcome
from orchestrations.models import Orchestration, Schedule, Slot
from orchestrator_site.lib.csv_stream import plain

STRIP = 60
COUNTED = timedelta(days=30)
MOST_ROWS = 100_000
COLUMNS = ("due_at", "schedule", "name", "outcome", "kind", "reason", "run", "decided_at")


@dataclass(frozen=True)
class SlotFilter:
    """Which slots are wanted; `outcome` empty is all of them, times are from `since` to `until`."""

    orchestration: int | None = None
    schedule: int | None = None
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_set(self) -> bool:
        """Whether it leaves anything out of what it is about."""
        return bool(self.outcome or self.since or self.until)

    def rows(self, *, of_all_outcomes: bool = False) -> QuerySet[Slot]:
        """Return the slots that fit, in no order."""
        found = Slot.objects.all()
        if self.schedule is not None:
            found = found.filter(schedule=self.schedule)
        if self.orchestration is not None:
            found = found.filter(schedule__orchestration=self.orchestration)
        if self.outcome and not of_all_outcomes:
            found = found.filter(outcome=self.outcome)
        if self.since is not None:
            found = found.filter(due_at__gte=self.since)
        if self.until is not None:
            found = found.filter(due_at__lt=self.until)
        return found


@dataclass(frozen=True)
class Mark:
    """The last row of a page: where the next one goes on."""

    due_at: datetime
    pk: int

    def __str__(self) -> str:
        return f"{self.due_at.astimezone(UTC).isoformat()}/{self.pk}"

    @classmethod
    def read(cls, text: str) -> Mark | None:
        """Return the mark that was written so; None where it is none."""
        moment, _, number = text.partition("/")
        try:
            due_at = datetime.fromisoformat(moment)
            pk = int(number)
            due_at.astimezone(UTC)  # what reaches beyond the calendar is no mark
        except (ValueError, OverflowError):
            return None
        if due_at.tzinfo is None or not 0 <= pk < 2**63:
            return None
        return cls(due_at, pk)


@dataclass(frozen=True)
class LedgerPage:
    """Slots, newest first, and where older ones begin."""

    slots: list[Slot]
    older: Mark | None


def ledger(where: SlotFilter, *, before: Mark | None = None, limit: int = 50) -> LedgerPage:
    """Return one page of slots with their runs and schedules; one query."""
    rows = where.rows().select_related("run", "schedule").order_by("-due_at", "-pk")
    if before is not None:
        rows = rows.filter(
            Q(due_at__lt=before.due_at) | Q(due_at=before.due_at, pk__lt=before.pk),
            due_at__lte=before.due_at,
        )
    found = list(rows[: limit + 1])
    last = found[limit - 1] if len(found) > limit else None
    return LedgerPage(found[:limit], Mark(last.due_at, last.pk) if last else None)


def outcome_counts(where: SlotFilter, now: datetime) -> dict[SlotOutcome, int]:
    """Count the slots by outcome, whatever outcome is asked for; of the last 30 days at most."""
    rows = where.rows(of_all_outcomes=True).filter(due_at__gte=now - COUNTED)
    counted = rows.order_by().values_list("outcome").annotate(Count("pk"))
    counts = {SlotOutcome(outcome): n for outcome, n in counted}
    return {outcome: counts[outcome] for outcome in SlotOutcome if outcome in counts}


def last_slots(where: SlotFilter, n: int = STRIP) -> list[Slot]:
    """Return the last `n` slots of all outcomes, oldest first."""
    rows = where.rows(of_all_outcomes=True).order_by("-due_at", "-pk")
    return list(rows[:n])[::-1]


def schedules_with_slots(orchestration: Orchestration) -> list[Schedule]:
    """Return the schedules that a ledger may be asked for, removed ones too."""
    return list(orchestration.schedules.order_by("pk"))


def csv_rows(where: SlotFilter) -> Iterator[list[object]]:
    """Yield the heading and a row for each slot, newest first, 100,000 at most; times are UTC."""
    yield list(COLUMNS)
    rows = where.rows().select_related("schedule").order_by("-due_at", "-pk")[:MOST_ROWS]
    for slot in rows.iterator():
        yield [
            slot.due_at.astimezone(UTC).isoformat(),
            slot.schedule_id,
            plain(slot.schedule.name),
            slot.outcome,
            slot.kind,
            plain(slot.reason),
            slot.run_id or "",
            slot.decided_at.astimezone(UTC).isoformat(),
        ]
