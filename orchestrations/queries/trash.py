"""What lies in the trash: both kinds in one list, what comes back with each and what would be lost.

Every function takes a constant number of queries, however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value

from components.models import Configuration, ConfigurationVersion
from orchestrations.enums import UNFINISHED_RUN
from orchestrations.models import (
    Notification,
    Orchestration,
    OrchestrationVersion,
    Run,
    Schedule,
    Task,
    TokenGrant,
    Trigger,
)
from orchestrations.queries.design_words import quoted
from orchestrations.validators import MAX_ID
from orchestrator_site.lib.sentences import counted, joined

TrashKind = Literal["configuration", "orchestration"]
TrashKey = tuple[TrashKind, int]
TrashPlace = tuple[datetime, str, int]  # where a page ended: thrown away at, kind, id
KINDS: dict[TrashKind, type[Configuration | Orchestration]] = {
    "orchestration": Orchestration,
    "configuration": Configuration,
}
NAMED = 3


@dataclass(frozen=True)
class TrashRow:
    """One thing in the trash.

    `about` says what it is, `comes_back` and `is_lost` what a restore brings and a purge deletes
    with it, `kept_by` why it cannot be deleted for good now; empty where nothing is to be said.
    """

    kind: TrashKind
    pk: int
    name: str
    about: str
    deleted_at: datetime | None
    deleted_by: str
    comes_back: str
    is_lost: str
    kept_by: str

    @property
    def key(self) -> str:
        """Return what names it in forms."""
        return f"{self.kind}:{self.pk}"


def in_trash(
    text: str = "", kind: str = "", *, after: TrashPlace | None = None
) -> QuerySet[Any, dict[str, Any]]:
    """Return `kind`, `pk` and `deleted_at` of what lies there, the last thrown away first."""
    found = [
        _after(_named(model.objects.exclude(deleted_at=None), text), name, after)
        .order_by()
        .annotate(kind=Value(name))
        .values("kind", "pk", "deleted_at")
        for name, model in KINDS.items()
        if kind in ("", name)
    ]
    first, *others = found
    union = first.union(*others, all=True) if others else first
    return cast("QuerySet[Any, dict[str, Any]]", union.order_by("-deleted_at", "kind", "-pk"))


def _after(rows: QuerySet[Any], kind: str, place: TrashPlace | None) -> QuerySet[Any]:
    if place is None:
        return rows
    at, last_kind, last_pk = place
    same = {"deleted_at": at} if kind > last_kind else {"deleted_at": at, "pk__lt": last_pk}
    wanted = Q(deleted_at__lt=at)
    return rows.filter(wanted if kind < last_kind else wanted | Q(**same))


def trash_counts(text: str = "") -> dict[TrashKind, int]:
    """Return how many of each kind there are."""
    return {
        kind: _named(model.objects.exclude(deleted_at=None), text).count()
        for kind, model in KINDS.items()
    }


def trash_rows(keys: Iterable[TrashKey], *, together: bool = False) -> list[TrashRow]:
    """Return the rows of these things, in their order; what is not in the trash is left out.

    `together` says what keeps one where all of them are deleted for good at once.
    """
    wanted = [key for key in dict.fromkeys(keys) if key[1] <= MAX_ID]
    ids: dict[str, list[int]] = {kind: [pk for k, pk in wanted if k == kind] for kind in KINDS}
    above = _orchestrations(ids["orchestration"], ids["orchestration"] if together else [])
    gone = [row.pk for row in above if not row.kept_by] if together else []
    rows = [*above, *_configurations(ids["configuration"], gone)]
    found = {(row.kind, row.pk): row for row in rows}
    return [found[key] for key in wanted if key in found]


def _named(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    for word in text.replace("\0", "").split():
        rows = rows.filter(name__icontains=word)
    return rows


def _orchestrations(ids: Sequence[int], gone: Sequence[int]) -> list[TrashRow]:
    rows = Orchestration.objects.filter(pk__in=ids).exclude(deleted_at=None)
    users = _users("orchestration", ids, gone)
    found = rows.select_related("deleted_by").annotate(
        tasks=_count(Task, "phase__orchestration"),
        schedule_count=_count(Schedule, "orchestration", deleted_at=None),
        trigger_count=_count(Trigger, "orchestration", deleted_at=None),
        notification_count=_count(Notification, "orchestration"),
        version_count=_count(OrchestrationVersion, "orchestration"),
        run_count=_count(Run, "orchestration"),
        has_token=Exists(TokenGrant.objects.filter(orchestration=OuterRef("pk"), is_own=True)),
        is_running=Exists(
            Run.objects.filter(orchestration=OuterRef("pk"), status__in=UNFINISHED_RUN)
        ),
    )
    return [_orchestration_row(row, users.get(row.pk, [])) for row in found]


def _orchestration_row(row: Any, users: list[str]) -> TrashRow:
    surroundings = [
        _amount(row.schedule_count, "schedule"),
        _amount(row.trigger_count, "trigger"),
        _amount(row.notification_count, "notification"),
        "its token" if row.has_token else "",
    ]
    lost = [_amount(row.run_count, "run"), _amount(row.version_count, "version"), *surroundings]
    kept = _kept(users)
    if row.is_running:
        kept = "A run of it has not ended yet."
    return TrashRow(
        "orchestration",
        row.pk,
        row.name,
        f"Orchestration, {_amount(row.tasks, 'task') or 'no tasks'}",
        row.deleted_at,
        str(row.deleted_by or ""),
        _told(surroundings),
        _told(lost),
        kept,
    )


def _configurations(ids: Sequence[int], gone: Sequence[int]) -> list[TrashRow]:
    rows = Configuration.objects.filter(pk__in=ids).exclude(deleted_at=None)
    users = _users("configuration", ids, gone)
    found = rows.select_related("component", "deleted_by").annotate(
        version_count=_count(ConfigurationVersion, "configuration"),
    )
    return [
        TrashRow(
            "configuration",
            row.pk,
            row.name,
            row.component.name,
            row.deleted_at,
            str(row.deleted_by or ""),
            _told([_amount(row.version_count, "version"), _task_of(users.get(row.pk, []))]),
            _amount(row.version_count, "version"),
            _kept(users.get(row.pk, [])),
        )
        for row in found
    ]


def _count(model: Any, path: str, **only: Any) -> Subquery:
    rows = model._default_manager.filter(**{path: OuterRef("pk")}, **only).order_by()  # noqa: SLF001  # public in all but name
    numbers = rows.annotate(one=Value(1)).values("one").annotate(n=Count("pk")).values("n")
    return Subquery(numbers, output_field=IntegerField())


def _users(kind: TrashKind, ids: Sequence[int], gone: Sequence[int]) -> dict[int, list[str]]:
    """Return the names of the orchestrations, but those gone, that have each of these as a task."""
    found: dict[int, list[str]] = {}
    rows = (
        Task.objects.filter(**{f"{kind}__in": ids})
        .exclude(phase__orchestration__in=gone)
        .annotate(above=F("phase__orchestration__name"))
    )
    for pk, name in rows.order_by("above").values_list(kind, "above").distinct():
        found.setdefault(pk, []).append(name)
    return found


def _task_of(names: Sequence[str]) -> str:
    return f"the tasks of {_some(names)}" if names else ""


def _kept(names: Sequence[str]) -> str:
    return f"It is a task of {_some(names)}; remove it there first." if names else ""


def _some(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return quoted(names)
    return f"{', '.join(f'“{name}”' for name in names[:NAMED])} and {len(names) - NAMED} more"


def _amount(count: int | None, noun: str) -> str:
    return counted(count, noun) if count else ""


def _told(parts: Sequence[str]) -> str:
    return joined(part for part in parts if part)
