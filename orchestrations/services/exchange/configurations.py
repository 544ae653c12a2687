"""Make configurations what files say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from components.models import Configuration
from components.services import configurations as services
from components.services.configurations import CONTENT
from components.services.differences import differences
from orchestrations.services.exchange.report import Action, ObjectChange, change_lines
from orchestrations.services.exchange.work import Work

KIND = "configurations"


def apply_all(work: Work, wanted: Mapping[str, dict[str, Any]]) -> list[ObjectChange]:
    """Create and change configurations; what is wrong is noted in the documents."""
    return work.apply_each(KIND, wanted, partial(_apply, work))


def _apply(work: Work, key: str, wanted: dict[str, Any]) -> ObjectChange | None:
    path = (KIND, key)
    component = work.state.components.get(wanted["component"])
    if component is None:
        text = f"There is no component “{wanted['component']}”."
        work.documents.problem((*path, "component"), text)
        return None
    content = {name: wanted[name] for name in CONTENT}
    content["name"] = content["name"].strip()
    content["parameters"] = work.resolver.tree(
        wanted["parameters"],
        path,
        lambda at, text: work.documents.problem((*path, "parameters", *at), text),
    )
    stored = work.state.configurations.get(key)
    if stored is None:
        return _create(work, key, Configuration(component=component), content)
    if stored.component_id != component.pk:
        text = f"It is of the component “{stored.component.key}”; give a new one another key."
        work.documents.problem((*path, "component"), text)
        return None
    return _change(work, key, stored, content)


def _create(work: Work, key: str, nothing: Configuration, content: dict[str, Any]) -> ObjectChange:
    said: Any = {name: value for name, value in content.items() if value}
    made = services.create_configuration(
        nothing.component, user=work.user, change="Created from a file", **said
    )
    Configuration.objects.filter(pk=made.pk).update(key=key)
    work.state.configurations[key] = made
    nothing.name = made.name
    lines = change_lines(differences(nothing, made))
    return ObjectChange("configuration", key, made.name, "create", lines)


def _change(
    work: Work, key: str, stored: Configuration, content: dict[str, Any]
) -> ObjectChange | None:
    """Save the fields that differ; what stays is not judged again, as it may be a draft."""
    before = Configuration(**{name: getattr(stored, name) for name in CONTENT})
    changed: Any = {n: value for n, value in content.items() if value != getattr(stored, n)}
    action: Action = "change"
    if stored.deleted_at is not None:
        services.restore_from_trash(stored)
        action = "restore"
    elif not changed:
        return None
    saved = services.update_configuration(
        stored, user=work.user, expected_version=stored.version, **changed
    )
    lines = change_lines(differences(before, saved))
    return ObjectChange("configuration", key, saved.name, action, lines)
