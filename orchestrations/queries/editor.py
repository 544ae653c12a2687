"""What a task can run, as the tasks editor offers it, and what others saved meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from components.enums import JobStatus
from components.models import Component, Configuration, Job
from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration, OrchestrationVersion, Run
from orchestrations.queries.differences import Part
from orchestrations.queries.versions import compare

NESTED = "Orchestrations"
HEAVY = ("parameters", "input", "output", "state", "description")

R = TypeVar("R", Configuration, Orchestration)


@dataclass(frozen=True)
class Target:
    """A configuration or an orchestration that a task runs."""

    value: str  # such as configuration:12
    name: str
    detail: str  # the component's name
    type: str  # the component's type; empty for an orchestration
    icon: str
    url: str
    in_trash: bool
    schema: dict[str, Any] = field(default_factory=dict)  # of its parameters


@dataclass(frozen=True)
class Choice:
    """Something that can be added as a task, with its last job or run; None: it never ran."""

    pk: int
    target: Target
    last_status: str | None
    last_label: str
    last_at: datetime | None


@dataclass(frozen=True)
class Conflict:
    """What others saved after the version that somebody edits, newest first.

    `parts` are the places that differ, None where the edited version is not known.
    """

    versions: list[OrchestrationVersion]
    base: int
    parts: list[Part] | None

    @property
    def latest(self) -> OrchestrationVersion:
        """What is saved now."""
        return self.versions[0]


def targets_of(values: Iterable[str]) -> dict[str, Target]:
    """Return the targets that some values name, those in the trash too; unknown ones are absent."""
    ids: dict[str, set[int]] = {"configuration": set(), "orchestration": set()}
    for value in values:
        kind, _, number = value.partition(":")
        if kind in ids and number.isascii() and number.isdecimal() and len(number) <= 18:  # noqa: PLR2004
            ids[kind].add(int(number))
    configurations = (
        Configuration.objects.filter(pk__in=ids["configuration"])
        .prefetch_related(Prefetch("component", Component.objects.defer("documentation")))
        .defer(*HEAVY)
    )
    orchestrations = Orchestration.objects.filter(pk__in=ids["orchestration"])
    found = [
        *(_configuration(c) for c in configurations),
        *(_orchestration(o) for o in orchestrations),
    ]
    return {target.value: target for target in found}


def configuration_choices(
    words: str = "", *, component: Component | None = None, limit: int
) -> tuple[list[Choice], int]:
    """Return configurations by name, and how many more there are.

    Each word is looked for in their names and in those of their components.
    """
    found = Configuration.objects.filter(deleted_at=None)
    if component is not None:
        found = found.filter(component=component)
    for word in words.replace("\0", "").split():
        found = found.filter(Q(name__icontains=word) | Q(component__name__icontains=word))
    rows = _with_last(
        found.select_related("component"), Job.objects.filter(configuration=OuterRef("pk")), limit
    )
    rows = rows.defer(*HEAVY, "component__documentation", "component__schema")
    choices = [
        _choice(c, _configuration(c, with_schema=False), dict(JobStatus.choices)) for c in rows
    ]
    return choices, found.count() - len(choices)


def orchestration_choices(words: str = "", *, limit: int) -> tuple[list[Choice], int]:
    """Return orchestrations by name, and how many more there are."""
    found = Orchestration.objects.filter(deleted_at=None)
    for word in words.replace("\0", "").split():
        found = found.filter(name__icontains=word)
    rows = _with_last(found, Run.objects.filter(orchestration=OuterRef("pk")), limit)
    choices = [_choice(o, _orchestration(o), dict(RunStatus.choices)) for o in rows]
    return choices, found.count() - len(choices)


def conflict_since(orchestration: Orchestration, base: int) -> Conflict:
    """Return what was saved after a version; there is something."""
    versions = list(
        orchestration.versions.filter(Q(number__gt=base) | Q(number=orchestration.version))
        .select_related("created_by")
        .order_by("-number")
    )
    edited = orchestration.versions.filter(number=base).first()
    parts = compare(edited.definition, versions[0].definition) if edited else None
    return Conflict(versions, base, parts)


def _with_last(found: QuerySet[R], made: QuerySet[Job] | QuerySet[Run], limit: int) -> QuerySet[R]:
    newest = made.order_by("-pk")
    return found.annotate(
        last_status=Subquery(newest.values("status")[:1]),
        last_at=Subquery(newest.values("created_at")[:1]),
    ).order_by("name", "pk")[:limit]


def _choice(row: Any, target: Target, labels: dict[str, str]) -> Choice:
    label = str(labels.get(row.last_status, ""))
    return Choice(row.pk, target, row.last_status, label, row.last_at)


def _configuration(configuration: Configuration, *, with_schema: bool = True) -> Target:
    component = configuration.component
    return Target(
        value=f"configuration:{configuration.pk}",
        name=configuration.name,
        detail=component.name,
        type=component.type,
        icon=component.icon,
        url=configuration.get_absolute_url(),
        in_trash=configuration.deleted_at is not None,
        schema=component.schema if with_schema else {},
    )


def _orchestration(orchestration: Orchestration) -> Target:
    return Target(
        value=f"orchestration:{orchestration.pk}",
        name=orchestration.name,
        detail="Orchestration",
        type="",
        icon="hierarchy-2",
        url=orchestration.get_absolute_url(),
        in_trash=orchestration.deleted_at is not None,
    )
