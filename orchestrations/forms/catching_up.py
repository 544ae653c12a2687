"""What is asked when something is switched on again: what about the moments it missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.http import QueryDict

from orchestrations.enums import Misfire
from orchestrations.services.arming import CatchUp, Missed

MOST = 1000
CHOICES = (
    (Misfire.SKIP, "Run none of them"),
    (Misfire.LAST, "Run the last one"),
    (Misfire.ALL, "Run all, but at most"),
)


@dataclass
class CatchUpForm:
    """What was missed, what was chosen about it, and what is wrong with that."""

    missed: Sequence[Missed]
    chosen: str
    limit: str
    errors: dict[str, str] = field(default_factory=dict)
    choices = CHOICES

    @classmethod
    def fresh(cls, missed: Sequence[Missed]) -> CatchUpForm:
        """Return the form with the policies of the schedules where they agree."""
        policies = {m.schedule.misfire for m in missed}
        limits = [m.schedule.misfire_limit for m in missed]
        chosen = policies.pop() if len(policies) == 1 else Misfire.LAST
        return cls(missed, str(chosen), str(max(limits, default=10)))

    @classmethod
    def posted(cls, missed: Sequence[Missed], data: QueryDict) -> CatchUpForm:
        """Return the form as it was sent."""
        return cls(missed, data.get("catch_up", ""), data.get("limit", "").strip() or "10")

    @property
    def count(self) -> int:
        """How many moments were missed in all."""
        return sum(missed.count for missed in self.missed)

    @property
    def is_more(self) -> bool:
        """Whether there were even more."""
        return any(missed.is_more for missed in self.missed)

    def read(self) -> CatchUp | None:
        """Return what was chosen; None, with `errors`, where that cannot be used."""
        if self.chosen not in set(Misfire):
            self.errors["catch_up"] = "Choose one of these."
            return None
        misfire = Misfire(self.chosen)
        is_number = (
            self.limit.isascii() and self.limit.isdecimal() and len(self.limit) < len("10000")
        )
        if misfire == Misfire.ALL and not (is_number and 1 <= int(self.limit) <= MOST):
            self.errors["limit"] = f"Enter a whole number from 1 to {MOST}."
            return None
        return CatchUp(misfire, int(self.limit) if is_number else 1)
