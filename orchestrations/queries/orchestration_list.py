"""The list of orchestrations: its filters, its orders, its pages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db.models import F, Min, OrderBy, OuterRef, Q, QuerySet, Subquery

from orchestrations.enums import FINISHED_RUN, UNFINISHED_RUN, RunStatus
from orchestrations.models import Orchestration, Run, Schedule
from orchestrations.queries.orchestrations import list_orchestrations


class Shown(StrEnum):
    """Which orchestrations a list shows."""

    ALL = ""
    FAILING = "failing"
    RUNNING = "running"
    DISABLED = "disabled"
    UNSCHEDULED = "unscheduled"


class Order(StrEnum):
    """By what a list is ordered; what has none of it comes last."""

    NAME = ""
    LAST_RUN = "last"
    NEXT_RUN = "next"
    DURATION = "duration"


@dataclass(frozen=True)
class OrchestrationPage:
    """One page; by name it is asked for by a neighbour (`after`, `before`), else by its number."""

    orchestrations: list[Orchestration]
    after: int | None = None  # of the next page
    before: int | None = None  # of the one in front of it
    next_number: int | None = None
    previous_number: int | None = None

    @property
    def has_next(self) -> bool:
        """Whether there is a page behind it."""
        return self.after is not None or self.next_number is not None

    @property
    def has_previous(self) -> bool:
        """Whether there is a page in front of it."""
        return self.before is not None or self.previous_number is not None


def find_orchestrations(
    search: str = "", *, shown: Shown = Shown.ALL, order: Order = Order.NAME, turned: bool = False
) -> QuerySet[Orchestration]:
    """Return the orchestrations of a list in its order; `turned` round is the last one first."""
    found = list_orchestrations(search).order_by()
    found = found.filter(_FILTERS[shown]()) if shown else found
    if order == Order.NAME:
        return found.order_by(*(("-name", "-pk") if turned else ("name", "pk")))
    by = _ordered(order)
    found = found.annotate(**by)
    key = F("begun") if order != Order.DURATION else F("over") - F("begun")
    # Those of today first, but what comes next before what comes later.
    is_falling = turned if order == Order.NEXT_RUN else not turned
    return found.order_by(OrderBy(key, descending=is_falling, nulls_last=True), "name", "pk")


def page_by_name(
    found: QuerySet[Orchestration],
    *,
    limit: int,
    after: int | None = None,
    before: int | None = None,
    turned: bool = False,
) -> OrchestrationPage:
    """Return a page of a list by name, however far down it is as quick as the first."""
    back = after is None and before is not None
    anchor = _anchor(before if back else after)
    if anchor is not None:
        found = found.filter(_beyond(anchor, rising=back == turned))
    rows = list((found.reverse() if back else found)[: limit + 1])
    more, rows = len(rows) > limit, rows[:limit]
    if back:
        rows.reverse()
        first = rows[0].pk if rows and more else None
        return OrchestrationPage(rows, after=rows[-1].pk if rows else None, before=first)
    first = rows[0].pk if rows and anchor is not None else None
    return OrchestrationPage(rows, after=rows[-1].pk if more else None, before=first)


def page_by_number(
    found: QuerySet[Orchestration], *, limit: int, number: int = 1
) -> OrchestrationPage:
    """Return a page of a list that has another order, counted from 1."""
    number = max(1, number)
    start = (number - 1) * limit
    rows = list(found[start : start + limit + 1])
    return OrchestrationPage(
        rows[:limit],
        next_number=number + 1 if len(rows) > limit else None,
        previous_number=number - 1 or None,
    )


def _anchor(pk: int | None) -> Orchestration | None:
    return Orchestration.objects.filter(pk=pk).only("name").first() if pk is not None else None


def _beyond(anchor: Orchestration, *, rising: bool) -> Q:
    """Return what comes after the anchor by name, in front of it where the order falls."""
    way = "gt" if rising else "lt"
    same = Q(("name", anchor.name), (f"pk__{way}", anchor.pk))
    return Q((f"name__{way}", anchor.name)) | same


def _last(**which: object) -> QuerySet[Run]:
    return Run.objects.filter(orchestration=OuterRef("pk"), **which).order_by("-pk")


def _ordered(order: Order) -> dict[str, Subquery]:
    if order == Order.NEXT_RUN:
        due = _schedules().filter(orchestration=OuterRef("pk")).order_by().values("orchestration")
        return {"begun": Subquery(due.annotate(at=Min("next_fire_at")).values("at"))}
    if order == Order.LAST_RUN:
        return {"begun": Subquery(_last().values("created_at")[:1])}
    ended = _last(ended_at__isnull=False)
    return {
        "begun": Subquery(ended.values("started_at")[:1]),
        "over": Subquery(ended.values("ended_at")[:1]),
    }


def _schedules() -> QuerySet[Schedule]:
    return Schedule.objects.filter(deleted_at=None)


def _failing() -> Q:
    newest = Subquery(_last(status__in=FINISHED_RUN).values("status")[:1])
    failing = Orchestration.objects.filter(deleted_at=None).annotate(newest=newest)
    return Q(pk__in=failing.filter(newest=RunStatus.ERROR).order_by().values("pk"))


def _running() -> Q:
    runs = Run.objects.filter(status__in=UNFINISHED_RUN).order_by()
    return Q(pk__in=runs.values("orchestration"))


def _disabled() -> Q:
    return Q(is_enabled=False)


def _unscheduled() -> Q:
    return ~Q(pk__in=_schedules().filter(is_enabled=True).order_by().values("orchestration"))


_FILTERS = {
    Shown.FAILING: _failing,
    Shown.RUNNING: _running,
    Shown.DISABLED: _disabled,
    Shown.UNSCHEDULED: _unscheduled,
}
