"""Answer htmx and plain requests alike: one URL, two bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.html import format_html
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event
from django_htmx.middleware import HtmxDetails

MESSAGE_LEVELS = {
    "success": messages.SUCCESS,
    "info": messages.INFO,
    "warning": messages.WARNING,
    "error": messages.ERROR,
}
Level = Literal["success", "info", "warning", "error"]
Link = tuple[str, str]  # address, text


def wants_fragment(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a part of a page.

    A boosted link and a history entry that is no longer cached want the whole page.
    """
    htmx = getattr(request, "htmx", None)
    if not isinstance(htmx, HtmxDetails):
        return False
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_page_or_fragment(
    request: HttpRequest,
    page: str,
    fragment: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    """Render the fragment for htmx and the page for everybody else, kept apart by caches."""
    template = fragment if wants_fragment(request) else page
    response = render(request, template, dict(context or {}), status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def invalid(
    request: HttpRequest, page: str, fragment: str, context: Mapping[str, Any] | None = None
) -> HttpResponse:
    """Render a form with its errors: status 422, which the pages swap like a success."""
    return render_page_or_fragment(request, page, fragment, context, status=422)


def toast(
    response: HttpResponse, message: str, *, level: Level = "success", link: Link | None = None
) -> HttpResponse:
    """Have the page show a message in its corner; a second one on a response replaces the first.

    Only htmx reads it, and not together with a redirect: use `django.contrib.messages` there.
    """
    detail = {"message": message, "level": level}
    if link:
        detail |= {"url": link[0], "label": link[1]}
    return trigger_client_event(response, "toast", detail)


def close_modal(response: HttpResponse) -> HttpResponse:
    """Have the page close its modal."""
    return trigger_client_event(response, "closeModal")


def refresh(response: HttpResponse) -> HttpResponse:
    """Have the parts of the page that ask again and again ask now."""
    return trigger_client_event(response, "refresh")


def redirect(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to another page, whoever asked; htmx would swap a plain redirect's body."""
    if wants_fragment(request):
        return HttpResponseClientRedirect(url)
    return HttpResponseRedirect(url)


def done(
    request: HttpRequest,
    message: str,
    *,
    back: str,
    level: Level = "success",
    link: Link | None = None,
) -> HttpResponse:
    """Say that an action succeeded: a toast on the page as it is, or a message on the page `back`.

    For htmx the body is empty (204, nothing is swapped) and an open modal is closed.
    """
    if wants_fragment(request):
        return close_modal(toast(HttpResponse(status=204), message, level=level, link=link))
    text = format_html('{} <a href="{}">{}</a>', message, *link) if link else message
    messages.add_message(request, MESSAGE_LEVELS[level], text)
    return HttpResponseRedirect(back)
