"""Who may do what: three permissions of the project, given to people by four groups.

Viewer sees; Operator also runs, terminates, enables; Editor also changes; Admin is staff besides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseBase

API = "/api/v1/"

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


class PagesNeedLoginMiddleware(LoginRequiredMiddleware):
    """Send people who are not logged in to log in; the API answers 401 by itself."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """Let calls of the API pass."""
        if request.path.startswith(API):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)
