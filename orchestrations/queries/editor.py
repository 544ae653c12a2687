"""What a task can run, as the tasks editor offers it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from components.models import Configuration
from orchestrations.models import Orchestration

NESTED = "Orchestrations"


@dataclass(frozen=True)
class Target:
    """A configuration or an orchestration that a task runs."""

    value: str  # such as configuration:12
    name: str
    detail: str  # the component's name
    type: str  # the component's type; empty for an orchestration
    icon: str
    group: str
    url: str
    in_trash: bool


def targets(*, without: Orchestration | None = None) -> list[Target]:
    """Return all that can be added as a task, by name; the orchestration itself left out."""
    found = [_configuration(c) for c in _configurations().filter(deleted_at=None)]
    nested = Orchestration.objects.filter(deleted_at=None).order_by("name", "pk")
    if without is not None:
        nested = nested.exclude(pk=without.pk)
    return [*found, *(_orchestration(o) for o in nested)]


def targets_of(values: Iterable[str]) -> dict[str, Target]:
    """Return the targets that some values name, those in the trash too; unknown ones are absent."""
    ids: dict[str, set[int]] = {"configuration": set(), "orchestration": set()}
    for value in values:
        kind, _, number = value.partition(":")
        if kind in ids and number.isascii() and number.isdecimal() and len(number) <= 18:  # noqa: PLR2004
            ids[kind].add(int(number))
    configurations = _configurations().filter(pk__in=ids["configuration"])
    orchestrations = Orchestration.objects.filter(pk__in=ids["orchestration"])
    found = [
        *(_configuration(c) for c in configurations),
        *(_orchestration(o) for o in orchestrations),
    ]
    return {target.value: target for target in found}


def _configurations() -> QuerySet[Configuration]:
    return Configuration.objects.select_related("component").order_by("name", "pk")


def _configuration(configuration: Configuration) -> Target:
    component = configuration.component
    return Target(
        value=f"configuration:{configuration.pk}",
        name=configuration.name,
        detail=component.name,
        type=component.type,
        icon=component.icon,
        group=component.get_type_display(),
        url=configuration.get_absolute_url(),
        in_trash=configuration.deleted_at is not None,
    )


def _orchestration(orchestration: Orchestration) -> Target:
    return Target(
        value=f"orchestration:{orchestration.pk}",
        name=orchestration.name,
        detail="Orchestration",
        type="",
        icon="hierarchy-2",
        group=NESTED,
        url=orchestration.get_absolute_url(),
        in_trash=orchestration.deleted_at is not None,
    )
