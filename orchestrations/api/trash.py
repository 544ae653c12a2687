"""The trash: what lies in it, and the two ways out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema, Status
from ninja.errors import HttpError
from pydantic import ConfigDict, JsonValue

from components.api.base import ERRORS, needs
from orchestrations.exceptions import NotAllowed
from orchestrations.queries.trash import TrashPlace, TrashRow, in_trash, trash_rows
from orchestrations.services import trash as service
from orchestrator_site.lib.access import EDIT, VIEW

router = Router(tags=["Trash"])
Kind = Literal["configuration", "orchestration"]
CURSOR = r"^\d{1,20}_(configuration|orchestration)_\d{1,18}$"  # microseconds, kind, id
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXAMPLE: dict[str, JsonValue] = {
    "kind": "orchestration",
    "id": 7,
    "name": "Shop",
    "about": "Orchestration, 3 tasks",
    "deleted_at": "2026-11-23T05:00:00Z",
    "deleted_by": "ann",
    "comes_back": "2 schedules and its token",
    "is_lost": "14 runs, 3 versions, 2 schedules and its token",
    "kept_by": "",
}


class TrashOut(Schema):
    """One thing in the trash; `kept_by` says why it cannot be deleted for good now."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    kind: Kind
    id: int
    name: str
    about: str
    deleted_at: datetime
    deleted_by: str
    comes_back: str
    is_lost: str
    kept_by: str

    @staticmethod
    def resolve_id(row: TrashRow) -> int:
        return row.pk


class TrashPage(Schema):
    """Things in the trash, the last thrown away first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE], "next": None}})
    items: list[TrashOut]
    next: str | None


class TrashQuery(Schema):
    """Which things are wanted."""

    limit: Annotated[int, Query(ge=1, le=200, description="Rows, 1 to 200.")] = 50
    after: Annotated[
        str | None, Query(pattern=CURSOR, description="`next` of the page before.")
    ] = None
    search: str = ""
    kind: Kind | None = None


class RestoredOut(Schema):
    """What is back, and what is to be known about it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "orchestration",
                "id": 7,
                "name": "Shop",
                "warnings": ["“Shop” has tasks that fail: “Orders” is in the trash."],
            }
        }
    )
    kind: Kind
    id: int
    name: str
    warnings: list[str]


@router.get("/trash", response={200: TrashPage, **ERRORS}, auth=needs(VIEW))
def list_trash(request: HttpRequest, query: Query[TrashQuery]) -> dict[str, Any]:
    """List what lies in the trash, the last thrown away first."""
    found = list(
        in_trash(query.search, query.kind or "", after=_place(query.after))[: query.limit + 1]
    )
    shown = found[: query.limit]
    rows = trash_rows((row["kind"], row["pk"]) for row in shown)
    return {"items": rows, "next": _cursor(shown[-1]) if len(found) > query.limit else None}


@router.post(
    "/trash/{kind}/{int:pk}/restore", response={200: RestoredOut, **ERRORS}, auth=needs(EDIT)
)
def restore_from_trash(request: HttpRequest, kind: Kind, pk: int) -> dict[str, Any]:
    """Bring a thing back with all that belongs to it; schedules go on from now."""
    row = _find(kind, pk)
    restored = service.restore([(kind, pk)])
    return {"kind": kind, "id": pk, "name": row.name, "warnings": restored.warnings}


@router.delete("/trash/{kind}/{int:pk}", response={204: None, **ERRORS}, auth=needs(EDIT))
def purge(request: HttpRequest, kind: Kind, pk: int) -> Status[None]:
    """Delete a thing for good; 409 where something still needs it."""
    _find(kind, pk)
    kept = service.purge([(kind, pk)]).kept
    if kept:
        raise NotAllowed(kept[0])
    return Status(204, None)


def _find(kind: Kind, pk: int) -> TrashRow:
    rows = trash_rows([(kind, pk)])
    if not rows:
        raise Http404
    return rows[0]


def _cursor(row: dict[str, Any]) -> str:
    passed = (row["deleted_at"] - EPOCH) // timedelta(microseconds=1)
    return f"{passed}_{row['kind']}_{row['pk']}"


def _place(cursor: str | None) -> TrashPlace | None:
    if cursor is None:
        return None
    passed, kind, pk = cursor.split("_")
    try:
        at = EPOCH + timedelta(microseconds=int(passed))
    except OverflowError:
        raise HttpError(422, "Send `next` of the page before as `after`.") from None
    return at, kind, int(pk)
