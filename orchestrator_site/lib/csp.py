"""Content-Security-Policy: pages load only what this site serves, and run no inline script."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

DIRECTIVES = {
    "default-src": "'self'",
    # Icons inside form controls are data: images of the vendored stylesheets.
    "img-src": "'self' data:",
    "style-src": "'self'",
    # A style attribute positions a bar; it can load nothing that the lines above refuse.
    "style-src-attr": "'unsafe-inline'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
POLICY = "; ".join(f"{name} {sources}" for name, sources in DIRECTIVES.items())


class ContentSecurityPolicyMiddleware:
    """Set the policy on every response that brings none of its own.

    Django's pages for a developer's error carry inline styles and scripts: left alone under DEBUG.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the policy in the header."""
        response = self.get_response(request)
        developer_page = settings.DEBUG and response.status_code in {
            HTTPStatus.NOT_FOUND,
            HTTPStatus.INTERNAL_SERVER_ERROR,
        }
        if not developer_page:
            response.headers.setdefault("Content-Security-Policy", POLICY)
        return response
