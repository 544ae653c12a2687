"""What the record of changes tells of a new version of an orchestration.

Each version holds all that people edit of an orchestration, so that the difference between two of
them is the change: of the design itself, and of each schedule, trigger and notification.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from components.enums import AuditAction
from components.services.audit import Changes, Subject, record_all
from orchestrations.models import Orchestration, OrchestrationVersion
from orchestrations.models.orchestration import Definition, Surroundings, empty_definition
from orchestrations.queries import design_words as words
from orchestrations.queries.differences import Item, Names, Part, differences, schedule_changes
from orchestrations.queries.versions import names_in
from orchestrator_site.lib.differences import NOTHING, STEP, Change, changed_places

Told = tuple[AuditAction, Subject, Changes | None]
DESIGN = ("name", "description", "variables", "phases")
SURROUNDINGS = ("schedule", "trigger", "notification")


def record_version_change(version: OrchestrationVersion, before: Definition | None) -> None:
    """Record how a version differs from what was there before it; None means there was nothing."""
    new = cast("Definition", version.definition)
    old = before if before is not None else empty_definition()
    subject = Subject("orchestration", str(version.orchestration_id), new["name"])
    if old == new:
        return
    names = names_in([old, new])
    told: list[Told] = []
    if any(old[part] != new[part] for part in DESIGN):  # type: ignore[literal-required]
        action = AuditAction.CREATED if before is None else AuditAction.CHANGED
        told.append((action, subject, _design_changes(old, new, names)))
    for word in SURROUNDINGS:
        told += _told_of(word, subject, (old, new), names)
    record_all(told)


def record_end(orchestration: Orchestration) -> None:
    """Record that an orchestration is deleted for good, with what it was; call it just before."""
    version = orchestration.versions.order_by("-number").first()
    changes: Changes = {}
    if version is not None:
        old, new = cast("Definition", version.definition), empty_definition()
        parts = differences(old, new, names_in([old]))
        changes = {k: v for part in parts for i in part.items for k, v in _told(part, i).items()}
    subject = Subject("orchestration", str(orchestration.pk), orchestration.name)
    record_all([(AuditAction.DELETED, subject, changes)])


def _design_changes(old: Definition, new: Definition, names: Names) -> Changes:
    around: Surroundings = {"schedules": [], "triggers": [], "notifications": []}
    before, after = cast("Definition", {**old, **around}), cast("Definition", {**new, **around})
    changes: Changes = {}
    for part in differences(before, after, names):
        for item in part.items:
            changes |= _told(part, item)
    return changes


def _told(part: Part, item: Item) -> Changes:
    """Return one thing that differs as places; what came, went or moved is told by its note."""
    place = item.name if part.key == "details" else f"{part.title}{STEP}{item.name}"
    found: Changes = {}
    said = f"{item.kind} {item.note}".strip()
    if item.kind == "removed":
        found[place] = (item.note or "there", said)
    elif item.kind in {"added", "moved"} and (item.note or not item.changes):
        found[place] = (NOTHING, said)
    return found | {
        f"{place}{STEP}{each.path}" if each.path else place: _pair(each) for each in item.changes
    }


def _pair(change: Change) -> tuple[Any, Any]:
    return (
        NOTHING if change.before is None else change.before,
        NOTHING if change.after is None else change.after,
    )


def _told_of(
    word: str, orchestration: Subject, definitions: Sequence[Definition], names: Names
) -> Iterator[Told]:
    """Return what happened to the schedules, triggers or notifications of an orchestration."""
    before, after = (_by_id(d[f"{word}s"]) for d in definitions)  # type: ignore[literal-required]
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        action = AuditAction.CHANGED
        if old is None or new is None:
            action = AuditAction.CREATED if old is None else AuditAction.DELETED
        name = f"{_name(word, new or old, names)} of {orchestration.name}"
        subject = Subject(word, key, name, f"orchestration:{orchestration.id}")
        yield action, subject, {c.path: _pair(c) for c in _row_changes(word, old, new, names)}


def _by_id(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {str(row.get("id") or row.get("key")): row for row in rows}


def _row_changes(word: str, old: Any, new: Any, names: Names) -> list[Change]:
    if word == "schedule" and old and new:
        return schedule_changes(old, new)
    return changed_places(_facts(word, old, names), _facts(word, new, names))


def _facts(word: str, row: Any, names: Names) -> Mapping[str, Any]:
    if row is None:
        return {}
    if word == "schedule":
        return words.schedule_facts(row) | {"Cron expression": row["cron"]}
    if word == "trigger":
        return words.trigger_facts(row)
    return words.notification_facts(row, names.recipient(row))


def _name(word: str, row: Any, names: Names) -> str:
    if word == "schedule":
        return str(row["name"] or words.schedule_words(row))
    if word == "trigger":
        return str(row["name"] or ", ".join(row["tables"]))
    facts = words.notification_facts(row, names.recipient(row))
    return f"{facts['Of']} to {facts['To']}"
