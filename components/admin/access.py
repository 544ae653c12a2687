"""Tokens and the record of changes in the admin panel: tokens are taken back, never read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from components.models import ApiToken, AuditEntry
from components.services.tokens import revoke_token
from orchestrator_site.lib.panel import ReadOnly, as_json

if TYPE_CHECKING:  # generic for the type checker, a plain class for Python
    TokenBase = admin.ModelAdmin[ApiToken]
    EntryBase = admin.ModelAdmin[AuditEntry]
else:
    TokenBase = EntryBase = admin.ModelAdmin


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, TokenBase):
    """Whose programs may call the API; a token is made on its owner's page, or by create_token."""

    list_display = ("name", "user", "scope", "created_at", "last_used_at", "expires_at")
    list_filter = ("scope", "created_at", "last_used_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    fields = (*list_display, "last_used_from")
    actions = ("revoke",)

    @admin.action(description="Revoke selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset:
            revoke_token(token)
        self.message_user(request, "The tokens were revoked.", messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Tell whether the person may take anybody's token back: whoever may delete the rows."""
        return request.user.has_perm("components.delete_apitoken")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, EntryBase):
    """Who changed what; read only, as nobody may change what happened."""

    list_display = ("at", "actor", "action", "object_type", "object_name", "channel", "address")
    list_filter = ("channel", "action", "object_type", "at")
    search_fields = ("actor", "object_name", "token_name", "=object_id", "=address")
    date_hierarchy = "at"
    show_full_result_count = False
    fields = (
        *("at", "actor", "user", "channel", "address", "token_name"),
        *("action", "object_type", "object_id", "object_name", "shown_changes"),
    )
    readonly_fields = ("shown_changes",)

    @admin.display(description="Changes")
    def shown_changes(self, entry: AuditEntry) -> SafeString:
        return as_json(entry.changes)
