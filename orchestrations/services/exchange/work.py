"""What the steps of applying files share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User

from components.exceptions import ComponentsError
from orchestrations.exceptions import OrchestrationsError
from orchestrations.services.exchange.checking import steps_of
from orchestrations.services.exchange.problems import Path
from orchestrations.services.exchange.reading import Documents
from orchestrations.services.exchange.references import Resolver
from orchestrations.services.exchange.report import ObjectChange
from orchestrations.services.exchange.state import State

REFUSALS = (ComponentsError, OrchestrationsError)
Content = dict[str, Any]
Make = Callable[[str, Content], ObjectChange | None]


@dataclass
class Work:
    """The files, what there is, where secrets come from, and who asks for it.

    `failed` holds what could not be made, so that what needs it is not blamed as well.
    """

    documents: Documents
    state: State
    resolver: Resolver
    user: User | None
    failed: set[tuple[str, str]] = field(default_factory=set)

    def refuse(self, path: Path, error: Exception) -> None:
        """Note a service's refusal, at the places of the fields that it names."""
        fields: dict[str, str] = getattr(error, "fields", {})
        for name, text in fields.items():
            self.documents.problem((*path, *steps_of(name)), text)
        if not fields:
            self.documents.problem(path, str(error))

    def apply_each(
        self, kind: str, wanted: Mapping[str, Content], make: Make
    ) -> list[ObjectChange]:
        """Make each object what is wanted; what is refused is noted, and the others are made."""
        changes = []
        for key, content in wanted.items():
            problems = len(self.documents.problems)
            try:
                change = make(key, content)
            except REFUSALS as error:
                self.refuse((kind, key), error)
                change = None
            if len(self.documents.problems) > problems:
                self.failed.add((kind, key))
            if change is not None:
                changes.append(change)
        return changes
