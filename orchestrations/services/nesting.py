"""Orchestrations inside orchestrations: never in a circle, and never deeper than is allowed."""

from __future__ import annotations

from django.conf import settings

from orchestrations.models import Orchestration, Task


class Nesting:
    """Which orchestration has which others as tasks, read once and only where one is nested."""

    def __init__(self) -> None:
        self._below: dict[int, set[int]] | None = None

    def error(self, parent: int | None, child: int) -> str:
        """Return why `child` cannot be a task of `parent` (None: a new one), or an empty text."""
        if not Orchestration.objects.filter(pk=child).exists():
            return "This orchestration does not exist."
        if self._below is None:
            self._below = {}
            pairs = Task.objects.exclude(orchestration=None).values_list(
                "phase__orchestration", "orchestration"
            )
            for above, below in pairs:
                self._below.setdefault(above, set()).add(below)
        if parent is not None and (child == parent or parent in self._all_below(child)):
            return "It would run inside itself."
        levels = self._height(parent) + 1 + self._depth(child)
        if levels > settings.NESTING_LIMIT:
            return f"Orchestrations may be nested {settings.NESTING_LIMIT} deep at most."
        return ""

    def _all_below(self, top: int) -> set[int]:
        found: set[int] = set()
        left = [top]
        while left:
            new = self._children(left.pop()) - found
            found |= new
            left += new
        return found

    def _depth(self, top: int) -> int:
        return max((1 + self._depth(child) for child in self._children(top)), default=0)

    def _height(self, bottom: int | None) -> int:
        above = [top for top, children in (self._below or {}).items() if bottom in children]
        return max((1 + self._height(top) for top in above), default=0)

    def _children(self, top: int) -> set[int]:
        return (self._below or {}).get(top, set())
