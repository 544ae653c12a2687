"""Create, change, copy, remove and bring back configurations; each save makes one version."""

from __future__ import annotations

import json
from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from components.enums import UNFINISHED_JOB
from components.exceptions import EditConflict, InvalidConfiguration, NotAllowed
from components.models import Component, Configuration, ConfigurationVersion
from components.validators import MAX_BYTES, json_problem, mapping_errors, parameter_errors
from orchestrator_site.lib.secrets import encrypt_tree, keep_hidden
from orchestrator_site.lib.sentences import joined

CONTENT = ("name", "description", "parameters", "input", "output")
MAX_NAME = 200
COPY_MARK = " (copy)"


class Content(TypedDict, total=False):
    """What people edit; fields that are left out stay as they are."""

    name: str
    description: str
    parameters: dict[str, Any]
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]


@transaction.atomic
def create_configuration(
    component: Component, *, user: User | None, change: str = "Created", **content: Unpack[Content]
) -> Configuration:
    """Create a configuration at version 1; raises InvalidConfiguration with its fields.

    Parameters may be left out: such a configuration is a draft, to be filled in afterwards.
    """
    configuration = Configuration(component=component, created_by=user, version=0)
    _apply(configuration, content)
    _check(configuration, content)
    return _save(configuration, user=user, change=change)


@transaction.atomic
def update_configuration(
    configuration: Configuration,
    *,
    user: User | None,
    expected_version: int | None = None,
    change: str = "",
    **content: Unpack[Content],
) -> Configuration:
    """Save changed content as a new version; saving what is there already changes nothing.

    What is not passed is not checked: a draft can be renamed. Raises InvalidConfiguration with its
    fields, EditConflict where `expected_version` is no longer the latest, NotAllowed for one in the
    trash.
    """
    fresh = _locked(configuration)
    if expected_version is not None and fresh.version != expected_version:
        latest = fresh.versions.select_related("created_by").first()
        by = f" by {latest.created_by}" if latest and latest.created_by else ""
        raise EditConflict(
            f"Version {fresh.version} was saved{by} while you were editing version "
            f"{expected_version}. Look at what changed, then save again."
        )
    before = {name: getattr(fresh, name) for name in CONTENT}
    _apply(fresh, content)
    _check(fresh, content)
    if all(before[name] == getattr(fresh, name) for name in CONTENT):
        return fresh
    return _save(fresh, user=user, change=change or describe_change(before, fresh))


def _locked(configuration: Configuration) -> Configuration:
    fresh = Configuration.objects.select_for_update().get(pk=configuration.pk)
    if fresh.deleted_at:
        raise NotAllowed("This configuration is in the trash; restore it before changing it.")
    return fresh


def _apply(configuration: Configuration, content: Content) -> None:
    for name, value in content.items():
        setattr(configuration, name, value)
    configuration.name = configuration.name.strip()
    previous = ConfigurationVersion.objects.filter(
        configuration_id=configuration.pk, number=configuration.version
    ).first()
    errors = _unstorable(configuration, content)
    if errors:  # before anything walks through it
        raise InvalidConfiguration("The configuration was not saved.", fields=errors)
    kept = keep_hidden(configuration.parameters, previous.parameters if previous else {})
    configuration.parameters = encrypt_tree(kept)


def _unstorable(configuration: Configuration, content: Content) -> dict[str, str]:
    """Return errors of what no database could keep: NUL characters, NaN, endless nesting, size."""
    found = {name: json_problem(getattr(configuration, name)) for name in content}
    errors = {name: problem for name, problem in found.items() if problem}
    if not errors:
        stored = [configuration.parameters, configuration.input, configuration.output]
        size = len(json.dumps(stored))
        if size > MAX_BYTES:
            errors["parameters"] = f"The configuration has {size} bytes; {MAX_BYTES} are allowed."
    return errors


def _check(configuration: Configuration, content: Content) -> None:
    """Raise InvalidConfiguration naming every field of the new content that is wrong."""
    errors: dict[str, str] = {}
    if not configuration.name:
        errors["name"] = "Give the configuration a name."
    elif len(configuration.name) > MAX_NAME:
        errors["name"] = f"Use {MAX_NAME} characters or fewer."
    if "parameters" in content:
        found = parameter_errors(configuration.component.schema, configuration.parameters)
        errors |= {f"parameters.{path}".rstrip("."): text for path, text in found.items()}
    for field, outgoing in (("input", False), ("output", True)):
        if field in content:
            rows = mapping_errors(getattr(configuration, field), outgoing=outgoing)
            errors |= {f"{field}.{path}".rstrip("."): text for path, text in rows.items()}
    if errors:
        raise InvalidConfiguration("The configuration was not saved.", fields=errors)


def _save(configuration: Configuration, *, user: User | None, change: str) -> Configuration:
    configuration.version += 1
    configuration.save()
    ConfigurationVersion.objects.create(
        configuration=configuration,
        number=configuration.version,
        change=change[:500],
        created_by=user,
        **{name: getattr(configuration, name) for name in CONTENT},
    )
    return configuration


def describe_change(before: dict[str, Any], after: Configuration) -> str:
    """Return a sentence such as “Changed url and format; renamed to Orders”."""
    parts = []
    old, new = before["parameters"], after.parameters
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if keys:
        parts.append(f"changed {joined(keys)}")
    if before["name"] != after.name:
        parts.append(f"renamed to {after.name}")
    words = {"description": "description", "input": "input mapping", "output": "output mapping"}
    others = [word for name, word in words.items() if before[name] != getattr(after, name)]
    if others:
        parts.append(f"changed the {joined(others)}")
    sentence = "; ".join(parts) or "saved"
    return sentence[:1].upper() + sentence[1:]


@transaction.atomic
def restore_version(
    configuration: Configuration, *, number: int, user: User | None
) -> Configuration:
    """Make the content of an older version the latest again, as a new version.

    It is not checked again: it may be a draft, or older than the component's schema. Raises
    ConfigurationVersion.DoesNotExist; NotAllowed for one in the trash.
    """
    fresh = _locked(configuration)
    old = fresh.versions.get(number=number)
    for name in CONTENT:
        setattr(fresh, name, getattr(old, name))
    return _save(fresh, user=user, change=f"Restored version {number}")


@transaction.atomic
def copy_configuration(
    configuration: Configuration, *, name: str, user: User | None, number: int | None = None
) -> Configuration:
    """Create a new configuration from the latest or a given version; secrets stay valid."""
    source = configuration.versions.get(number=number or configuration.version)
    copy = Configuration(component=configuration.component, created_by=user, version=0)
    for field in CONTENT:
        setattr(copy, field, getattr(source, field))
    copy.name = name.strip() or f"{source.name[: MAX_NAME - len(COPY_MARK)]}{COPY_MARK}"
    _check(copy, {"name": copy.name})
    change = f"Copied from {configuration.name}, version {source.number}"
    return _save(copy, user=user, change=change)


@transaction.atomic
def move_to_trash(configuration: Configuration, *, user: User | None) -> None:
    """Take a configuration out of all lists; safe to call twice.

    Raises NotAllowed while a job of it is unfinished.
    """
    fresh = Configuration.objects.select_for_update().get(pk=configuration.pk)
    if fresh.jobs.filter(status__in=UNFINISHED_JOB).exists():
        raise NotAllowed("A job of this configuration is unfinished; terminate it first.")
    if fresh.deleted_at is None:
        fresh.deleted_at, fresh.deleted_by = timezone.now(), user
        fresh.save(update_fields=["deleted_at", "deleted_by"])


@transaction.atomic
def restore_from_trash(configuration: Configuration) -> None:
    """Put a configuration back where it was, with its versions; safe to call twice."""
    fresh = Configuration.objects.select_for_update().get(pk=configuration.pk)
    if fresh.deleted_at is not None:
        fresh.deleted_at = fresh.deleted_by = None
        fresh.save(update_fields=["deleted_at", "deleted_by"])


@transaction.atomic
def purge(configuration: Configuration) -> None:
    """Delete a configuration in the trash for good; its jobs stay in the history.

    Raises NotAllowed where it is not in the trash, or a task of an orchestration still uses it.
    """
    if not configuration.deleted_at:
        raise NotAllowed("Only what is in the trash can be deleted for good.")
    try:
        configuration.delete()
    except ProtectedError:
        raise NotAllowed(
            "A task of an orchestration uses this configuration; remove the task first."
        ) from None
