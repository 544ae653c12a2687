"""The addresses that other programs call to start a run."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from components.services import rate_limits
from orchestrations.exceptions import InvalidTrigger
from orchestrations.models import Trigger
from orchestrations.services import hooks
from orchestrator_site.lib.addresses import client_address

BEARER = "bearer"
NO = {"", "0", "false", "no", "off"}


@login_not_required
@csrf_exempt  # no browser calls it: the secret is in a header that no form can send
@require_POST
def hook(request: HttpRequest, key: str) -> HttpResponse:
    """Take the call of a program that knows the secret; the same answer for all that do not.

    With the header `X-Dry-Run` it is checked as any other, and starts nothing.
    """
    if (refused := _refused_body(request)) is not None:
        return refused
    call = _call(request)
    trigger = hooks.find_hook(key, call)
    # Strangers are counted by where they come from: there is no end of addresses to be guessed.
    verdict = rate_limits.call(f"hook {key}") if trigger else rate_limits.stranger(call.address)
    if not verdict.is_allowed:
        text = "Too many calls, try again later."
        return _refused(429, "too_many_requests", text, verdict.retry_after)
    if trigger is None:
        return _refused(401, "unauthorized", "The address or the secret is wrong.")
    try:
        return _taken(trigger, call, is_dry=_is_dry(request))
    except InvalidTrigger as error:
        return _refused(422, "invalid", str(error))


def _refused_body(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a body that is too large, or whose length nobody said."""
    length = request.headers.get("Content-Length", "")
    if not length and "Transfer-Encoding" in request.headers:  # it would be read as empty
        return _refused(411, "length_required", "Send the length of the body: Content-Length.")
    if int(length or 0) > hooks.LARGEST_BODY:
        return _refused(413, "too_large", f"A body may have {hooks.LARGEST_BODY} bytes at most.")
    return None


def _taken(trigger: Trigger, call: hooks.Call, *, is_dry: bool) -> HttpResponse:
    if is_dry:
        return JsonResponse({"dry_run": True, "variables": hooks.variables_of(trigger, call)})
    event, is_new = hooks.take_call(trigger, call)
    return JsonResponse({"event": event, "is_new": is_new}, status=202)


def _is_dry(request: HttpRequest) -> bool:
    return request.headers.get("X-Dry-Run", "").strip().lower() not in NO


def _call(request: HttpRequest) -> hooks.Call:
    # The name of a scheme may be written in any case: RFC 9110, section 11.1.
    scheme, _, bearer = request.headers.get("Authorization", "").strip().partition(" ")
    return hooks.Call(
        body=request.body,
        bearer=bearer.strip() if scheme.lower() == BEARER else "",
        signature=request.headers.get("X-Hub-Signature-256", ""),
        key=request.headers.get("Idempotency-Key", "")
        or request.headers.get("X-GitHub-Delivery", ""),
        address=client_address(request) or "an unknown address",
    )


def _refused(status: int, code: str, text: str, retry_after: int = 0) -> HttpResponse:
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    answer = {"error": {"code": code, "message": text, "fields": {}}}
    return JsonResponse(answer, status=status, headers=headers)
