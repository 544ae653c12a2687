"""Create, change, copy, switch, remove and bring back orchestrations; a save makes one version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orchestrations.enums import UNFINISHED_RUN
from orchestrations.exceptions import EditConflict, NotAllowed
from orchestrations.models import Orchestration, OrchestrationVersion, Phase, Run, Task
from orchestrations.models.orchestration import Definition, PhaseDesign
from orchestrations.services.arming import CatchUp
from orchestrations.services.changes import describe_change
from orchestrations.services.designs import PhaseInput, check_definition
from orchestrations.services.orchestration_tokens import drop_token, give_token
from orchestrations.services.schedules import on_orchestration_changed, remove_schedules
from orchestrations.services.versions import surroundings

Phases = Sequence[PhaseInput | PhaseDesign]


@transaction.atomic
def create_orchestration(  # keyword-only: one for each thing people give
    *,
    name: str,
    user: User | None,
    description: str = "",
    variables: Mapping[str, str] | None = None,
    phases: Phases = (),
    change: str = "Created.",
) -> Orchestration:
    """Create an orchestration at version 1; raises InvalidOrchestration with its fields.

    Of a task only its target is needed; keys and other fields are filled in, empty phases dropped.
    """
    definition = check_definition(name, description, phases, variables=variables or {})
    orchestration = Orchestration.objects.create(
        name=definition["name"], description=description, created_by=user, version=1
    )
    _write(orchestration, definition, user=user, change=change)
    give_token(orchestration, user=user)
    return orchestration


@transaction.atomic
def save_orchestration(  # noqa: PLR0913  # keyword-only: one argument for each thing people edit
    orchestration: Orchestration,
    *,
    user: User | None,
    expected_version: int,
    name: str | None = None,
    description: str | None = None,
    variables: Mapping[str, str] | None = None,
    phases: Phases | None = None,
    change: str = "",
) -> OrchestrationVersion:
    """Save what was edited as one new version; None leaves a part as it is.

    Saving what is there already makes no version and answers the latest one. Brings the object
    given up to date. Raises InvalidOrchestration with its fields, EditConflict where a part that
    is saved here was changed since `expected_version`, NotAllowed in the trash.
    """
    fresh = _locked(orchestration)
    latest = fresh.versions.select_related("created_by").get(number=fresh.version)
    edited = {
        "name": name,
        "description": description,
        "variables": variables,
        "phases": phases,
    }
    _check_conflict(
        fresh, latest, expected_version, [k for k, v in edited.items() if v is not None]
    )
    old: Definition = latest.definition
    new = check_definition(
        old["name"] if name is None else name,
        old["description"] if description is None else description,
        old["phases"] if phases is None else phases,
        variables=old["variables"] if variables is None else variables,
        orchestration=fresh,
        stored=old["phases"],
    )
    if sentence := describe_change(old, new):
        fresh.name, fresh.description = new["name"], new["description"]
        fresh.version += 1
        fresh.save()
        latest = _write(fresh, new, user=user, change=change or sentence)
    orchestration.refresh_from_db()
    return latest


@transaction.atomic
def set_enabled(
    orchestration: Orchestration,
    *,
    enabled: bool,
    user: User | None = None,
    catch_up: CatchUp | None = None,
) -> Orchestration:
    """Switch all schedules of an orchestration on or off at once; safe to call twice.

    A run by hand, by API or inside another orchestration starts all the same. Switched on, what
    its schedules missed is made up for as `catch_up` says, or as each of them does.
    """
    fresh = _locked(orchestration)
    fresh.is_enabled = enabled
    fresh.save(update_fields=["is_enabled", "updated_at"])
    on_orchestration_changed(fresh, user=user, catch_up=catch_up)
    orchestration.is_enabled = enabled
    return orchestration


@transaction.atomic
def move_to_trash(orchestration: Orchestration, *, user: User | None) -> Orchestration:
    """Put an orchestration in the trash: nothing starts it there. Safe to call twice.

    Runs that have begun go on; queued ones are let go by their own turn.
    """
    return _bin(orchestration, user=user, deleted=True)


@transaction.atomic
def restore_from_trash(orchestration: Orchestration) -> Orchestration:
    """Take an orchestration out of the trash, with its schedules. Safe to call twice."""
    return _bin(orchestration, user=None, deleted=False)


@transaction.atomic
def purge(orchestration: Orchestration) -> None:
    """Delete an orchestration in the trash for good, with its versions, schedules and runs.

    Raises NotAllowed outside the trash, while a run is unfinished, or while it is a task of
    another orchestration.
    """
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    if fresh.deleted_at is None:
        raise NotAllowed("Move the orchestration to the trash before deleting it for good.")
    if fresh.runs.filter(status__in=UNFINISHED_RUN).exists():
        raise NotAllowed("A run of this orchestration has not ended yet.")
    user = Task.objects.filter(orchestration=fresh).select_related("phase__orchestration").first()
    if user is not None:
        above = user.phase.orchestration
        raise NotAllowed(f"It is a task of “{above}”; remove it there first.")
    remove_schedules(fresh)
    drop_token(fresh)
    Run.objects.filter(orchestration=fresh).delete()  # before the versions, which they protect
    fresh.delete()


def _bin(orchestration: Orchestration, *, user: User | None, deleted: bool) -> Orchestration:
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    if bool(fresh.deleted_at) != deleted:
        fresh.deleted_at = timezone.now() if deleted else None
        fresh.deleted_by = user
        fresh.save(update_fields=["deleted_at", "deleted_by", "updated_at"])
        on_orchestration_changed(fresh, user=user, is_back=not deleted)
    orchestration.deleted_at, orchestration.deleted_by = fresh.deleted_at, fresh.deleted_by
    return orchestration


def _locked(orchestration: Orchestration) -> Orchestration:
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    if fresh.deleted_at:
        raise NotAllowed("This orchestration is in the trash; restore it before changing it.")
    return fresh


def _check_conflict(
    orchestration: Orchestration, latest: OrchestrationVersion, expected: int, parts: Sequence[str]
) -> None:
    """Raise EditConflict if one of the parts was changed after the version that was edited.

    Two people who change different things, such as tasks and schedules, do not meet.
    """
    if latest.number == expected:
        return
    base = orchestration.versions.filter(number=expected).first()
    if base is None or any(base.definition[part] != latest.definition[part] for part in parts):
        raise EditConflict(_conflict(latest, expected))


def _conflict(latest: OrchestrationVersion, expected: int) -> str:
    by = f" by {latest.created_by}" if latest.created_by else ""
    return (
        f"Version {latest.number} was saved{by} while you were editing version {expected}. "
        "Look at what changed, then save again."
    )


def _write(
    orchestration: Orchestration, definition: Definition, *, user: User | None, change: str
) -> OrchestrationVersion:
    """Make the version, and the rows of its phases and tasks anew: nothing refers to those."""
    Task.objects.filter(phase__orchestration=orchestration).delete()
    orchestration.phases.all().delete()
    phases = Phase.objects.bulk_create(
        Phase(
            orchestration=orchestration,
            key=phase["key"],
            position=position,
            name=phase["name"],
            depends_on=phase["depends_on"],
        )
        for position, phase in enumerate(definition["phases"])
    )
    Task.objects.bulk_create(
        Task(
            phase=row,
            position=position,
            configuration_id=task.get("configuration"),
            orchestration_id=task.get("orchestration"),
            **{k: v for k, v in task.items() if k not in {"configuration", "orchestration"}},
        )
        for row, phase in zip(phases, definition["phases"], strict=True)
        for position, task in enumerate(phase["tasks"])
    )
    return OrchestrationVersion.objects.create(
        orchestration=orchestration,
        number=orchestration.version,
        definition={**definition, **surroundings(orchestration)},
        change=change[:500],
        created_by=user,
    )
