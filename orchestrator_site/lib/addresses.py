"""Who sends a request, and from where, seen through the proxies that are trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orchestrator_site.lib.access import API
from orchestrator_site.lib.actor import Actor, acting

ADMIN = "/admin/"


class ActorMiddleware:
    """Say who is at work while a request is answered; costs no query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer as the person of the session; the API's guards know better who calls."""
        actor = Actor(_channel(request.path), user=request.user, address=client_address(request))
        with acting(actor):
            return self.get_response(request)


def _channel(path: str) -> str:
    if path.startswith(API):
        return "api"
    return "admin" if path.startswith(ADMIN) else "page"


def client_address(request: HttpRequest) -> str | None:
    """Return the address of whoever sent a request; None where the server does not know it.

    X-Forwarded-For can be written by anybody: only what trusted proxies put there counts, so it is
    read from its end for as long as the sender is one of them.
    """
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    found = _tidy(request.META.get("REMOTE_ADDR", ""))
    while found and hops and _is_trusted(found, settings.TRUSTED_PROXIES):
        before = _tidy(hops.pop())
        if before is None:
            break
        found = before
    return found


def _tidy(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _is_trusted(address: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(ip_address(address) in network for network in trusted)
