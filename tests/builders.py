"""Typed builders of test data: plain functions with sensible defaults."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User

from components.enums import ComponentType
from components.models import Component, Configuration, ConfigurationVersion
from orchestrations.models import Orchestration, OrchestrationVersion, Schedule

_number = itertools.count(1)
PASSWORD = "correct horse battery staple"


def make_user(*, role: str | None = None, staff: bool = False, name: str | None = None) -> User:
    """A user in the group of a role (Viewer, Operator, Editor, Admin); no role means no rights."""
    user = User.objects.create_user(
        name or f"user{next(_number)}", password=PASSWORD, is_staff=staff or role == "Admin"
    )
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def make_component(
    key: str | None = None, *, type_: ComponentType = ComponentType.EXTRACTOR, **fields: Any
) -> Component:
    """A component row; built-in ones exist after migrate, so this makes others."""
    key = key or f"test-component-{next(_number)}"
    return Component.objects.create(key=key, name=fields.pop("name", key), type=type_, **fields)


def make_configuration(
    component: Component | str | None = None, *, name: str | None = None, **fields: Any
) -> Configuration:
    """A configuration at version 1."""
    if isinstance(component, str):
        component = Component.objects.get(key=component)
    configuration = Configuration.objects.create(
        component=component or make_component(),
        name=name or f"Configuration {next(_number)}",
        **fields,
    )
    ConfigurationVersion.objects.create(
        configuration=configuration,
        number=configuration.version,
        name=configuration.name,
        description=configuration.description,
        parameters=configuration.parameters,
        input=configuration.input,
        output=configuration.output,
        change="Created",
    )
    return configuration


def make_empty_orchestration(**fields: Any) -> Orchestration:
    """An orchestration at version 1 without phases: its runs have nothing to do."""
    orchestration = Orchestration.objects.create(
        name=fields.pop("name", f"Orchestration {next(_number)}"), **fields
    )
    OrchestrationVersion.objects.create(
        orchestration=orchestration,
        number=orchestration.version,
        definition={"name": orchestration.name, "description": "", "phases": []},
        change="Created",
    )
    return orchestration


def make_schedule(
    due: datetime | None,
    *,
    orchestration: Orchestration | None = None,
    cron: str = "0 * * * *",
    **fields: Any,
) -> Schedule:
    """A schedule row as it stands, next due at `due`; nothing is projected or computed."""
    return Schedule.objects.create(
        orchestration=orchestration or make_empty_orchestration(),
        cron=cron,
        next_fire_at=due,
        **fields,
    )
