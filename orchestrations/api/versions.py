"""Versions of orchestrations: list, one whole, a comparison, the way back, and copies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Schema
from pydantic import ConfigDict, Field, JsonValue

from components.api.base import ERRORS, PageQuery, idempotent, needs, user_of
from orchestrations.api.orchestrations import OrchestrationOut, existing
from orchestrations.enums import VersionPart
from orchestrations.models import Orchestration, OrchestrationVersion
from orchestrations.queries.differences import as_text
from orchestrations.queries.version_pages import filtered_versions
from orchestrations.queries.versions import compare, shown_definition
from orchestrations.services import restoring as service
from orchestrator_site.lib.access import EDIT, VIEW

router = Router(tags=["Versions"])
EXAMPLE: dict[str, JsonValue] = {
    "number": 4,
    "change": "Changed schedule “Mornings”: every day at 05:00 → every day at 06:00, UTC.",
    "created_at": "2026-11-23T05:00:00Z",
    "created_by": "ann",
    "is_latest": True,
}
DIFFERENCE: dict[str, JsonValue] = {
    "kind": "changed",
    "name": "Load orders",
    "note": "in phase “Extract”",
    "changes": [
        {
            "path": "Retries",
            "before": "none",
            "after": "3, after 1 min, doubling",
            "lines": [],
        }
    ],
}


class VersionRow(Schema):
    """A version: what changed, who saved it and when."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    number: int
    change: str
    created_at: datetime
    created_by: str | None
    is_latest: bool

    @staticmethod
    def resolve_created_by(version: OrchestrationVersion) -> str | None:
        return str(version.created_by) if version.created_by else None

    @staticmethod
    def resolve_is_latest(version: OrchestrationVersion) -> bool:
        return version.number == version.orchestration.version


class VersionOut(VersionRow):
    """A version with all that it holds; secrets and URLs of recipients are hidden."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **EXAMPLE,
                "definition": {
                    "name": "Shop",
                    "description": "",
                    "variables": {},
                    "phases": [],
                    "schedules": [],
                    "triggers": [],
                    "notifications": [],
                },
            }
        }
    )
    definition: dict[str, Any]

    @staticmethod
    def resolve_definition(version: OrchestrationVersion) -> dict[str, Any]:
        return shown_definition(version.definition)


class VersionPage(Schema):
    """Versions, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE], "next": None}})
    items: list[VersionRow]
    next: int | None


class VersionQuery(PageQuery):
    """Which versions are wanted: words of what changed, and the name of who saved."""

    search: str = ""
    by: str = ""


class LineOut(Schema):
    """One line of a text that changed: add, del, same, or skip between two places."""

    kind: str
    text: str


class ChangeOut(Schema):
    """One place that differs; none means that there is nothing. Long texts come as `lines`."""

    path: str
    before: str | None
    after: str | None
    lines: list[LineOut]


class DifferenceOut(Schema):
    """One thing that differs: added, removed, moved or changed."""

    model_config = ConfigDict(json_schema_extra={"example": DIFFERENCE})
    kind: str
    name: str
    note: str
    changes: list[ChangeOut]


class DifferentPart(Schema):
    """What differs of one part: details, variables, phases, tasks, schedules, …."""

    key: str
    title: str
    items: list[DifferenceOut]


class ComparisonOut(Schema):
    """What differs between two versions; no parts where nothing does. `text` says it in lines."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "from": 3,
                "to": 4,
                "parts": [{"key": "tasks", "title": "Tasks", "items": [DIFFERENCE]}],
                "text": ["Tasks", "  ~ Load orders in phase “Extract”"],
            }
        }
    )
    from_: Annotated[int, Field(alias="from")]
    to: int
    parts: list[DifferentPart]
    text: list[str]


class CompareQuery(Schema):
    """The numbers of the two versions."""

    from_: Annotated[int, Query(alias="from", ge=1)]
    to: Annotated[int, Query(ge=1)]


class RestoreIn(Schema):
    """The version to restore, whole or only some parts of it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"version": 3, "parts": ["tasks"]}}
    )
    version: int
    parts: Annotated[list[VersionPart] | None, Field(min_length=1)] = None


class CopyIn(Schema):
    """Name of the copy, the version it is made from, and what comes along with the tasks.

    Without them: “Copy of …”, the latest, nothing. Schedules and triggers come switched off.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "Shop 2", "version": 3, "parts": ["schedules"]}},
    )
    name: str = ""
    version: int | None = None
    parts: list[VersionPart] = []


@router.get(
    "/orchestrations/{int:pk}/versions", response={200: VersionPage, **ERRORS}, auth=needs(VIEW)
)
def list_versions(request: HttpRequest, pk: int, query: Query[VersionQuery]) -> dict[str, Any]:
    """List an orchestration's versions, newest first; `next` is a number of a version."""
    orchestration = get_object_or_404(existing(), pk=pk)
    rows = filtered_versions(orchestration, text=query.search, by=query.by)
    if query.after is not None:
        rows = rows.filter(number__lt=query.after)
    found = list(rows.select_related("orchestration", "created_by")[: query.limit + 1])
    more = len(found) > query.limit
    return {
        "items": found[: query.limit],
        "next": found[query.limit - 1].number if more else None,
    }


@router.get(
    "/orchestrations/{int:pk}/versions/compare",
    response={200: ComparisonOut, **ERRORS},
    auth=needs(VIEW),
    by_alias=True,
)
def compare_versions(request: HttpRequest, pk: int, query: Query[CompareQuery]) -> dict[str, Any]:
    """Say what differs between two versions, grouped by what it is, in words."""
    before, after = _version(pk, query.from_), _version(pk, query.to)
    parts = compare(before.definition, after.definition)
    return {"from": before.number, "to": after.number, "parts": parts, "text": as_text(parts)}


@router.get(
    "/orchestrations/{int:pk}/versions/{int:number}",
    response={200: VersionOut, **ERRORS},
    auth=needs(VIEW),
)
def get_version(request: HttpRequest, pk: int, number: int) -> OrchestrationVersion:
    """Show one version with all that it holds."""
    return _version(pk, number)


@router.post(
    "/orchestrations/{int:pk}/restore", response={200: OrchestrationOut, **ERRORS}, auth=needs(EDIT)
)
def restore_version(request: HttpRequest, pk: int, body: RestoreIn) -> Orchestration:
    """Make an earlier version, or parts of it, the latest, as one new version.

    Schedules and triggers that come back go on from now.
    """
    orchestration = get_object_or_404(existing(), pk=pk)
    parts = service.ALL if body.parts is None else body.parts
    service.restore_version(orchestration, body.version, user=user_of(request), parts=parts)
    return existing().get(pk=pk)


@router.post(
    "/orchestrations/{int:pk}/copy", response={201: OrchestrationOut, **ERRORS}, auth=needs(EDIT)
)
def copy_orchestration(request: HttpRequest, pk: int, body: CopyIn) -> HttpResponse:
    """Make a new orchestration from a version; honours Idempotency-Key."""
    orchestration = get_object_or_404(existing(), pk=pk)

    def copy() -> Orchestration:
        return service.copy_orchestration(
            orchestration,
            user=user_of(request),
            name=body.name,
            number=body.version,
            parts=body.parts,
        )

    return idempotent(request, 201, copy, OrchestrationOut)


def _version(pk: int, number: int) -> OrchestrationVersion:
    rows = OrchestrationVersion.objects.select_related("orchestration", "created_by")
    # By the key of its own table: a number that no database can hold is found nowhere.
    return get_object_or_404(
        rows, orchestration__pk=pk, orchestration__deleted_at=None, number=number
    )
