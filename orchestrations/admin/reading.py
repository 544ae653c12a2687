"""What the admin panel only shows: history and designs that services write."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from orchestrator_site.lib.access import OPERATE


class ReadOnly:
    """Nothing is added, changed or deleted; who may see the rows may look at them."""

    def has_add_permission(self, *_args: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        return False

    def has_delete_permission(self, *_args: Any) -> bool:
        return False


class Operated:
    """Actions marked with the permission `operate` are offered to operators only."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(OPERATE)
