"""What the pages of versions show: the list, one version whole, and what a restore would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import QuerySet

from components.models import Configuration
from orchestrations.enums import VersionPart
from orchestrations.models import Orchestration, OrchestrationVersion
from orchestrations.models.orchestration import Definition, PhaseDesign, empty_definition
from orchestrations.queries import design_words as words
from orchestrations.queries.differences import (
    Item,
    Names,
    Part,
    differences,
    target,
    unusual_of_task,
)
from orchestrations.queries.versions import compare, missing_targets, names_in

CHOICES = 200  # versions in a select

PART_OF = {"phases": VersionPart.TASKS}  # others are called as their part is


@dataclass(frozen=True)
class ShownTask:
    """A task of a version; `pk` is None where what it runs was deleted for good."""

    item: Item
    kind: str
    pk: int | None


@dataclass(frozen=True)
class ShownPhase:
    """A phase of a version; `waits` says for what where it is not the phase before it."""

    name: str
    waits: str
    tasks: list[ShownTask]


@dataclass(frozen=True)
class WholeVersion:
    """One version to be read: what usually is so is left out."""

    definition: Definition
    phases: list[ShownPhase]
    surroundings: list[Part]

    @property
    def task_count(self) -> int:
        """The number of its tasks."""
        return sum(len(phase.tasks) for phase in self.phases)


@dataclass(frozen=True)
class Restorable:
    """A part that a restore would change, how, and why it cannot be restored, if it cannot."""

    part: VersionPart
    differences: list[Part]
    problem: str = ""


def filtered_versions(
    orchestration: Orchestration, *, text: str = "", by: str = ""
) -> QuerySet[OrchestrationVersion]:
    """Return versions, newest first; `text` looks into their sentences, `by` is a user's name."""
    found = orchestration.versions.select_related("created_by").defer("definition")
    for word in text.replace("\0", "").split():
        found = found.filter(change__icontains=word)
    if by:
        found = found.filter(created_by__username=by.replace("\0", ""))
    return found.order_by("-number")


def authors(orchestration: Orchestration) -> list[str]:
    """Return the names of those who made a version, in order."""
    made = orchestration.versions.exclude(created_by=None).order_by().values("created_by")
    return list(
        User.objects.filter(pk__in=made).order_by("username").values_list("username", flat=True)
    )


def version_choices(orchestration: Orchestration, chosen: Sequence[int]) -> list[tuple[int, str]]:
    """Return the newest versions and those chosen, as number and sentence, newest first."""
    rows = orchestration.versions.order_by("-number").values_list("number", "change")
    found = dict(rows[:CHOICES]) | dict(rows.filter(number__in=chosen))
    return sorted(found.items(), reverse=True)


def whole_version(definition: Definition) -> WholeVersion:
    """Return one version to be read; two queries."""
    names = names_in([definition])
    phase_names = {phase["key"]: phase["name"] for phase in definition["phases"]}
    return WholeVersion(
        definition,
        [_phase(phase, phase_names, names) for phase in definition["phases"]],
        differences(
            empty_definition(),
            {**definition, "name": "", "description": "", "variables": {}, "phases": []},
            names,
        ),
    )


def _phase(phase: PhaseDesign, phase_names: dict[str, str], names: Names) -> ShownPhase:
    tasks = [
        ShownTask(
            Item("added", names.task(task), changes=unusual_of_task(task)),
            target(task)[0],
            target(task)[1] if target(task) in names.targets else None,
        )
        for task in phase["tasks"]
    ]
    waits = "" if phase["depends_on"] is None else words.waits_words(phase, phase_names)
    return ShownPhase(phase["name"], waits, tasks)


def restorable(latest: Definition, version: Definition) -> list[Restorable]:
    """Return what restoring a version would change, by part; empty where nothing differs."""
    found: dict[VersionPart, list[Part]] = {}
    for part in compare(latest, version):
        found.setdefault(PART_OF.get(part.key) or VersionPart(part.key), []).append(part)
    problem = ""
    if VersionPart.TASKS in found and (gone := missing_targets(version)):
        problem = missing_words(gone)
    return [
        Restorable(part, parts, problem if part is VersionPart.TASKS else "")
        for part, parts in found.items()
    ]


def missing_words(phases: Sequence[str]) -> str:
    """Say that tasks cannot come back; takes the name of the phase of each."""
    tasks = "The configuration or orchestration of a task"
    if len(phases) > 1:
        tasks = f"The configurations or orchestrations of {len(phases)} tasks"
    names = list(dict.fromkeys(phases))
    where = f"in phase{'' if len(names) == 1 else 's'} {words.quoted(names)}"
    verb = "was" if len(phases) == 1 else "were"
    return f"{tasks} {where} {verb} deleted for good, so its tasks cannot come back."


def trashed_targets(definition: Definition) -> list[str]:
    """Return the names of what tasks run that lies in the trash, in order; two queries."""
    targets = [target(task) for phase in definition["phases"] for task in phase["tasks"]]
    names: list[str] = []
    for kind, rows in (
        ("configuration", Configuration.objects.exclude(deleted_at=None).values_list("name")),
        ("orchestration", Orchestration.objects.exclude(deleted_at=None).values_list("name")),
    ):
        wanted = {pk for name, pk in targets if name == kind}
        names += [name for (name,) in rows.filter(pk__in=wanted).order_by("name")]
    return names
