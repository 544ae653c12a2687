"""Search over everything that has a name or a number."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from components.models import Configuration, Job, Table
from components.queries import storage
from orchestrations.models import Orchestration, Run
from orchestrations.queries.orchestrations import list_orchestrations

SHOWN = 20
LONGEST_NUMBER = 18


@dataclass(frozen=True)
class Found:
    """What a search found, each kind up to twenty."""

    configurations: list[Configuration]
    orchestrations: list[Orchestration]
    tables: list[Table]
    runs: list[Run]
    jobs: list[Job]

    @property
    def count(self) -> int:
        """How many there are in all."""
        kinds = (self.configurations, self.orchestrations, self.tables, self.runs, self.jobs)
        return sum(len(kind) for kind in kinds)


def search(text: str) -> Found:
    """Look for all words in names and descriptions, and for a number among runs and jobs."""
    words = text.replace("\0", "").split()
    if not words:
        return Found([], [], [], [], [])
    configurations = Configuration.objects.filter(deleted_at=None).select_related("component")
    tables = storage.tables()
    for word in words:
        configurations = configurations.filter(
            Q(name__icontains=word)
            | Q(description__icontains=word)
            | Q(component__name__icontains=word)
        )
        tables = tables.filter(Q(key__icontains=word) | Q(description__icontains=word))
    number = words[-1].lstrip("#")
    wanted = int(number) if number.isascii() and number.isdecimal() else 0
    return Found(
        list(configurations.order_by("name", "pk")[:SHOWN]),
        list(list_orchestrations(" ".join(words))[:SHOWN]),
        list(tables[:SHOWN]),
        numbered_runs(wanted),
        numbered_jobs(wanted),
    )


def numbered_runs(number: int) -> list[Run]:
    """Return the run with a number, where there is one."""
    if not number or len(str(number)) > LONGEST_NUMBER:
        return []
    return list(Run.objects.filter(pk=number).select_related("orchestration"))


def numbered_jobs(number: int) -> list[Job]:
    """Return the job with a number, where there is one."""
    if not number or len(str(number)) > LONGEST_NUMBER:
        return []
    return list(Job.objects.filter(pk=number).select_related("component"))
