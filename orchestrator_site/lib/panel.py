"""What the admin panel only shows: history and designs that services write."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestrator_site.lib.access import OPERATE


class ReadOnly:
    """Nothing is added, changed or deleted; who may see the rows may look at them."""

    def has_add_permission(self, *_args: Any) -> bool:
        """Refuse: services make the rows."""
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        """Refuse: services change the rows."""
        return False

    def has_delete_permission(self, *_args: Any) -> bool:
        """Refuse: history stays."""
        return False


class Operated:
    """Actions marked with the permission `operate` are offered to operators only."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Tell whether the person may operate, as on the pages."""
        return request.user.has_perm(OPERATE)


def as_json(value: Any) -> SafeString:
    """Show JSON over several lines."""
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
