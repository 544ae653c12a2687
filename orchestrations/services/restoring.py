"""Earlier versions of an orchestration: made the latest again, or copied into a new one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction

from orchestrations.enums import TriggerKind, TriggerNeeds, VersionPart
from orchestrations.exceptions import InvalidOrchestration, NotAllowed
from orchestrations.models import Orchestration, OrchestrationVersion
from orchestrations.models.orchestration import Definition, TriggerDesign
from orchestrations.queries.version_pages import missing_words
from orchestrations.queries.versions import missing_targets
from orchestrations.services.notifications import save_notifications
from orchestrations.services.orchestrations import create_orchestration, save_orchestration
from orchestrations.services.schedules import restore_schedules
from orchestrations.services.triggers import (
    Changes,
    create_trigger,
    delete_trigger,
    undelete_trigger,
    update_trigger,
)
from orchestrations.services.versions import start_version
from orchestrator_site.lib.sentences import joined

ALL = tuple(VersionPart)
FIELDS = {
    VersionPart.DETAILS: ("name", "description"),
    VersionPart.VARIABLES: ("variables",),
    VersionPart.TASKS: ("phases",),
    VersionPart.SCHEDULES: ("schedules",),
    VersionPart.TRIGGERS: ("triggers",),
    VersionPart.NOTIFICATIONS: ("notifications",),
}
DESIGN = (VersionPart.DETAILS, VersionPart.VARIABLES, VersionPart.TASKS)
COPIED = (VersionPart.SCHEDULES, VersionPart.TRIGGERS, VersionPart.NOTIFICATIONS)
LONGEST_NAME = 200


def wanted_definition(
    latest: Definition, version: Definition, parts: Collection[VersionPart]
) -> Definition:
    """Return what restoring these parts of a version makes of the latest."""
    fields = [field for part in parts for field in FIELDS[part]]
    found: Mapping[str, Any] = {**latest, **{field: version[field] for field in fields}}  # type: ignore[literal-required]
    return cast("Definition", found)


@transaction.atomic
def restore_version(
    orchestration: Orchestration,
    number: int,
    *,
    user: User | None,
    parts: Collection[VersionPart] = ALL,
) -> OrchestrationVersion:
    """Make an earlier version, or parts of it, the latest, as one new version.

    Schedules and triggers go on from now; where nothing differs, no version is made and the latest
    is answered. Raises InvalidOrchestration where there is no such version or a target of its tasks
    is gone, and NotAllowed in the trash; then nothing is changed.
    """
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    if fresh.deleted_at:
        raise NotAllowed("This orchestration is in the trash; restore it before changing it.")
    version, latest = find_version(fresh, number), find_version(fresh, fresh.version)
    wanted = wanted_definition(latest.definition, version.definition, parts)
    if wanted == latest.definition:
        return latest
    if VersionPart.TASKS in parts:
        check_targets(version)
    change = _sentence(number, parts)
    if all(wanted[f] == latest.definition[f] for part in DESIGN for f in FIELDS[part]):  # type: ignore[literal-required]
        start_version(orchestration, user=user, change=change)
    else:
        save_orchestration(
            orchestration,
            user=user,
            expected_version=fresh.version,
            name=wanted["name"],
            description=wanted["description"],
            variables=wanted["variables"],
            phases=wanted["phases"],
            change=change,
        )
    if VersionPart.SCHEDULES in parts:
        restore_schedules(orchestration, wanted["schedules"], user=user)
    if VersionPart.TRIGGERS in parts:
        restore_triggers(orchestration, wanted["triggers"], user=user)
    if VersionPart.NOTIFICATIONS in parts:
        save_notifications(orchestration, wanted["notifications"], user=user, amend=True)
    return find_version(orchestration, orchestration.version)


@transaction.atomic
def copy_orchestration(
    orchestration: Orchestration,
    *,
    user: User | None,
    name: str = "",
    number: int | None = None,
    parts: Collection[VersionPart] = (),
) -> Orchestration:
    """Create a new orchestration from the latest or an earlier version; `Copy of …` by default.

    `parts` says what of schedules, triggers and notifications comes along; schedules and triggers
    come switched off. Raises InvalidOrchestration as `restore_version`.
    """
    version = find_version(orchestration, number or orchestration.version)
    check_targets(version)
    definition: Definition = version.definition
    copy = create_orchestration(
        name=name.strip() or f"Copy of {orchestration.name}"[:LONGEST_NAME],
        user=user,
        description=definition["description"],
        variables=definition["variables"],
        phases=definition["phases"],
        change=f"Copied from “{orchestration.name}”, version {version.number}.",
    )
    if VersionPart.SCHEDULES in parts:
        restore_schedules(copy, _switched_off(definition["schedules"]), user=user)
    if VersionPart.TRIGGERS in parts:
        restore_triggers(copy, _switched_off(definition["triggers"]), user=user)
    if VersionPart.NOTIFICATIONS in parts:
        save_notifications(copy, definition["notifications"], user=user, amend=True)
    return copy


def find_version(orchestration: Orchestration, number: int) -> OrchestrationVersion:
    """Return a version; raises InvalidOrchestration where there is none of this number."""
    version = orchestration.versions.select_related("created_by").filter(number=number).first()
    if version is None:
        text = f"This orchestration has no version {number}."
        raise InvalidOrchestration(text, fields={"version": text})
    return version


def check_targets(version: OrchestrationVersion) -> None:
    """Raise InvalidOrchestration where what a version's tasks run was deleted for good."""
    if phases := missing_targets(version.definition):
        text = f"Version {version.number}: {missing_words(phases)}"
        raise InvalidOrchestration(text, fields={"version": text})


def _sentence(number: int, parts: Collection[VersionPart]) -> str:
    if set(parts) == set(ALL):
        return f"Restored version {number}."
    words = [str(part.label).lower() for part in ALL if part in parts]
    return f"Restored {joined(words)} of version {number}."


def restore_triggers(
    orchestration: Orchestration, wanted: Sequence[TriggerDesign], *, user: User | None
) -> None:
    """Make the triggers what a version holds; for those that come back updates count from now."""
    known = {row.pk: row for row in orchestration.triggers.order_by("pk")}
    kept = {design["id"] for design in wanted}
    for row in known.values():
        if row.deleted_at is None and row.pk not in kept:
            delete_trigger(row, user=user, amend=True)
    for design in wanted:
        content: Changes = {
            "name": design["name"],
            "tables": design["tables"],
            "cooldown": design["cooldown"],
            "kind": TriggerKind(design["kind"]),
            "source_id": design["source"],
            "outcomes": design["outcomes"],
            "place": design["place"],
            "pattern": design["pattern"],
            "needs": TriggerNeeds(design["needs"]),
            "quorum": design["quorum"],
            "fresh_for": design["fresh_for"],
            "fallback_after": design["fallback_after"],
            "variables": design["variables"],
        }
        enabled = design["is_enabled"]
        old = known.get(design["id"])
        if old is None:
            create_trigger(orchestration, user=user, enabled=enabled, amend=True, **content)
        else:
            undelete_trigger(old, user=user, amend=True)
            update_trigger(old, user=user, enabled=enabled, amend=True, **content)


def _switched_off(designs: Sequence[Any]) -> list[Any]:
    """Return schedules or triggers as a copy gets them: new ones, which start nothing yet."""
    return [{**design, "id": 0, "is_enabled": False} for design in designs]
