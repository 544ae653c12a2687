"""Orchestrations: pipelines as designed, and the Automate button."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, JsonValue

from components.api.base import (
    ERRORS,
    PageQuery,
    idempotent,
    needs,
    oldest_first,
    page_of,
    user_of,
)
from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import PhaseDesign
from orchestrations.services import orchestrations as service
from orchestrations.services.automation import automate
from orchestrator_site.lib.access import EDIT, VIEW
from orchestrator_site.lib.secrets import hide_tree

router = Router(tags=["Orchestrations"])
PHASES: list[JsonValue] = [
    {
        "key": "extract",
        "name": "Extract",
        "tasks": [
            {
                "configuration": 12,
                "retries": 3,
                "retry_delay": 60,
                "retry_backoff": 2.0,
                "retry_match": "timed out",
                "timeout": 900,
            },
            {"configuration": 13, "delay": 30, "parameters": {"since": "{{ day }}"}},
        ],
    },
    {
        "key": "transform",
        "name": "Transform",
        "depends_on": ["extract"],
        "tasks": [{"configuration": 14, "continue_on_failure": True}],
    },
    {"name": "Report", "tasks": [{"orchestration": 9}, {"configuration": 15, "is_active": False}]},
]
VARIABLES: JsonValue = {"day": "2026-11-01"}
ROW: dict[str, JsonValue] = {
    "id": 7,
    "name": "Shop",
    "description": "Orders of the shop, every morning.",
    "is_enabled": True,
    "version": 3,
    "created_at": "2026-11-01T18:00:02Z",
    "updated_at": "2026-11-22T18:00:02Z",
}


class TaskIn(Schema):
    """A task: a configuration or another orchestration; `key` keeps the history of an old one.

    `parameters` are laid over those of the configuration; secrets are under names that begin with
    `#`, and one sent back as it was shown stays. After a failure whose message contains
    `retry_match` it is tried `retries` times (20 at most), first after `retry_delay` seconds, then
    each time `retry_backoff` times as long. `delay` and `timeout` are seconds.
    """

    model_config = ConfigDict(extra="forbid")
    key: str | None = None
    configuration: int | None = None
    orchestration: int | None = None
    is_active: bool = True
    continue_on_failure: bool = False
    parameters: dict[str, Any] = {}
    retries: int = 0
    retry_delay: int = 60
    retry_backoff: float = 2.0
    retry_match: str = ""
    delay: int = 0
    timeout: int | None = None


class PhaseIn(Schema):
    """Tasks that run side by side; `depends_on` none means: after the phase before it."""

    model_config = ConfigDict(extra="forbid")
    key: str | None = None
    name: str = ""
    depends_on: list[str] | None = None
    tasks: list[TaskIn]


class OrchestrationIn(Schema):
    """A new orchestration."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "Shop", "variables": VARIABLES, "phases": PHASES}},
    )
    name: str
    description: str = ""
    variables: dict[str, str] = {}
    phases: list[PhaseIn] = []


class OrchestrationPut(OrchestrationIn):
    """The whole orchestration; the answer is 409 where it was changed since `version`.

    Variables that are left out stay as they are.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"name": "Shop", "version": 3, "variables": VARIABLES, "phases": PHASES}
        },
    )
    version: int
    variables: dict[str, str] | None = None  # type: ignore[assignment]  # wider than for a new one
    is_enabled: bool | None = None


class OrchestrationOut(Schema):
    """An orchestration as it is now; one entry per phase, in order."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**ROW, "variables": VARIABLES, "phases": PHASES}}
    )
    id: int
    name: str
    description: str
    is_enabled: bool
    version: int
    variables: dict[str, str]
    phases: list[dict[str, Any]]
    created_at: datetime
    updated_at: datetime

    @staticmethod
    def resolve_variables(orchestration: Orchestration) -> dict[str, str]:
        latest = orchestration.versions.get(number=orchestration.version)
        return dict(latest.definition["variables"])

    @staticmethod
    def resolve_phases(orchestration: Orchestration) -> list[dict[str, Any]]:
        latest = orchestration.versions.get(number=orchestration.version)
        return [_shown(phase) for phase in latest.definition["phases"]]


def _shown(phase: PhaseDesign) -> dict[str, Any]:
    """Return a phase as people may see it: secrets in the parameters are hidden."""
    tasks = [{**task, "parameters": hide_tree(task["parameters"])} for task in phase["tasks"]]
    return {**phase, "tasks": tasks}


class OrchestrationRow(Schema):
    """An orchestration in a list, without its phases."""

    model_config = ConfigDict(json_schema_extra={"example": ROW})
    id: int
    name: str
    description: str
    is_enabled: bool
    version: int
    created_at: datetime
    updated_at: datetime


class OrchestrationPage(Schema):
    """Orchestrations, oldest first."""

    model_config = page_of(ROW, 7)
    items: list[OrchestrationRow]
    next: int | None


class AutomateIn(Schema):
    """When to run the configuration; a name is made up where none is given."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"cron": "0 6 * * 1-5", "timezone": "Europe/Prague"}},
    )
    cron: str
    timezone: str = "UTC"
    name: str = ""


class OrchestrationQuery(PageQuery):
    """Which orchestrations are wanted."""

    search: str = ""


def existing() -> QuerySet[Orchestration]:
    """Return the orchestrations that are not in the trash."""
    return Orchestration.objects.filter(deleted_at=None)


def sent(phases: list[PhaseIn]) -> list[Any]:
    """Return the phases as the service takes them: what was not sent is left out."""
    return [phase.dict(exclude_unset=True) for phase in phases]


@router.get("/orchestrations", response={200: OrchestrationPage, **ERRORS}, auth=needs(VIEW))
def list_orchestrations(request: HttpRequest, query: Query[OrchestrationQuery]) -> dict[str, Any]:
    """List orchestrations, oldest first."""
    return oldest_first(existing().filter(name__icontains=query.search), query)


@router.post("/orchestrations", response={201: OrchestrationOut, **ERRORS}, auth=needs(EDIT))
def create_orchestration(request: HttpRequest, body: OrchestrationIn) -> Status[Orchestration]:
    """Create an orchestration."""
    return Status(
        201,
        service.create_orchestration(
            name=body.name,
            description=body.description,
            variables=body.variables,
            phases=sent(body.phases),
            user=user_of(request),
        ),
    )


@router.get(
    "/orchestrations/{int:pk}", response={200: OrchestrationOut, **ERRORS}, auth=needs(VIEW)
)
def get_orchestration(request: HttpRequest, pk: int) -> Orchestration:
    """Show one orchestration with its phases and tasks."""
    return get_object_or_404(existing(), pk=pk)


@router.put(
    "/orchestrations/{int:pk}", response={200: OrchestrationOut, **ERRORS}, auth=needs(EDIT)
)
def save_orchestration(request: HttpRequest, pk: int, body: OrchestrationPut) -> Orchestration:
    """Save the whole orchestration as a new version."""
    orchestration = get_object_or_404(existing(), pk=pk)
    service.save_orchestration(
        orchestration,
        user=user_of(request),
        expected_version=body.version,
        name=body.name,
        description=body.description,
        variables=body.variables,
        phases=sent(body.phases),
    )
    if body.is_enabled is not None:
        service.set_enabled(orchestration, enabled=body.is_enabled, user=user_of(request))
    return existing().get(pk=pk)


@router.delete("/orchestrations/{int:pk}", response={204: None, **ERRORS}, auth=needs(EDIT))
def delete_orchestration(request: HttpRequest, pk: int) -> Status[None]:
    """Move an orchestration to the trash; its schedules stop firing."""
    service.move_to_trash(get_object_or_404(existing(), pk=pk), user=user_of(request))
    return Status(204, None)


@router.post(
    "/configurations/{int:pk}/automate",
    response={201: OrchestrationOut, **ERRORS},
    auth=needs(EDIT),
)
def automate_configuration(request: HttpRequest, pk: int, body: AutomateIn) -> HttpResponse:
    """Create an orchestration of this one task with a schedule; honours Idempotency-Key."""
    configuration = get_object_or_404(Configuration, pk=pk, deleted_at=None)
    content = body.dict()
    return idempotent(
        request,
        201,
        lambda: automate(configuration, user=user_of(request), **content),
        OrchestrationOut,
    )
