"""Move to the trash what files do not name, where that is asked for."""

from __future__ import annotations

from components.services.configurations import move_to_trash as trash_configuration
from orchestrations.models import Task
from orchestrations.services.exchange.documents import Selection
from orchestrations.services.exchange.report import ObjectChange
from orchestrations.services.exchange.work import REFUSALS, Work
from orchestrations.services.orchestrations import move_to_trash as trash_orchestration


def remove_all(work: Work, selection: Selection) -> list[ObjectChange]:
    """Move the objects of the selection that no file names to the trash, orchestrations first.

    What is still a task of an orchestration that stays is refused.
    """
    changes = []
    named = work.documents.content
    for key, orchestration in sorted(work.state.orchestrations.items()):
        gone = orchestration.deleted_at is not None or key in named["orchestrations"]
        if not gone and selection.has("orchestrations", key):
            trash_orchestration(orchestration, user=work.user)
            changes.append(ObjectChange("orchestration", key, orchestration.name, "remove"))
    for key, configuration in sorted(work.state.configurations.items()):
        gone = configuration.deleted_at is not None or key in named["configurations"]
        if gone or not selection.has("configurations", key):
            continue
        try:
            trash_configuration(configuration, user=work.user)
        except REFUSALS as error:
            work.documents.unnamed(("configurations", key), error.message)
        changes.append(ObjectChange("configuration", key, configuration.name, "remove"))
    _check_uses(work, changes)
    return changes


def _check_uses(work: Work, removed: list[ObjectChange]) -> None:
    tasks = Task.objects.filter(phase__orchestration__deleted_at=None).select_related(
        "phase__orchestration"
    )
    for change in removed:
        if change.kind == "configuration":
            pk = work.state.configurations[change.key].pk
            using = tasks.filter(configuration=pk).first()
        else:
            pk = work.state.orchestrations[change.key].pk
            using = tasks.filter(orchestration=pk).first()
        if using is not None:
            above = using.phase.orchestration
            text = f"No file names it, but it is a task of “{above}”."
            work.documents.unnamed((f"{change.kind}s", change.key), text)
