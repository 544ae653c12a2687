"""Orchestrations inside orchestrations: never in a circle, and never deeper than is allowed.

All of them count, also those in the trash and tasks that are inactive, so that restoring one or
choosing the other in a run cannot close a circle later.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.db import connection

from orchestrations.models import Orchestration, Task
from orchestrations.validators import inside_itself, too_deep

NESTING_LOCK = 7_215_402  # PostgreSQL's advisory lock of saves that nest
MISSING = "This orchestration does not exist."

Graph = dict[int, set[int]]


def nesting_errors(
    children: Mapping[str, int], *, parent: Orchestration | None, name: str
) -> dict[str, str]:
    """Return why orchestrations cannot be tasks of `parent`, by the paths that they came with.

    `parent` is None for a new one; `name` is what it will be called. Until the transaction ends no
    other save can nest, so that two cannot close a circle between them.
    """
    if not children:
        return {}
    lock_nesting()
    return nesting_reasons(children, parent=parent, name=name)


def nesting_reasons(
    children: Mapping[str, int], *, parent: Orchestration | None, name: str
) -> dict[str, str]:
    """Return what `nesting_errors` does, for people who choose: the number of queries is fixed."""
    nesting = _Nesting(parent, name)
    known = set(Orchestration.objects.filter(pk__in=children.values()).values_list("pk", flat=True))
    errors = {
        path: nesting.error(child) if child in known else MISSING
        for path, child in children.items()
    }
    return {path: error for path, error in errors.items() if error}


def lock_nesting() -> None:
    """Let saves that nest orchestrations take turns until the transaction ends; safe to call twice.

    It comes after the locks of orchestrations: one that saves several locks all of them first, so
    that two cannot wait for each other. SQLite has one writer at a time as it is.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NESTING_LOCK])


class _Nesting:
    """Which orchestration has which others as tasks, as seen from one that is to be saved."""

    def __init__(self, parent: Orchestration | None, name: str) -> None:
        self._parent = parent.pk if parent else 0
        self._name = name
        self._below: Graph = {}
        self._above: Graph = {}
        self._rows: dict[int, Orchestration] = {}  # read where one has to be named
        pairs = Task.objects.exclude(orchestration=None).values_list(
            "phase__orchestration", "orchestration"
        )
        for above, below in pairs:
            if below and above != self._parent:  # what it has now is about to be replaced
                self._below.setdefault(above, set()).add(below)
                self._above.setdefault(below, set()).add(above)

    def error(self, child: int) -> str:
        """Return why it cannot be a task, or an empty text."""
        if circle := self._way(child):
            return inside_itself(self._names([self._parent, *circle]))
        above = _longest(self._parent, self._above)[::-1]
        chain = [*above, *_longest(child, self._below)]
        if len(chain) - 1 > settings.NESTING_LIMIT:
            return too_deep(self._names(chain), settings.NESTING_LIMIT)
        return ""

    def _way(self, start: int) -> list[int]:
        """Return the shortest way down from `start` to the parent, both included, if there is."""
        came_from: dict[int, int | None] = {start: None}
        queue = [start]
        for node in queue:
            if node == self._parent:
                return _path(came_from, node)[::-1]
            for below in sorted(self._below.get(node, ())):
                if below not in came_from:
                    came_from[below] = node
                    queue.append(below)
        return []

    def _names(self, chain: list[int]) -> list[str]:
        if not self._rows.keys() >= set(chain) - {self._parent}:
            known = self._below.keys() | self._above.keys()
            self._rows = Orchestration.objects.in_bulk(known | set(chain))
        return [self._name if pk == self._parent else _title(self._rows[pk]) for pk in chain]


def _path(came_from: Mapping[int, int | None], end: int | None) -> list[int]:
    path = []
    while end is not None:
        path.append(end)
        end = came_from[end]
    return path


def _longest(start: int, edges: Graph, seen: frozenset[int] = frozenset()) -> list[int]:
    """Return the longest way along edges from `start`, which it begins with."""
    seen |= {start}
    ways = [_longest(end, edges, seen) for end in sorted(edges.get(start, set()) - seen)]
    return [start, *max(ways, key=len, default=[])]


def _title(orchestration: Orchestration) -> str:
    where = " (in the trash)" if orchestration.deleted_at else ""
    return f"{orchestration.name}{where}"
