"""Who may do what: three permissions of the project, given to people by four groups.

Viewer sees; Operator also runs, terminates, enables; Editor also changes; Admin is staff besides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import permission_required

VIEW = "components.view_project"
OPERATE = "components.operate_project"
EDIT = "components.edit_project"

# Each role has the permissions of the ones before it.
ROLES = {"Viewer": (VIEW,), "Operator": (VIEW, OPERATE), "Editor": (VIEW, OPERATE, EDIT)}
ADMIN_ROLE = "Admin"


def requires(permission: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Guard a view: 403 with a sentence without the permission; logged-out people go to log in.

    (That one is logged in at all is seen to by Django's LoginRequiredMiddleware.)
    """
    return permission_required(permission, raise_exception=True)
