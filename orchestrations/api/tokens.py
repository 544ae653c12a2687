"""Tokens: one's own, and the one that each orchestration has; a text is told once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue

from components.api.base import (
    ERRORS,
    PageQuery,
    calling_token,
    needs,
    newest_first,
    page_of,
    user_of,
)
from components.enums import TokenScope
from components.models import ApiToken
from components.services.tokens import create_token, revoke_token
from orchestrations.api.orchestrations import existing
from orchestrations.exceptions import InvalidOrchestration
from orchestrations.queries.tokens import TokenList, list_tokens
from orchestrations.services.orchestration_tokens import (
    NAME_LENGTH,
    create_trigger_token,
    refresh_token,
)
from orchestrator_site.lib.access import EDIT, VIEW

router = Router(tags=["Tokens"])
EXAMPLE: dict[str, JsonValue] = {
    "id": 31,
    "name": "Orchestrator Shop",
    "user": "ada",
    "created_at": "2026-11-22T06:00:00Z",
    "token": "orc_…",
}
ROW: dict[str, JsonValue] = {
    "id": 32,
    "name": "Nightly import",
    "scope": "trigger",
    "orchestrations": [7],
    "created_at": "2026-11-22T06:00:00Z",
    "expires_at": "2027-11-22T06:00:00Z",
    "last_used_at": None,
    "last_used_from": None,
}


class NewTokenOut(Schema):
    """A token with its text, which is told this once only."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})
    id: int
    name: str
    user: str
    created_at: datetime
    token: str


class TokenOut(Schema):
    """A token without its text; `orchestrations` are those that one of the scope trigger starts."""

    model_config = ConfigDict(json_schema_extra={"example": ROW})
    id: int
    name: str
    scope: TokenScope
    orchestrations: list[int]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_from: str | None

    @staticmethod
    def resolve_orchestrations(token: ApiToken) -> list[int]:
        return [grant.orchestration_id for grant in token.grants.all()]


class TokenPage(Schema):
    """Tokens, newest first."""

    model_config = page_of(ROW, 32)
    items: list[TokenOut]
    next: int | None


class TokenIn(Schema):
    """A new token that acts as you; without `expires_at` it works until it is revoked.

    `orchestrations` are for the scope trigger, which needs one at least, and for it alone.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"name": "Nightly import", "scope": "trigger", "orchestrations": [7]}
        },
    )
    name: Annotated[str, Field(min_length=1, max_length=NAME_LENGTH)]
    scope: TokenScope
    orchestrations: list[int] = []
    expires_at: AwareDatetime | None = None


@router.get("/tokens", response={200: TokenPage, **ERRORS}, auth=needs(VIEW))
def list_own_tokens(request: HttpRequest, query: Query[PageQuery]) -> dict[str, Any]:
    """List your tokens, newest first; those of orchestrations are not among them."""
    return newest_first(list_tokens(TokenList.MINE, user_of(request)), query)


@router.post("/tokens", response={201: NewTokenOut, **ERRORS}, auth=needs(EDIT))
def create_own_token(request: HttpRequest, body: TokenIn) -> Status[NewTokenOut]:
    """Make a token that acts as you; one made by a token does not outlive it."""
    if problems := _problems(body, calling_token(request)):
        raise InvalidOrchestration("The token was not made.", fields=problems)
    user, name, end = user_of(request), body.name.strip(), body.expires_at
    if body.scope == TokenScope.TRIGGER:
        chosen = list(existing().filter(pk__in=body.orchestrations))
        made = create_trigger_token(user, name=name, orchestrations=chosen, expires_at=end)
    else:
        made = create_token(user, name=name, scope=body.scope, expires_at=end)
    return Status(201, _told(*made))


@router.delete("/tokens/{int:pk}", response={204: None, **ERRORS}, auth=needs(EDIT))
def revoke_own_token(request: HttpRequest, pk: int) -> Status[None]:
    """Revoke one of your tokens: calls with it are refused from now on."""
    revoke_token(get_object_or_404(list_tokens(TokenList.MINE, user_of(request)), pk=pk))
    return Status(204, None)


@router.post(
    "/orchestrations/{int:pk}/token", response={201: NewTokenOut, **ERRORS}, auth=needs(EDIT)
)
def refresh_orchestration_token(request: HttpRequest, pk: int) -> Status[NewTokenOut]:
    """Replace the orchestration's own token: the old one stops at once.

    The new one acts as you; it starts, follows and terminates runs of this orchestration.
    """
    orchestration = get_object_or_404(existing(), pk=pk)
    return Status(201, _told(*refresh_token(orchestration, user=user_of(request))))


def _told(token: ApiToken, text: str) -> NewTokenOut:
    return NewTokenOut(
        id=token.pk,
        name=token.name,
        user=token.user.get_username(),
        created_at=token.created_at,
        token=text,
    )


def _problems(body: TokenIn, caller: ApiToken | None) -> dict[str, str]:
    """Return what is wrong with a wanted token, by field."""
    problems = {}
    if not body.name.strip():
        problems["name"] = "Give the token a name."
    if wrong := _wrong_orchestrations(body):
        problems["orchestrations"] = wrong
    if body.expires_at and body.expires_at <= timezone.now():
        problems["expires_at"] = "This moment has passed."
    elif caller and _outlives(body.expires_at, caller.expires_at):
        problems["expires_at"] = "It would outlive the token that makes it."
    return problems


def _outlives(wanted: datetime | None, end: datetime | None) -> bool:
    return end is not None and (wanted is None or wanted > end)


def _wrong_orchestrations(body: TokenIn) -> str:
    if body.scope != TokenScope.TRIGGER:
        return "They are for the scope trigger alone." if body.orchestrations else ""
    if not body.orchestrations:
        return "Name the orchestrations that it starts."
    found = set(existing().filter(pk__in=body.orchestrations).values_list("pk", flat=True))
    missing = [pk for pk in body.orchestrations if pk not in found]
    return f"There is no orchestration {missing[0]}." if missing else ""
