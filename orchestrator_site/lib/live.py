"""Parts of pages that ask again and again: nothing is sent where nothing changed."""

from __future__ import annotations

import hashlib

from django.http import HttpRequest, HttpResponse

from orchestrator_site.lib.htmx import wants_fragment


def mark(*parts: object) -> str:
    """Return a short text that differs where one of the parts does."""
    return hashlib.blake2s(repr(parts).encode(), digest_size=8).hexdigest()


def unchanged(request: HttpRequest, now: str) -> HttpResponse | None:
    """Return the answer for a poll that has seen this state already, else None."""
    if wants_fragment(request) and request.headers.get("X-Mark") == now:
        return HttpResponse(status=204)
    return None


def number(text: str | None) -> int | None:
    """Return a number from an address, None for nothing and for nonsense."""
    if text and text.isascii() and text.isdecimal() and len(text) <= 18:  # noqa: PLR2004  # bigint
        return int(text)
    return None
