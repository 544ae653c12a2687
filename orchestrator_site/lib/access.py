"""Who may do what: three permissions of the project, given to people by four groups.

Viewer sees; Operator also runs, terminates, enables; Editor also changes; Admin is staff besides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django_htmx.http import HttpResponseClientRedirect

API = "/api/v1/"

VIEW = "components.view_project"
OPERATE = "components.operate_project"
EDIT = "components.edit_project"
AUDIT = "components.view_auditentry"  # the whole record of changes: for administrators

# Each role has the permissions of the ones before it.
ROLES = {"Viewer": (VIEW,), "Operator": (VIEW, OPERATE), "Editor": (VIEW, OPERATE, EDIT)}
ADMIN_ROLE = "Admin"


def person(request: HttpRequest) -> User:
    """Return who asks; no guarded view and no page of the panel is reached by anybody else."""
    return cast("User", request.user)


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

    def handle_no_permission(  # type: ignore[override]  # htmx is redirected otherwise
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseBase:
        """Lead to the login and from there back to a page that a browser can open.

        That is not always the address asked for: what htmx asks for may be a part of a page, and
        what is posted cannot be got. Both come from a page, which the Referer names.
        """
        is_htmx = request.headers.get("HX-Request") == "true"
        if request.method in {"GET", "HEAD"} and not is_htmx:
            return super().handle_no_permission(request, view_func)
        login = redirect_to_login(_page_of(request), self.get_login_url(view_func))
        return HttpResponseClientRedirect(login.url) if is_htmx else login


def _page_of(request: HttpRequest) -> str:
    """Return the address of our page that sent a request; the first page if it is not known."""
    page = urlsplit(request.headers.get("Referer", ""))
    if page.netloc != request.get_host():
        return "/"
    return f"{page.path}?{page.query}" if page.query else page.path or "/"
