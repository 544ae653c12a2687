"""Typed builders of test data: plain functions with sensible defaults."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from components.enums import ComponentType, JobStatus, VersionKind
from components.models import (
    Bucket,
    Component,
    Configuration,
    ConfigurationVersion,
    Job,
    Table,
    TableVersion,
)
from components.services import job_transitions
from components.services.job_transitions import Claim
from components.signals import table_updated
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Orchestration, OrchestrationVersion, Run, Schedule, Trigger
from orchestrations.models.orchestration import Definition
from orchestrations.services.designs import TaskInput
from orchestrations.services.orchestrations import create_orchestration
from orchestrations.services.triggers import create_trigger

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
        definition=Definition(
            name=orchestration.name,
            description=orchestration.description,
            variables={},
            phases=[],
            schedules=[],
            triggers=[],
            notifications=[],
        ),
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


def make_orchestration(
    phases: Sequence[Sequence[Configuration | Orchestration | TaskInput]] = (),
    *,
    waits: Sequence[list[str] | None] | None = None,
    **fields: Any,
) -> Orchestration:
    """An orchestration made by its service: one inner list per phase, one task per target.

    Keys are p1, p2, … for phases and t1, t2, … for tasks over all phases; `waits` gives each
    phase's `depends_on`. A dict stands for a task with more than its target.
    """
    keys = (f"t{n}" for n in itertools.count(1))
    return create_orchestration(
        name=fields.pop("name", f"Orchestration {next(_number)}"),
        user=fields.pop("user", None),
        phases=[
            {
                "key": f"p{number}",
                "name": f"Phase {number}",
                "depends_on": waits[number - 1] if waits else None,
                "tasks": [{"key": next(keys), **_target(target)} for target in targets],
            }
            for number, targets in enumerate(phases, 1)
        ],
        **fields,
    )


def _target(target: Configuration | Orchestration | TaskInput) -> TaskInput:
    if isinstance(target, Configuration):
        return {"configuration": target.pk}
    if isinstance(target, Orchestration):
        return {"orchestration": target.pk}
    return target


def make_run(orchestration: Orchestration | None = None, **fields: Any) -> Run:
    """A run that nobody has advanced yet, as beat makes it."""
    orchestration = orchestration or make_empty_orchestration()
    return Run.objects.create(
        orchestration=orchestration,
        version=orchestration.versions.latest("number"),
        started_by=fields.pop("started_by", StartedBy.MANUAL),
        **fields,
    )


def make_ended_run(
    orchestration: Orchestration, status: RunStatus = RunStatus.SUCCESS, seconds: int = 60
) -> Run:
    """A run that began at noon of 22 November 2026 and took so many seconds."""
    begun = datetime(2026, 11, 22, 12, tzinfo=UTC)
    times = {"started_at": begun, "ended_at": begun + timedelta(seconds=seconds)}
    return make_run(orchestration, status=status, **times)


def finish_job(job: Job, status: JobStatus = JobStatus.SUCCESS, *, error: str = "") -> JobStatus:
    """End a job as a worker would: claimed, then ended; a claimed one ends under its token."""
    job.refresh_from_db()
    claim = Claim(job, job.token) if job.token else job_transitions.claim(job.pk, worker="test")
    assert claim is not None, f"job {job.pk} cannot be claimed: {job.status} {job.waiting_for}"
    return job_transitions.end(claim, status, fields={"error": error})


@transaction.atomic
def update_table(key: str) -> TableVersion:
    """A table's next version, told as a load tells it, without rows; made where it is missing."""
    stage, name, own = key.split(".")
    bucket, _ = Bucket.objects.get_or_create(
        key=f"{stage}.{name}", defaults={"stage": stage, "name": name}
    )
    Table.objects.get_or_create(key=key, defaults={"bucket": bucket, "name": own})
    table = Table.objects.select_for_update(no_key=True).get(key=key)
    version = TableVersion.objects.create(
        table=table,
        number=(table.current.number if table.current else 0) + 1,
        kind=VersionKind.FULL,
        rows=0,
        bytes=0,
        created_at=timezone.now(),
    )
    table.current, table.imported_at = version, version.created_at
    table.save()
    table_updated.send(Table, table=table, version=version)
    return version


def make_trigger(
    *tables: str, orchestration: Orchestration | None = None, **fields: Any
) -> Trigger:
    """A trigger made by its service, that watches these tables."""
    return create_trigger(
        orchestration or make_empty_orchestration(),
        tables=tables,
        user=fields.pop("user", None),
        **fields,
    )
