"""One action on several orchestrations: each for itself, so that one refusal stops none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import User

from orchestrations.enums import StartedBy
from orchestrations.exceptions import NotAllowed, OrchestrationsError
from orchestrations.models import Orchestration, Task
from orchestrations.services.arming import CatchUp
from orchestrations.services.orchestrations import move_to_trash, set_enabled
from orchestrations.services.runs import start_run
from orchestrator_site.lib.sentences import counted

MOST = 500
NAMED = 5


class BulkAction(StrEnum):
    """What can be done to several orchestrations at once."""

    ENABLE = "enable"
    DISABLE = "disable"
    RUN = "run"
    TRASH = "trash"


@dataclass(frozen=True)
class Refusal:
    """One orchestration to which it was not done, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class BulkResult:
    """To how many it was done, and to which it was not."""

    action: BulkAction
    done: list[Orchestration]
    refused: list[Refusal]

    @property
    def sentence(self) -> str:
        """Say what became of it: how many, and what was refused why."""
        done = counted(len(self.done), "orchestration")
        said = [_DONE[self.action].format(done)] if self.done else []
        said += [f"Refused: “{r.name}”: {r.reason}" for r in self.refused[:NAMED]]
        if len(self.refused) > NAMED:
            said.append(f"{len(self.refused) - NAMED} more were refused.")
        return " ".join(said)


def act_on_all(
    ids: Sequence[int], action: BulkAction, *, user: User, catch_up: CatchUp | None = None
) -> BulkResult:
    """Do something to each of the orchestrations, in the order of their names.

    `catch_up` is for those that are switched on. Raises NotAllowed where none or more than 500
    are chosen.
    """
    if not ids:
        raise NotAllowed("Choose at least one orchestration.")
    if len(ids) > MOST:
        raise NotAllowed(f"Choose at most {MOST} orchestrations at a time.")
    done: list[Orchestration] = []
    refused = []
    for orchestration in Orchestration.objects.filter(pk__in=ids).order_by("name", "pk"):
        try:
            if action == BulkAction.ENABLE:
                set_enabled(orchestration, enabled=True, user=user, catch_up=catch_up)
            else:
                _ACTIONS[action](orchestration, user)
        except OrchestrationsError as error:
            refused.append(Refusal(orchestration.name, error.message))
        else:
            done.append(orchestration)
    gone = len(set(ids)) - len(done) - len(refused)
    refused += [Refusal("One that was chosen", "It is not there any more.")] * gone
    return BulkResult(action, done, refused)


def _disable(orchestration: Orchestration, user: User) -> None:
    set_enabled(orchestration, enabled=False, user=user)


def _run(orchestration: Orchestration, user: User) -> None:
    if not Task.objects.filter(phase__orchestration=orchestration, is_active=True).exists():
        raise NotAllowed("It has no active task.")
    start_run(orchestration, started_by=StartedBy.MANUAL, user=user)


def _trash(orchestration: Orchestration, user: User) -> None:
    if orchestration.deleted_at:
        raise NotAllowed("It is in the trash already.")
    move_to_trash(orchestration, user=user)


_ACTIONS: dict[BulkAction, Callable[[Orchestration, User], None]] = {
    BulkAction.DISABLE: _disable,
    BulkAction.RUN: _run,
    BulkAction.TRASH: _trash,
}
_DONE = {
    BulkAction.ENABLE: "Switched {} on.",
    BulkAction.DISABLE: "Switched {} off.",
    BulkAction.RUN: "Started {}.",
    BulkAction.TRASH: "Moved {} to the trash.",
}
