"""The record of changes: who changed what, when and from where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import ConfigDict, JsonValue

from components.api.base import ERRORS, PageQuery, needs, newest_first, page_of
from components.enums import AuditAction, AuditChannel
from components.queries.audit import AuditFilter, filtered
from orchestrator_site.lib.access import AUDIT

router = Router(tags=["Audit"])
EXAMPLE: dict[str, JsonValue] = {
    "id": 5120,
    "at": "2026-11-22T06:00:00Z",
    "actor": "ada",
    "channel": "page",
    "address": "192.0.2.7",
    "token": "",
    "action": "changed",
    "object_type": "configuration",
    "object_id": "12",
    "object_name": "Orders",
    "about": "configuration:12",
    "changes": {"Description": ["", "All orders of the shop."]},
}


class AuditOut(Schema):
    """One change of one object; secrets in `changes` are named, not shown."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    id: int
    at: datetime
    actor: str
    channel: AuditChannel
    address: str | None
    token: str
    action: AuditAction
    object_type: str
    object_id: str
    object_name: str
    about: str
    changes: dict[str, list[str | None]]

    @staticmethod
    def resolve_token(entry: Any) -> str:
        return str(entry.token_name)


class AuditPage(Schema):
    """Entries, newest first."""

    model_config = page_of(EXAMPLE, 5120)
    items: list[AuditOut]
    next: int | None


class AuditQuery(PageQuery):
    """Which entries are wanted."""

    type: Annotated[str, Query(description="Kind of object, such as configuration.")] = ""
    object: Annotated[str, Query(description="Id of the object; together with type.")] = ""
    about: Annotated[
        str, Query(description="Such as orchestration:7: with all that belongs to it.")
    ] = ""
    person: Annotated[str, Query(description="A part of the name of whoever did it.")] = ""
    channel: AuditChannel | None = None
    action: AuditAction | None = None
    since: datetime | None = None
    until: Annotated[datetime | None, Query(description="Not included.")] = None
    search: Annotated[str, Query(description="In names and in what was changed.")] = ""


@router.get("/audit", response={200: AuditPage, **ERRORS}, auth=needs(AUDIT))
def list_audit(request: HttpRequest, query: Query[AuditQuery]) -> dict[str, Any]:
    """List changes, newest first; for administrators."""
    where = AuditFilter(
        type=query.type,
        id=query.object,
        about=query.about,
        person=query.person,
        channel=query.channel or "",
        action=query.action or "",
        since=query.since,
        until=query.until,
        text=query.search,
    )
    return newest_first(filtered(where), query)
