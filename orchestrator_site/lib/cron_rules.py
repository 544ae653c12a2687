"""What a schedule says besides its expression and zone, and what an occurrence is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from orchestrator_site.lib.days import DayRules

Gap = Literal["usual", "shift", "skip"]
Repeat = Literal["usual", "first", "second", "both"]
Held = Literal["skip", "move"]
Kind = Literal["normal", "gap", "fold", "moved"]


@dataclass(frozen=True)
class Rules:
    """What a schedule says besides its expression and zone.

    `gap` and `repeat` say what becomes of times that a clock change leaves out or brings twice;
    usual is Debian's way, told in `orchestrator_site.lib.cron`. What `days` hold is skipped, or
    moved to the same time of the next day that they do not hold.
    """

    gap: Gap = "usual"
    repeat: Repeat = "usual"
    days: DayRules | None = None
    on_held: Held = "skip"


USUAL = Rules()


@dataclass(frozen=True)
class Occurrence:
    """One due moment of an expression; it fires there unless it is held."""

    at: datetime
    """In UTC."""
    local: datetime
    """The same moment in the schedule's zone."""
    kind: Kind
    """gap: moved from a time that did not exist to the gap's end; fold: this time comes twice;
    moved: from a day that was held."""
    wanted: str | None = None
    """Of a gap: the first wall-clock time that did not exist, as HH:MM."""
    repeats: bool = False
    """Of a fold: fires at both passes, not only at one."""
    held: str = ""
    """Why it does not fire, as a sentence without its full stop; empty where it does."""
    moved_from: datetime | None = None
    """Of a moved one: the moment, in the schedule's zone, that it stands for."""
