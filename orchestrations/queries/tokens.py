"""Tokens for the page that lists them."""

from __future__ import annotations

from enum import StrEnum

from django.contrib.auth.models import User
from django.db.models import Prefetch, QuerySet

from components.models import ApiToken
from orchestrations.models import TokenGrant


class TokenList(StrEnum):
    """Whose tokens a page lists; the last is for administrators."""

    MINE = "mine"
    ASSIGNED = "assigned"  # the orchestrations' own that act as oneself
    ALL = "all"


def list_tokens(which: TokenList, user: User) -> QuerySet[ApiToken]:
    """Return tokens by name, with whose they are and what those of orchestrations start."""
    grants = TokenGrant.objects.select_related("orchestration").order_by("orchestration__name")
    found = ApiToken.objects.select_related("user").prefetch_related(
        Prefetch("grants", queryset=grants)
    )
    if which != TokenList.ALL:
        found = found.filter(user=user)
        own = TokenGrant.objects.filter(is_own=True).values("token")
        found = (
            found.filter(pk__in=own) if which == TokenList.ASSIGNED else found.exclude(pk__in=own)
        )
    return found.order_by("name", "pk")
