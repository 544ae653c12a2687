"""Triggers that start a run when another orchestration ends."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from orchestrations.enums import RunStatus, TriggerKind
from orchestrations.models import Orchestration, Run, Trigger
from orchestrations.queries.triggers import active_triggers
from orchestrations.scheduling.triggers import Came, note_events


def on_run_ended(run: Run) -> None:
    """Note the end of a run at the triggers that follow its orchestration.

    Call it in the transaction that ended it. A run inside of another one counts too. A run that was
    stopped counts only where any end does.
    """
    for trigger in _followers(run.orchestration_id):
        if trigger.outcomes and run.status not in trigger.outcomes:
            continue
        words = f"run {run.pk} of “{run.orchestration}” ended: {RunStatus(run.status).label}"
        details = {"kind": "run", "run": run.pk, "status": run.status, "words": words}
        at = run.ended_at or timezone.now()
        note_events(trigger.pk, [Came(f"run:{run.pk}", at, details)])


def circle_of(orchestration: Orchestration, source_id: int) -> list[str]:
    """Return the names along which a run would start itself again: A, B, A; empty where none.

    `orchestration` is to follow `source_id`.
    """
    names = dict(Orchestration.objects.values_list("pk", "name"))
    follows: dict[int, list[int]] = {}
    rows = active_triggers().filter(kind=TriggerKind.ORCHESTRATION, source__isnull=False)
    for follower, source in rows.values_list("orchestration", "source"):
        follows.setdefault(source, []).append(follower)
    path = _path(follows, orchestration.pk, source_id)
    return [names[pk] for pk in (*path, orchestration.pk)] if path else []


def _followers(orchestration_id: int) -> QuerySet[Trigger]:
    return active_triggers().filter(kind=TriggerKind.ORCHESTRATION, source=orchestration_id)


def _path(follows: dict[int, list[int]], begin: int, end: int) -> list[int]:
    """Return the shortest way from one orchestration to another that it starts, or nothing."""
    ways = [[begin]]
    seen = {begin}
    while ways:
        way = ways.pop(0)
        if way[-1] == end:
            return way
        for following in follows.get(way[-1], []):
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
