"""The token that each orchestration has: replaced by a new one, which is shown once."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema, Status
from pydantic import ConfigDict, JsonValue

from components.api.base import ERRORS, needs, user_of
from orchestrations.api.orchestrations import existing
from orchestrations.services.orchestration_tokens import refresh_token
from orchestrator_site.lib.access import EDIT

router = Router(tags=["Tokens"])
EXAMPLE: dict[str, JsonValue] = {
    "id": 31,
    "name": "Orchestrator Shop",
    "user": "ada",
    "created_at": "2026-11-22T06:00:00Z",
    "token": "orc_…",
}


class NewTokenOut(Schema):
    """A token with its text, which is told this once only."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    id: int
    name: str
    user: str
    created_at: datetime
    token: str


@router.post(
    "/orchestrations/{int:pk}/token", response={201: NewTokenOut, **ERRORS}, auth=needs(EDIT)
)
def refresh_orchestration_token(request: HttpRequest, pk: int) -> Status[NewTokenOut]:
    """Replace the orchestration's own token: the old one stops at once.

    The new one acts as you; it starts, follows and terminates runs of this orchestration.
    """
    orchestration = get_object_or_404(existing(), pk=pk)
    token, text = refresh_token(orchestration, user=user_of(request))
    made = NewTokenOut(
        id=token.pk,
        name=token.name,
        user=token.user.get_username(),
        created_at=token.created_at,
        token=text,
    )
    return Status(201, made)
