"""Which orchestrations a token of the scope “trigger” starts, in the admin panel: only shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from orchestrations.models import TokenGrant
from orchestrator_site.lib.panel import ReadOnly

if TYPE_CHECKING:  # generic for the type checker, a plain class for Python
    GrantBase = admin.ModelAdmin[TokenGrant]
else:
    GrantBase = admin.ModelAdmin


@admin.register(TokenGrant)
class TokenGrantAdmin(ReadOnly, GrantBase):
    """Made with its token, or with its orchestration; goes with either."""

    list_display = ("token", "orchestration", "is_own")
    list_filter = ("is_own",)
    list_select_related = ("token", "orchestration")
    search_fields = ("token__name", "orchestration__name")
