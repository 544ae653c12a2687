"""API tokens in the admin panel: seen by everybody who may, taken back, never read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from components.models import ApiToken
from components.services.tokens import revoke_token
from orchestrator_site.lib.panel import ReadOnly

if TYPE_CHECKING:  # generic for the type checker, a plain class for Python
    TokenBase = admin.ModelAdmin[ApiToken]
else:
    TokenBase = admin.ModelAdmin


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, TokenBase):
    """Whose programs may call the API; a token is made on its owner's page, or by create_token."""

    list_display = ("name", "user", "scope", "created_at", "last_used_at", "expires_at")
    list_filter = ("scope", "created_at", "last_used_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    fields = ("name", "user", "scope", "created_at", "last_used_at", "expires_at")
    actions = ("revoke",)

    @admin.action(description="Revoke selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset:
            revoke_token(token)
        self.message_user(request, "The tokens were revoked.", messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Tell whether the person may take anybody's token back: whoever may delete the rows."""
        return request.user.has_perm("components.delete_apitoken")
