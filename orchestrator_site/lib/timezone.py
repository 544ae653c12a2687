"""Show times in the zone of the person who looks."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "tz"  # written by site.js from the browser's own zone


def viewer_zone(request: HttpRequest) -> zoneinfo.ZoneInfo:
    """Return the zone of the browser, or the installation's where it is unknown."""
    name = request.COOKIES.get(COOKIE, "")
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return zoneinfo.ZoneInfo(timezone.get_default_timezone_name())


class ViewerTimezoneMiddleware:
    """Activate the viewer's zone for the length of one request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in the viewer's zone."""
        with timezone.override(viewer_zone(request)):
            return self.get_response(request)
