"""Configurations: what components are told to do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema, Status
from ninja.errors import HttpError
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
from components.api.jobs import JobOut
from components.enums import JobOrigin
from components.models import Component, Configuration, ConfigurationVersion
from components.services import configurations as service
from components.services.jobs import create_job
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW
from orchestrator_site.lib.secrets import hide_tree

router = Router(tags=["Configurations"])
EXAMPLE: dict[str, JsonValue] = {
    "component": "ex-http",
    "name": "Orders",
    "description": "",
    "parameters": {"url": "https://example.com/orders.csv", "format": "csv"},
    "input": [],
    "output": [{"source": "orders", "destination": "in.c-shop.orders", "primary_key": ["id"]}],
}
SHOWN: dict[str, JsonValue] = {
    "id": 12,
    **EXAMPLE,
    "version": 3,
    "created_at": "2026-11-01T18:00:02Z",
    "updated_at": "2026-11-22T18:00:02Z",
}


class ConfigurationIn(Schema):
    """A new configuration."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})
    component: str
    name: str
    description: str = ""
    parameters: dict[str, Any] = {}
    input: list[dict[str, Any]] = []
    output: list[dict[str, Any]] = []


class ConfigurationPatch(Schema):
    """What is to change; what is left out stays. `version` refuses to overwrite a later one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"name": "All orders"}})
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    input: list[dict[str, Any]] | None = None
    output: list[dict[str, Any]] | None = None
    version: int | None = None
    change: str = ""


class ConfigurationOut(Schema):
    """A configuration; a secret that is set shows as a marker, which may be sent back."""

    model_config = ConfigDict(json_schema_extra={"example": SHOWN})
    id: int
    component: str
    name: str
    description: str
    parameters: dict[str, Any]
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]
    version: int
    created_at: datetime
    updated_at: datetime

    @staticmethod
    def resolve_component(configuration: Configuration) -> str:
        return configuration.component.key

    @staticmethod
    def resolve_parameters(configuration: Configuration) -> dict[str, Any]:
        return dict(hide_tree(configuration.parameters))


class ConfigurationPage(Schema):
    """Configurations, oldest first."""

    model_config = page_of(SHOWN, 12)
    items: list[ConfigurationOut]
    next: int | None


class VersionOut(Schema):
    """What a configuration was after one save."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "number": 3,
                "change": "Changed URL.",
                "created_by": "ann",
                "created_at": "2026-11-22T18:00:02Z",
                **{name: value for name, value in EXAMPLE.items() if name != "component"},
            }
        }
    )
    number: int
    change: str
    created_by: str | None
    created_at: datetime
    name: str
    description: str
    parameters: dict[str, Any]
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]

    @staticmethod
    def resolve_created_by(version: ConfigurationVersion) -> str | None:
        return version.created_by.get_username() if version.created_by else None

    @staticmethod
    def resolve_parameters(version: ConfigurationVersion) -> dict[str, Any]:
        return dict(hide_tree(version.parameters))


class RestoreIn(Schema):
    """Which version to restore; none means: bring it back from the trash."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"version": 2}})
    version: int | None = None


class JobIn(Schema):
    """Parameters for this job alone, laid over the configuration's."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"parameters": {}}})
    parameters: dict[str, Any] = {}


class ConfigurationQuery(PageQuery):
    """Which configurations are wanted."""

    component: str | None = None
    search: str = ""


def existing() -> QuerySet[Configuration]:
    """Return the configurations that are not in the trash."""
    return Configuration.objects.filter(deleted_at=None).select_related("component")


@router.get("/configurations", response={200: ConfigurationPage, **ERRORS}, auth=needs(VIEW))
def list_configurations(request: HttpRequest, query: Query[ConfigurationQuery]) -> dict[str, Any]:
    """List configurations, oldest first."""
    rows = existing().filter(name__icontains=query.search)
    if query.component:
        rows = rows.filter(component__key=query.component)
    return oldest_first(rows, query)


@router.post("/configurations", response={201: ConfigurationOut, **ERRORS}, auth=needs(EDIT))
def create_configuration(request: HttpRequest, body: ConfigurationIn) -> Status[Configuration]:
    """Create a configuration."""
    component = Component.objects.filter(key=body.component, is_active=True).first()
    if component is None:
        raise HttpError(422, f"There is no component “{body.component}”.")
    content = body.dict(exclude={"component"})
    return Status(201, service.create_configuration(component, user=user_of(request), **content))


@router.get(
    "/configurations/{int:pk}", response={200: ConfigurationOut, **ERRORS}, auth=needs(VIEW)
)
def get_configuration(request: HttpRequest, pk: int) -> Configuration:
    """Show one configuration."""
    return get_object_or_404(existing(), pk=pk)


@router.patch(
    "/configurations/{int:pk}", response={200: ConfigurationOut, **ERRORS}, auth=needs(EDIT)
)
def change_configuration(request: HttpRequest, pk: int, body: ConfigurationPatch) -> Configuration:
    """Change a configuration: one new version."""
    content = {
        name: value
        for name, value in body.dict(exclude={"version", "change"}).items()
        if value is not None
    }
    return service.update_configuration(
        get_object_or_404(existing(), pk=pk),
        user=user_of(request),
        expected_version=body.version,
        change=body.change,
        **content,
    )


@router.delete("/configurations/{int:pk}", response={204: None, **ERRORS}, auth=needs(EDIT))
def delete_configuration(request: HttpRequest, pk: int) -> Status[None]:
    """Move a configuration to the trash."""
    service.move_to_trash(get_object_or_404(existing(), pk=pk), user=user_of(request))
    return Status(204, None)


@router.get(
    "/configurations/{int:pk}/versions",
    response={200: list[VersionOut], **ERRORS},
    auth=needs(VIEW),
)
def list_versions(request: HttpRequest, pk: int) -> QuerySet[ConfigurationVersion]:
    """List what each save made of a configuration, newest first."""
    return get_object_or_404(existing(), pk=pk).versions.select_related("created_by")


@router.post(
    "/configurations/{int:pk}/restore",
    response={200: ConfigurationOut, **ERRORS},
    auth=needs(EDIT),
)
def restore_configuration(request: HttpRequest, pk: int, body: RestoreIn) -> Configuration:
    """Restore an older version as a new one, or bring the configuration back from the trash."""
    configuration = get_object_or_404(Configuration.objects.select_related("component"), pk=pk)
    if body.version is None:
        service.restore_from_trash(configuration)
        return existing().get(pk=pk)
    get_object_or_404(configuration.versions, number=body.version)
    return service.restore_version(configuration, number=body.version, user=user_of(request))


@router.post("/configurations/{int:pk}/jobs", response={202: JobOut, **ERRORS}, auth=needs(OPERATE))
def run_configuration(request: HttpRequest, pk: int, body: JobIn | None = None) -> HttpResponse:
    """Run a configuration; honours Idempotency-Key."""
    configuration = get_object_or_404(existing(), pk=pk)
    parameters = body.parameters if body else {}
    return idempotent(
        request,
        202,
        lambda: create_job(
            configuration, user=user_of(request), origin=JobOrigin.API, parameters=parameters
        ),
        JobOut,
    )
