"""Errors of ours: a reference for the person, a traceback for the log, never a blank page."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.defaults import bad_request

# Answers of Django to calls of the API that never reached a call of ours.
UNSAID = {
    403: ("forbidden", "The request was refused: its CSRF token is missing or wrong."),
    404: ("not_found", "There is no such call; /api/v1/docs lists them all."),
    405: ("method_not_allowed", "This address does not take this method."),
}
# Django answers these itself, with the pages 400, 403 and 404.
EXPECTED = (Http404, PermissionDenied, SuspiciousOperation, BadRequest)
NO_CHARACTER = "A text holds a NUL character, or half of one; remove it."

logger = logging.getLogger(__name__)


def new_reference() -> str:
    """Return a short text that is easy to read out: eight characters, unlike each other."""
    return "".join(secrets.choice("23456789ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(8))


def _as_json(code: str, message: str, status: int) -> JsonResponse:
    body = {"error": {"code": code, "message": message, "fields": {}}}
    return JsonResponse(body, status=status)


def is_no_character(exception: Exception) -> bool:
    """Tell whether a database refused a character of the request that none of its texts can hold.

    Such characters can stand anywhere, in each part of an address too, and only in what was sent.
    """
    if isinstance(exception, UnicodeEncodeError):
        return exception.reason == "surrogates not allowed"
    text = str(exception)
    return isinstance(exception, DataError) and ("NUL (0x00)" in text or r"\u0000" in text)


class ErrorReferenceMiddleware:
    """Answer an unexpected exception with a reference that stands in the log beside it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, calls of the API always in JSON."""
        answer = self.get_response(request)
        is_json = answer.get("Content-Type", "").startswith("application/json")
        if request.path.startswith("/api/") and answer.status_code in UNSAID and not is_json:
            return _as_json(*UNSAID[answer.status_code], answer.status_code)
        return answer

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Log and answer 500; leave what Django answers, and everything while debugging."""
        if isinstance(exception, EXPECTED) or settings.DEBUG:
            return None
        if is_no_character(exception):
            if request.path.startswith("/api/"):
                return _as_json("bad_request", NO_CHARACTER, 400)
            return bad_request(request, exception)
        got_request_exception.send(sender=type(self), request=request)
        reference = new_reference()
        logger.error(
            "Error %s at %s %s", reference, request.method, request.path, exc_info=exception
        )
        if request.path.startswith("/api/"):
            message = f"Something went wrong on our side. Reference: {reference}."
            answer: HttpResponse = _as_json("internal", message, 500)
        else:
            answer = render(request, "500.html", {"reference": reference}, status=500)
        answer["X-Error-Reference"] = reference
        return answer
