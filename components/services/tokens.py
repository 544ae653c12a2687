"""API tokens: made, recognised, taken back; only their digest is stored."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from components.enums import TokenScope
from components.models import ApiToken

PREFIX = "orc_"
USE_NOTED_EVERY = timedelta(minutes=1)  # one write a minute at most, however many calls


@transaction.atomic
def create_token(
    user: User, *, name: str, scope: TokenScope, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token; returns the row and the text, which is told this once only."""
    text = new_text()
    token = ApiToken.objects.create(
        user=user, name=name, scope=scope, digest=digest(text), expires_at=expires_at
    )
    return token, text


def authenticate(text: str, *, address: str | None = None) -> ApiToken | None:
    """Return the token with its user; None for one that is unknown, expired or of nobody active.

    Found by digest, so that the time it takes tells nothing about a token's text. `address` is
    noted as the one that used it last.
    """
    now = timezone.now()
    usable = Q(expires_at=None) | Q(expires_at__gt=now)
    token = (
        ApiToken.objects.filter(usable, digest=digest(text), user__is_active=True)
        .select_related("user")
        .first()
    )
    if token:
        _note_use(token, now, address)
    return token


def rename_token(token: ApiToken, *, name: str) -> ApiToken:
    """Give a token another name; what it may do stays."""
    token.name = name.strip()
    with transaction.atomic():
        token.save(update_fields=["name"])
    return token


def revoke_token(token: ApiToken) -> None:
    """Take a token back: calls with it are refused from now on. Safe to call twice."""
    ApiToken.objects.filter(pk=token.pk).delete()


def new_text() -> str:
    """Return the text of a new token: 256 random bits behind a mark that scanners know."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """Return the SHA-256 of a token's text; its 256 random bits need no salt."""
    return hashlib.sha256(text.encode()).hexdigest()


def _note_use(token: ApiToken, now: datetime, address: str | None) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    rows = ApiToken.objects.filter(stale, pk=token.pk)
    rows.update(last_used_at=now, last_used_from=address)
