"""What every call shares: who may call, how errors look, pages, keys against doubled work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from ninja import NinjaAPI, Query, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.security import HttpBearer, SessionAuth
from pydantic import ConfigDict, JsonValue

from components.enums import TokenScope
from components.exceptions import (
    ComponentsError,
    EditConflict,
    InvalidConfiguration,
    InvalidSearch,
    NotAllowed,
    StorageError,
)
from components.models import ApiToken
from components.services import rate_limits
from components.services.idempotency import Answer, once
from components.services.tokens import authenticate
from orchestrator_site.lib import actor
from orchestrator_site.lib.access import AUDIT, EDIT, OPERATE, VIEW
from orchestrator_site.lib.rate_limit import Verdict
from orchestrator_site.lib.search_fields import LONGEST, Fields, Search, understand

M = TypeVar("M", bound=Model)
Trigger = Callable[[ApiToken, int], bool]
SCOPE_OF = {
    VIEW: TokenScope.READ,
    AUDIT: TokenScope.READ,
    OPERATE: TokenScope.RUN,
    EDIT: TokenScope.WRITE,
}
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    422: "invalid",
    429: "too_many_requests",
}
MAX_KEY = 200


class ErrorDetail(Schema):
    """What is wrong: a code for programs, a sentence for people, a sentence for each field."""

    code: str
    message: str
    fields: dict[str, str]


class ErrorOut(Schema):
    """The body of every answer from 400 up."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {
                    "code": "invalid",
                    "message": "The request is not valid.",
                    "fields": {"name": "Field required"},
                }
            }
        }
    )
    error: ErrorDetail


ERRORS: dict[int, Any] = dict.fromkeys((401, 403, 404, 409, 422, 429), ErrorOut)


class TooManyCalls(Exception):
    """Too many calls; try again in {} seconds."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__((type(self).__doc__ or "").format(verdict.retry_after))


def count(request: HttpRequest, verdict: Verdict) -> None:
    """Leave the verdict for the headers of the answer; raises TooManyCalls where it is a no."""
    request.rate_limit = verdict  # type: ignore[attr-defined]  # for RateLimitMiddleware
    if not verdict.is_allowed:
        raise TooManyCalls(verdict)


class TokenAuth(HttpBearer):
    """`Authorization: Bearer …`: the token's scope and its user's role must both allow the call.

    `trigger` tells whether a token of the scope “trigger” may make it; without it none may.
    """

    def __init__(
        self, permission: str, trigger: Trigger | None = None, *, staff: bool = False
    ) -> None:
        super().__init__()
        self.permission = permission
        self.trigger = trigger
        self.staff = staff

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Return the user of a good token; raises PermissionDenied where it may not do this."""
        address = actor.current().address
        found = authenticate(token, address=address)
        if found is None:
            count(request, rate_limits.stranger(address))
            return None
        count(request, rate_limits.call(found.digest))
        request.user = found.user
        request.api_token = found  # type: ignore[attr-defined]  # for calling_token
        actor.recognise(found.user, token=found.name)
        self._check_scope(request, found)
        return allowed(found.user, self.permission, staff=self.staff)

    def _check_scope(self, request: HttpRequest, token: ApiToken) -> None:
        if token.scope == TokenScope.TRIGGER and self.trigger:
            if not self.trigger(token, _pk_of(request)):
                raise PermissionDenied("This token does not start this orchestration.")
            return
        needed, order = scope_of(self.permission), TokenScope.values
        if order.index(token.scope) < order.index(needed):
            raise PermissionDenied(
                f"This token has the scope “{token.scope}”; this call needs “{needed}”."
            )


class BrowserAuth(SessionAuth):
    """The session of somebody who is logged in, with Django's check against forged requests."""

    def __init__(self, permission: str, *, staff: bool = False) -> None:
        super().__init__(csrf=True)
        self.permission = permission
        self.staff = staff

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:  # noqa: ARG002  # ninja's signature
        """Return the user of the session; raises PermissionDenied where they may not do this."""
        user = request.user
        if not isinstance(user, User):
            return None
        count(request, rate_limits.call(f"user {user.pk}"))
        return allowed(user, self.permission, staff=self.staff)


def allowed(user: User, permission: str, *, staff: bool = False) -> User:
    """Return the user, or raise PermissionDenied where their role lacks the permission."""
    if not user.has_perm(permission):
        raise PermissionDenied("Your role does not allow this.")
    if staff and not user.is_staff:
        raise PermissionDenied("Only administrators may do this.")
    return user


def needs(permission: str, *, trigger: Trigger | None = None, staff: bool = False) -> list[Any]:
    """Return the guards of a call: a token or a session that has the permission.

    `trigger` is asked whether a token that only starts orchestrations may make this call; it gets
    the token and the id in the address. `staff` calls are for administrators alone, and refused
    to others before the body is read.
    """
    return [TokenAuth(permission, trigger, staff=staff), BrowserAuth(permission, staff=staff)]


def page_of(example: JsonValue, following: JsonValue = None) -> ConfigDict:
    """Return the configuration of the schema of a page: its example has this one item."""
    return ConfigDict(json_schema_extra={"example": {"items": [example], "next": following}})


def scope_of(permission: str) -> TokenScope:
    """Return the smallest scope for a permission: what only administrators have needs the last."""
    return SCOPE_OF.get(permission, TokenScope.WRITE)


def _pk_of(request: HttpRequest) -> int:
    """Return the id in the address of a call."""
    match = request.resolver_match
    return int(match.kwargs["pk"]) if match else 0


def user_of(request: HttpRequest) -> User:
    """Return who calls; the guards have seen to it that somebody does."""
    assert isinstance(request.user, User)  # noqa: S101  # for the type checker
    return request.user


def calling_token(request: HttpRequest) -> ApiToken | None:
    """Return the token that calls; None for a person in the browser."""
    found: ApiToken | None = getattr(request, "api_token", None)
    return found


class PageQuery(Schema):
    """One page of a list."""

    limit: Annotated[int, Query(ge=1, le=200, description="Rows, 1 to 200.")] = 50
    after: Annotated[int | None, Query(description="`next` of the page before.")] = None


class SearchQuery(PageQuery):
    """One page of what a search finds."""

    query: Annotated[
        str,
        Query(
            max_length=LONGEST,
            description="As in the search boxes: `status:error -user:ada created:>-7d`. "
            "Times without a zone are UTC.",
            examples=["status:error duration:>10m created:>-7d"],
        ),
    ] = ""


def understood(text: str, fields: Callable[[], Fields]) -> Search:
    """Return what the parameter `query` means; raises InvalidSearch with what is wrong where."""
    if not text:
        return Search("")
    search = understand(text, fields(), now=timezone.now())
    if search.problems:
        raise InvalidSearch(fields={"query": search.sentences})
    return search


def newest_first(rows: QuerySet[M], page: PageQuery) -> dict[str, Any]:
    """Return one page of rows by falling id, and the id that asks for the next one."""
    found = list(
        (rows.filter(pk__lt=page.after) if page.after else rows).order_by("-pk")[: page.limit + 1]
    )
    return {"items": found[: page.limit], "next": _next(found, page)}


def oldest_first(rows: QuerySet[M], page: PageQuery) -> dict[str, Any]:
    """Return one page of rows by rising id, and the id that asks for the next one."""
    found = list(
        (rows.filter(pk__gt=page.after) if page.after else rows).order_by("pk")[: page.limit + 1]
    )
    return {"items": found[: page.limit], "next": _next(found, page)}


def _next(found: list[Any], page: PageQuery) -> int | None:
    return found[page.limit - 1].pk if len(found) > page.limit else None


def idempotent(
    request: HttpRequest, status: int, work: Callable[[], Any], out: type[Schema]
) -> HttpResponse:
    """Do the work once for each Idempotency-Key; answer with its result as `out` shows it."""

    def answer() -> Answer:
        return out.from_orm(work()).model_dump(mode="json")

    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return JsonResponse(answer(), status=status)
    if len(key) > MAX_KEY:
        raise HttpError(422, f"An Idempotency-Key has at most {MAX_KEY} characters.")
    asked = f"{request.method} {request.path}\n".encode() + request.body
    digest = hashlib.sha256(asked).hexdigest()
    done = once(user_of(request), key=key, request=digest, work=answer)
    return JsonResponse(done, status=status)


def install(api: NinjaAPI, kinds: Iterable[tuple[type[Exception], int]] = ()) -> None:
    """Make the API answer all errors alike; `kinds` are the upper app's, most special first."""
    own = (
        (InvalidConfiguration, 422),
        (StorageError, 422),
        (EditConflict, 409),
        (NotAllowed, 409),
        (ComponentsError, 422),
    )
    for kind, status in (*own, *kinds):
        api.add_exception_handler(kind, _answering(api, status))
    api.add_exception_handler(AuthenticationError, _unauthorized(api))
    api.add_exception_handler(PermissionDenied, _answering(api, 403))
    api.add_exception_handler(TooManyCalls, _answering(api, 429))
    api.add_exception_handler(HttpError, _http_error(api))
    api.add_exception_handler(Http404, _not_found(api))
    api.add_exception_handler(ValidationError, _validation_error(api))


def error(
    api: NinjaAPI, request: HttpRequest, status: int, message: str, fields: Any = None
) -> HttpResponse:
    """Return an error in the one form that all have."""
    code = CODES.get(status, "error")
    body = {"error": {"code": code, "message": message, "fields": fields or {}}}
    return api.create_response(request, body, status=status)


Handler = Callable[[HttpRequest, Any], HttpResponse]


def _answering(api: NinjaAPI, status: int) -> Handler:
    def handle(request: HttpRequest, exc: Any) -> HttpResponse:
        return error(api, request, status, str(exc), getattr(exc, "fields", None))

    return handle


def _unauthorized(api: NinjaAPI) -> Handler:
    def handle(request: HttpRequest, exc: AuthenticationError) -> HttpResponse:
        message = "Send a valid token: Authorization: Bearer …"
        answer = error(api, request, 401, message)
        answer["WWW-Authenticate"] = "Bearer"
        return answer

    return handle


def _http_error(api: NinjaAPI) -> Handler:
    def handle(request: HttpRequest, exc: HttpError) -> HttpResponse:
        return error(api, request, exc.status_code, exc.message)

    return handle


def _not_found(api: NinjaAPI) -> Handler:
    def handle(request: HttpRequest, exc: Http404) -> HttpResponse:
        return error(api, request, 404, "There is nothing with this id.")

    return handle


def _validation_error(api: NinjaAPI) -> Handler:
    def handle(request: HttpRequest, exc: ValidationError) -> HttpResponse:
        fields = {
            ".".join(str(p) for p in row["loc"][1:] if p not in {"data", "body"}): row["msg"]
            for row in exc.errors
        }
        return error(api, request, 422, "The request is not valid.", fields)

    return handle
