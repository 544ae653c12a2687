"""What can be added as a task: components by type, then their configurations, orchestrations."""

from __future__ import annotations

from dataclasses import dataclass, field

from components.models import Component
from components.queries.configurations import Shelf, catalogue
from orchestrations.models import Orchestration
from orchestrations.queries.editor import (
    Choice,
    configuration_choices,
    orchestration_choices,
)
from orchestrations.services.nesting import nesting_reasons

PER_PAGE = 50
MOST = 1000
NESTED = "orchestrations"  # in place of a component


@dataclass(frozen=True)
class Offer:
    """One choice; `reason` says why it cannot be taken."""

    choice: Choice
    reason: str = ""


@dataclass(frozen=True)
class Choices:
    """One page of the dialog: shelves of components, or what was found."""

    words: str
    chosen: str  # the component's number, or NESTED
    title: str = ""
    shelves: list[Shelf] = field(default_factory=list)
    nested_count: int = 0
    offers: list[Offer] = field(default_factory=list)
    left: int = 0
    limit: int = PER_PAGE

    @property
    def more(self) -> int:
        """The limit of the next page."""
        return self.limit + PER_PAGE

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing at all that a task could run."""
        return not (self.words or self.chosen or self.shelves or self.nested_count)


def find_choices(
    orchestration: Orchestration | None, *, words: str = "", chosen: str = "", limit: int = PER_PAGE
) -> Choices:
    """Return what the dialog shows for some words, and for a component or `orchestrations`."""
    words, limit = words.strip()[:200], min(max(limit, PER_PAGE), MOST)
    component = _component(chosen)
    if chosen == NESTED:
        found, left = orchestration_choices(words, limit=limit)
        offers = _offers(found, orchestration)
        return Choices(words, chosen, "Orchestrations", offers=offers, left=left, limit=limit)
    if component is not None:
        found, left = configuration_choices(words, component=component, limit=limit)
        offers = [Offer(choice) for choice in found]
        return Choices(words, chosen, component.name, offers=offers, left=left, limit=limit)
    if words:
        found, left = configuration_choices(words, limit=limit)
        nested, more = orchestration_choices(words, limit=limit)
        offers = [*(Offer(choice) for choice in found), *_offers(nested, orchestration)]
        return Choices(words, "", offers=offers, left=left + more, limit=limit)
    shelves = [
        Shelf(shelf.type, shelf.title, [c for c in shelf.components if _count(c)])
        for shelf in catalogue()
    ]
    nested_count = Orchestration.objects.filter(deleted_at=None).count()
    nested_count -= 1 if orchestration else 0
    return Choices("", "", shelves=[s for s in shelves if s.components], nested_count=nested_count)


def _component(chosen: str) -> Component | None:
    if not (chosen.isascii() and chosen.isdecimal() and len(chosen) <= 18):  # noqa: PLR2004  # bigint
        return None
    return Component.objects.filter(pk=int(chosen)).first()


def _count(component: Component) -> int:
    return int(getattr(component, "configuration_count", 0))


def _offers(found: list[Choice], orchestration: Orchestration | None) -> list[Offer]:
    """Return the orchestrations with the reason why one cannot be nested here."""
    name = orchestration.name if orchestration else "The new orchestration"
    children = {choice.target.value: choice.pk for choice in found}
    reasons = nesting_reasons(children, parent=orchestration, name=name)
    return [Offer(choice, reasons.get(choice.target.value, "")) for choice in found]
