"""HTTP call: one request, its answer as the job's result."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import httpx

from components.builtin import ex_http, fields, web
from components.builtin.contract import Context, Manifest, TestContext
from components.enums import ComponentType
from components.exceptions import RunnerError

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
CONTENT_TYPES = {
    "application/json": "JSON",
    "application/x-www-form-urlencoded": "Form",
    "text/plain": "Plain text",
    "application/xml": "XML",
}
KEPT = 20_000  # characters of the answer that become the result
PRIVATE = frozenset({"set-cookie", "www-authenticate", "proxy-authenticate"})


def run(context: Context) -> dict[str, Any]:
    """Send the request and return its answer."""
    request = _request(context.parameters)
    context.log(f"{request.method} {request.shown}")
    started = time.monotonic()

    def consume(response: httpx.Response) -> dict[str, Any]:
        return _result(response, ex_http.beginning(response, KEPT + 1))

    result = web.perform(request, consume, context.log)
    result["seconds"] = round(time.monotonic() - started, 3)
    context.log(f"Answered {result['status']} {result['reason']} in {result['seconds']} s.")
    _check(request, result, context.parameters.get("accepted", []))
    return result


def _request(parameters: dict[str, Any]) -> web.Request:
    request = web.request_of(parameters, method=parameters.get("method", "GET"))
    body = parameters.get("body", "")
    if not body:
        return request
    kind = parameters.get("content_type", "application/json")
    if kind == "application/json":
        _check_json(body)
    headers = {"Content-Type": f"{kind}; charset=utf-8", **request.headers}
    return replace(request, content=body.encode(), headers=headers)


def _check_json(body: str) -> None:
    try:
        json.loads(body)
    except ValueError as error:
        raise RunnerError(f"The body is not valid JSON: {error}.", permanent=True) from error


def _result(response: httpx.Response, body: str) -> dict[str, Any]:
    """Return the answer as JSON: the body parsed where it is JSON, else as text."""
    whole = len(body) <= KEPT
    headers = {name: value for name, value in response.headers.items() if name not in PRIVATE}
    result: dict[str, Any] = {
        "status": response.status_code,
        "reason": response.reason_phrase,
        "headers": headers,
        "body": body[:KEPT],
    }
    if not whole:
        return {**result, "truncated": True}
    try:
        return {**result, "body": json.loads(body)}
    except ValueError:
        return result


def _check(request: web.Request, result: dict[str, Any], accepted: list[int]) -> None:
    """Raise RunnerError with the beginning of the answer unless its status is a good one."""
    status = result["status"]
    if status in accepted if accepted else httpx.codes.is_success(status):
        return
    body = result["body"] if isinstance(result["body"], str) else json.dumps(result["body"])
    excerpt = " ".join(body[: ex_http.EXCERPT].split())
    raise RunnerError(
        f"{request.shown} answered {status} {result['reason']}"
        + (f": {excerpt}" if excerpt else "."),
        permanent=True,
    )


def test(context: TestContext) -> str:
    """See whether the server answers at all; a HEAD request, which changes nothing."""
    request = web.request_of({**context.parameters, "retries": 0, "timeout": 15}, method="HEAD")

    def consume(response: httpx.Response) -> str:
        return f"Reached {request.shown}: it answers ({web.status_text(response)} to HEAD)."

    return web.perform(request, consume, lambda _message, _level: None)


MANIFEST = Manifest(
    key="app-http-call",
    name="HTTP call",
    type=ComponentType.APPLICATION,
    summary="Sends one HTTP request, such as a webhook, and keeps its answer as the result.",
    documentation=fields.documentation("app-http-call"),
    schema=fields.document(
        {
            "url": web.URL,
            "method": fields.choice("Method", {name: name for name in METHODS}, "GET"),
            "body": fields.text("Body", format="textarea", default=""),
            "content_type": fields.choice("Content type", CONTENT_TYPES, "application/json"),
            "accepted": {
                "type": "array",
                "title": "Accepted statuses",
                "description": "Such as 200, 404. Blank: every 2xx.",
                "items": {"type": "integer", "minimum": 100, "maximum": 599},
                "default": [],
            },
            "auth": web.AUTHENTICATION,
            "headers": web.HEADERS,
            "query": web.QUERY,
            **web.PATIENCE,
        },
        ["url"],
    ),
    run=run,
    test=test,
    icon="api",
)
