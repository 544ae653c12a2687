"""HTTP for components: patient with busy servers, careful with secrets, never whole in memory."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import httpx

from components.builtin import fields
from components.exceptions import RunnerError

REDIRECTS = 10
LONGEST_WAIT = 600  # seconds; a server that asks for more is not waited for
LONGEST_PAUSE = 60  # seconds between attempts where the server names none
SAFE_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
# Whatever the method, these say that the request was not carried out.
REFUSED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
AGENT = "Orchestrator"

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

Log = Callable[[str, str], None]
Query = list[tuple[str, str | int | float | bool | None]]  # as httpx names it
T = TypeVar("T")

PAIR = fields.group(
    {
        "name": fields.text("Name", minLength=1),
        "value": fields.text("Value"),
        "#value": fields.text("Secret value", "Instead of the value.", format="password"),
    },
    ["name"],
)
AUTHENTICATION = fields.group(
    {
        "type": fields.choice(
            "Type", {"none": "None", "basic": "Basic", "bearer": "Bearer token"}, "none"
        ),
        "user": fields.text("User", "For Basic."),
        "#password": fields.text("Password", "For Basic.", format="password"),
        "#token": fields.text("Token", "For Bearer token.", format="password"),
    },
    title="Authentication",
)
URL = fields.text(
    "URL",
    "Starts with http:// or https://.",
    format="uri",
    minLength=1,
)
HEADERS = fields.rows("Headers", PAIR)
QUERY = fields.rows("Query", PAIR, "Added to the URL; the place for a key that must stay secret.")
PATIENCE = {
    "timeout": fields.whole(
        "Timeout", "Seconds without any data.", default=60, minimum=1, maximum=3600
    ),
    "retries": fields.whole(
        "Retries", "After a busy or broken answer.", default=5, minimum=0, maximum=20
    ),
    "pause": {
        "type": "number",
        "title": "First pause",
        "description": "Seconds before the first retry; each further pause is twice as long. "
        "A server that names its own (Retry-After) is obeyed.",
        "default": 1,
        "minimum": 0,
        "maximum": 60,
    },
}


@dataclass(frozen=True)
class Request:
    """One request with what it needs to be sent again."""

    url: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    query: Query = field(default_factory=list)
    content: bytes | None = None
    timeout: float = 60
    retries: int = 0
    pause: float = 1

    @property
    def shown(self) -> str:
        """The URL as it may be shown."""
        return shown(self.url)


class _Busy(Exception):
    """The attempt failed in a way that a later one may not."""

    def __init__(self, problem: str, wait: float | None = None, *, refused: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.wait = wait
        self.refused = refused


def shown(url: str) -> str:
    """Return a URL for people: no user, no password, and query names without their values."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    names = [f"{name}=…" for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{'&'.join(names)}" if names else "")


def request_of(parameters: Mapping[str, Any], *, method: str = "GET") -> Request:
    """Read the common parameters; raises RunnerError for a URL that is none."""
    url = str(parameters.get("url", "")).strip()
    _check_url(url)
    return Request(
        url=url,
        method=method,
        headers=_headers(parameters),
        query=[*_pairs(parameters.get("query"))],
        timeout=parameters.get("timeout", 60),
        retries=parameters.get("retries", 5),
        pause=parameters.get("pause", 1),
    )


def _check_url(url: str) -> None:
    try:
        parsed = httpx.URL(url)
        urlsplit(url)  # which refuses other things
    except (httpx.InvalidURL, ValueError) as error:
        raise RunnerError(f"The URL is not valid: {error}.", permanent=True) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise RunnerError(
            f"The URL “{shown(url)}” is not a web address. It starts with http:// or https://.",
            permanent=True,
        )


def _pairs(entries: Any) -> list[tuple[str, str]]:
    return [
        (entry["name"], str(entry.get("#value") or entry.get("value") or ""))
        for entry in entries or []
    ]


def _headers(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that belong to the URL's own origin; raises RunnerError for a bad one."""
    headers = dict(_pairs(parameters.get("headers")))
    headers |= _authorization(parameters.get("auth") or {})
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise RunnerError(f"“{name}” cannot be the name of a header.", permanent=True)
        if CONTROL.search(value):
            raise RunnerError(
                f"The header “{name}” holds a line break or another control character.",
                permanent=True,
            )
    return headers


def _authorization(auth: Mapping[str, Any]) -> dict[str, str]:
    if auth.get("type") == "basic":
        pair = f"{auth.get('user', '')}:{auth.get('#password', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if auth.get("type") == "bearer":
        return {"Authorization": f"Bearer {auth.get('#token', '')}"}
    return {}


def perform(request: Request, consume: Callable[[httpx.Response], T], log: Log) -> T:
    """Send a request and return what `consume` makes of the answer, which is still unread.

    A connection that breaks, a truncated body, 429 and 5xx are tried again, `consume` included;
    raises RunnerError with the last problem. A POST is repeated only where the server refused it.
    """
    with httpx.Client(timeout=request.timeout) as client:
        for attempt in range(request.retries + 1):
            try:
                with _answer(client, request) as response:
                    return consume(response)
            except _Busy as busy:
                _rest(request, busy, attempt, log)
    raise AssertionError  # the last rest raises


def _rest(request: Request, busy: _Busy, attempt: int, log: Log) -> None:
    """Sleep until the next attempt; raises RunnerError where there is none."""
    repeatable = busy.refused or request.method in SAFE_METHODS
    if attempt == request.retries or not repeatable:
        tried = f" Tried {attempt + 1} times." if attempt else ""
        raise RunnerError(f"{busy.problem}{tried}") from busy
    wait = min(request.pause * 2**attempt, LONGEST_PAUSE) if busy.wait is None else busy.wait
    if wait > LONGEST_WAIT:
        raise RunnerError(f"{busy.problem} It asks to wait {wait:.0f} seconds.") from busy
    log(f"{busy.problem} Trying again in {wait:g} s.", "warning")
    time.sleep(wait)


@contextmanager
def _answer(client: httpx.Client, request: Request) -> Iterator[httpx.Response]:
    """Give the final answer's unread response; raises _Busy where a retry makes sense."""
    try:
        response = _follow(client, request)
        try:
            _check_busy(request, response)
            yield response
        finally:
            response.close()
    except httpx.InvalidURL as error:
        raise RunnerError(f"{request.shown} redirects to a URL that is not valid.") from error
    except httpx.ConnectError as error:
        raise _Busy(f"{request.shown} cannot be reached: {error}.", refused=True) from error
    except httpx.TimeoutException as error:
        raise _Busy(f"{request.shown} did not answer within {request.timeout:g} s.") from error
    except httpx.TransportError as error:
        raise _Busy(f"The connection to {request.shown} broke: {error}.") from error


def _follow(client: httpx.Client, request: Request) -> httpx.Response:
    """Send, and follow redirects; secrets are never carried on to another origin."""
    url = httpx.URL(request.url)
    headers = httpx.Headers({"User-Agent": AGENT, "Accept-Encoding": "gzip"}, encoding="utf-8")
    for name, value in request.headers.items():
        headers[name] = value
    first = client.build_request(
        request.method,
        url.copy_merge_params(request.query) if request.query else url,
        headers=headers,
        content=request.content,
    )
    response = client.send(first, stream=True)
    for _ in range(REDIRECTS):
        following = response.next_request
        if following is None:
            return response
        response.close()
        _check_redirect(request, following)
        if _origin(following.url) != _origin(first.url):
            for name in request.headers:
                following.headers.pop(name, None)
        response = client.send(following, stream=True)
    response.close()
    raise RunnerError(f"{request.shown} redirects more than {REDIRECTS} times.", permanent=True)


def _check_redirect(request: Request, following: httpx.Request) -> None:
    if following.url.scheme not in {"http", "https"}:
        raise RunnerError(
            f"{request.shown} redirects to a {following.url.scheme}: address, which is not "
            "followed.",
            permanent=True,
        )


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


def _check_busy(request: Request, response: httpx.Response) -> None:
    status = response.status_code
    if status in REFUSED or status == HTTPStatus.REQUEST_TIMEOUT or response.is_server_error:
        raise _Busy(
            f"{request.shown} answered {status_text(response)}.",
            _retry_after(response),
            refused=status in REFUSED,
        )


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that the server asks for; None where it does not say."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def status_text(response: httpx.Response) -> str:
    """Return the status as people read it: 404 Not Found."""
    return f"{response.status_code} {response.reason_phrase}".strip()
