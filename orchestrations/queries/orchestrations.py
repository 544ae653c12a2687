"""Orchestrations as their list and the pages of configurations show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from components.models import Configuration
from orchestrations.models import Orchestration, OrchestrationVersion, Run, Schedule, Task, Trigger
from orchestrations.queries.runs import latest_runs


@dataclass(frozen=True)
class OrchestrationRow:
    """One line of the list; `runs` holds the last 20, oldest first."""

    orchestration: Orchestration
    phase_count: int
    task_count: int
    schedules: list[Schedule]
    runs: list[Run]
    triggers: list[Trigger] = field(default_factory=list)  # each with its `table_count`

    @property
    def last_run(self) -> Run | None:
        """The newest run, ended or not."""
        return self.runs[-1] if self.runs else None

    @property
    def next_fire_at(self) -> datetime | None:
        """The next due moment of any of its schedules."""
        moments = [s.next_fire_at for s in self.schedules if s.next_fire_at]
        return min(moments, default=None)


def list_orchestrations(
    search: str = "", *, enabled: bool | None = None, trash: bool = False
) -> QuerySet[Orchestration]:
    """Return orchestrations by name; `search` looks into names and descriptions.

    Outside the trash unless `trash`; there the last one thrown away comes first.
    """
    found = Orchestration.objects.filter(deleted_at__isnull=not trash)
    for word in search.replace("\0", "").split():
        found = found.filter(Q(name__icontains=word) | Q(description__icontains=word))
    if enabled is not None:
        found = found.filter(is_enabled=enabled)
    order = ("-deleted_at", "-pk") if trash else ("name", "pk")
    return found.select_related("created_by", "deleted_by").order_by(*order)


def orchestration_rows(orchestrations: Sequence[Orchestration]) -> list[OrchestrationRow]:
    """Return the lines for a page of orchestrations: five queries, however many."""
    ids = [orchestration.pk for orchestration in orchestrations]
    counts = {
        pk: (phases, tasks)
        for pk, phases, tasks in Task.objects.filter(phase__orchestration__in=ids)
        .order_by()
        .values_list("phase__orchestration")
        .annotate(Count("phase", distinct=True), Count("pk"))
    }
    schedules: dict[int, list[Schedule]] = {}
    for schedule in Schedule.objects.filter(orchestration__in=ids, deleted_at=None).order_by("pk"):
        schedules.setdefault(schedule.orchestration_id, []).append(schedule)
    triggers: dict[int, list[Trigger]] = {}
    watching = Trigger.objects.filter(orchestration__in=ids, deleted_at=None).order_by("pk")
    for trigger in watching.annotate(table_count=Count("tables")):
        triggers.setdefault(trigger.orchestration_id, []).append(trigger)
    runs: dict[int, list[Run]] = {}
    for run in latest_runs(ids):
        runs.setdefault(run.orchestration_id, []).append(run)
    return [
        OrchestrationRow(
            o,
            *counts.get(o.pk, (0, 0)),
            schedules.get(o.pk, []),
            runs.get(o.pk, []),
            triggers.get(o.pk, []),
        )
        for o in orchestrations
    ]


def orchestrations_using(configuration: Configuration) -> QuerySet[Orchestration]:
    """Return the orchestrations outside the trash that have a configuration as a task, by name."""
    return (
        Orchestration.objects.filter(phases__tasks__configuration=configuration, deleted_at=None)
        .distinct()
        .order_by("name", "pk")
    )


def orchestrations_above(orchestration: Orchestration) -> QuerySet[Orchestration]:
    """Return the orchestrations outside the trash that have this one as a task, by name."""
    return (
        Orchestration.objects.filter(phases__tasks__orchestration=orchestration, deleted_at=None)
        .distinct()
        .order_by("name", "pk")
    )


def versions_of(orchestration: Orchestration) -> QuerySet[OrchestrationVersion]:
    """Return what its saves made of an orchestration, newest first, with who saved."""
    return orchestration.versions.select_related("created_by").order_by("-number")


def tasks_of(orchestration: Orchestration) -> list[Task]:
    """Return the tasks as designed, in order, with phase and target; one query."""
    tasks = Task.objects.filter(phase__orchestration=orchestration)
    return list(
        tasks.select_related("phase", "configuration__component", "orchestration").order_by(
            "phase__position", "position"
        )
    )
