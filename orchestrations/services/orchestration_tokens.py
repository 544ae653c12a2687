"""Tokens that start orchestrations: the own one of each, and those people make for some of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.text import Truncator

from components.enums import AuditAction, TokenScope
from components.models import ApiToken
from components.services import audit
from components.services.tokens import create_token, digest, new_text
from orchestrations.exceptions import NotAllowed
from orchestrations.models import Orchestration, TokenGrant
from orchestrator_site.lib.differences import NOTHING

NAME_LENGTH = 100


def give_token(orchestration: Orchestration, *, user: User | None) -> None:
    """Give a new orchestration the token that starts it; nobody has seen its text.

    It acts as `user`; without one there is none until somebody refreshes it.
    """
    if user is not None:
        _make(orchestration, user)


@transaction.atomic
def refresh_token(orchestration: Orchestration, *, user: User) -> tuple[ApiToken, str]:
    """Put a new token in the place of the orchestration's own; return it with its text, this once.

    The old one stops at once. The new one acts as `user`. Raises NotAllowed in the trash.
    """
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    if fresh.deleted_at:
        raise NotAllowed("This orchestration is in the trash; restore it before changing it.")
    before = own_token(fresh)
    with audit.silence():
        drop_token(fresh)
    token, text = _make(fresh, user)
    audit.record(
        AuditAction.CHANGED,
        audit.Subject("orchestration", str(fresh.pk), fresh.name),
        {
            "Assigned token": (audit.Secret(before), audit.Secret(token)),
            "Assigned token acts as": (str(before.user) if before else NOTHING, str(user)),
        },
    )
    return token, text


def own_token(orchestration: Orchestration) -> ApiToken | None:
    """Return the orchestration's own token with its user; None where it has none."""
    found = ApiToken.objects.filter(grants__orchestration=orchestration, grants__is_own=True)
    return found.select_related("user").first()


def drop_token(orchestration: Orchestration) -> None:
    """Delete the orchestration's own token; safe where it has none."""
    ApiToken.objects.filter(grants__orchestration=orchestration, grants__is_own=True).delete()


@transaction.atomic
def create_trigger_token(
    user: User,
    *,
    name: str,
    orchestrations: Sequence[Orchestration],
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token that starts some orchestrations; return it with its text, this once."""
    token, text = create_token(user, name=name, scope=TokenScope.TRIGGER, expires_at=expires_at)
    for orchestration in orchestrations:
        TokenGrant.objects.create(token=token, orchestration=orchestration)
    return token, text


def may_start(token: ApiToken, orchestration_id: int) -> bool:
    """Tell whether a token of the scope “trigger” was made for an orchestration."""
    return TokenGrant.objects.filter(token=token, orchestration=orchestration_id).exists()


def may_start_its(token: ApiToken, run_id: int) -> bool:
    """Tell whether it was made for the orchestration of a run."""
    return TokenGrant.objects.filter(token=token, orchestration__runs=run_id).exists()


def _make(orchestration: Orchestration, user: User) -> tuple[ApiToken, str]:
    """Make the own token; the entry of the orchestration tells of it, so it has none."""
    text = new_text()
    name = Truncator(f"Orchestrator {orchestration.name}").chars(NAME_LENGTH)
    with audit.silence():
        token = ApiToken.objects.create(
            user=user, name=name, scope=TokenScope.TRIGGER, digest=digest(text)
        )
        TokenGrant.objects.create(token=token, orchestration=orchestration, is_own=True)
    return token, text
