"""Every call of the API: who may make it. A call without a row in the table fails."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from components.enums import TokenScope
from components.services.tokens import create_token
from orchestrations.services.orchestration_tokens import create_trigger_token
from orchestrator_site.api import api
from tests.builders import make_empty_orchestration, make_run, make_user

READ, RUN, WRITE = TokenScope.READ, TokenScope.RUN, TokenScope.WRITE
# What a token may that was made for one orchestration; nothing else, and of no other one.
TRIGGER_MAY = {
    ("GET", "/orchestrations/{pk}/runs"): 200,
    ("POST", "/orchestrations/{pk}/runs"): 202,
    ("GET", "/runs/{pk}"): 200,
    ("POST", "/runs/{pk}/terminate"): 202,
}
# Calls for administrators alone, with the scope that they need.
ADMIN_CALLS = {("GET", "/audit"): READ}
CALLS = {
    ("GET", "/components"): READ,
    ("GET", "/configurations"): READ,
    ("POST", "/configurations"): WRITE,
    ("GET", "/configurations/{pk}"): READ,
    ("PATCH", "/configurations/{pk}"): WRITE,
    ("DELETE", "/configurations/{pk}"): WRITE,
    ("GET", "/configurations/{pk}/versions"): READ,
    ("POST", "/configurations/{pk}/restore"): WRITE,
    ("POST", "/configurations/{pk}/jobs"): RUN,
    ("POST", "/configurations/{pk}/automate"): WRITE,
    ("GET", "/jobs"): READ,
    ("GET", "/jobs/{pk}"): READ,
    ("GET", "/jobs/{pk}/log"): READ,
    ("POST", "/jobs/{pk}/terminate"): RUN,
    ("GET", "/buckets"): READ,
    ("GET", "/tables"): READ,
    ("GET", "/tables/{key}"): READ,
    ("GET", "/tables/{key}/rows"): READ,
    ("POST", "/tables/{key}/import"): WRITE,
    ("GET", "/orchestrations"): READ,
    ("POST", "/orchestrations"): WRITE,
    ("GET", "/orchestrations/{pk}"): READ,
    ("PUT", "/orchestrations/{pk}"): WRITE,
    ("DELETE", "/orchestrations/{pk}"): WRITE,
    ("GET", "/orchestrations/{pk}/versions"): READ,
    ("GET", "/orchestrations/{pk}/versions/compare"): READ,
    ("GET", "/orchestrations/{pk}/versions/{number}"): READ,
    ("POST", "/orchestrations/{pk}/restore"): WRITE,
    ("POST", "/orchestrations/{pk}/copy"): WRITE,
    ("GET", "/trash"): READ,
    ("POST", "/trash/{kind}/{pk}/restore"): WRITE,
    ("DELETE", "/trash/{kind}/{pk}"): WRITE,
    ("GET", "/orchestrations/{pk}/runs"): READ,
    ("POST", "/orchestrations/{pk}/runs"): RUN,
    ("GET", "/runs"): READ,
    ("GET", "/status"): READ,
    ("GET", "/forecast"): READ,
    ("GET", "/retention"): READ,
    ("PUT", "/retention"): WRITE,
    ("POST", "/retention/preview"): READ,
    ("GET", "/runs/{pk}"): READ,
    ("GET", "/runs/{pk}/log"): READ,
    ("GET", "/tokens"): READ,
    ("POST", "/tokens"): WRITE,
    ("DELETE", "/tokens/{pk}"): WRITE,
    ("POST", "/orchestrations/{pk}/token"): WRITE,
    ("POST", "/runs/{pk}/retry"): RUN,
    ("POST", "/runs/{pk}/terminate"): RUN,
    ("POST", "/runs/{pk}/tasks/{key}/terminate"): RUN,
    ("GET", "/orchestrations/{pk}/schedules"): READ,
    ("POST", "/orchestrations/{pk}/schedules"): WRITE,
    ("PATCH", "/schedules/{pk}"): WRITE,
    ("DELETE", "/schedules/{pk}"): WRITE,
    ("GET", "/schedules/{pk}/slots"): READ,
    ("GET", "/orchestrations/{pk}/slots"): READ,
    ("POST", "/schedules/preview"): READ,
    ("GET", "/calendars"): READ,
    ("POST", "/calendars"): WRITE,
    ("GET", "/calendars/{pk}"): READ,
    ("PATCH", "/calendars/{pk}"): WRITE,
    ("DELETE", "/calendars/{pk}"): WRITE,
    ("GET", "/orchestrations/{pk}/notifications"): READ,
    ("PUT", "/orchestrations/{pk}/notifications"): WRITE,
    ("POST", "/orchestrations/{pk}/notifications/test"): WRITE,
    ("GET", "/orchestrations/{pk}/deliveries"): READ,
    ("POST", "/deliveries/{pk}/retry"): RUN,
    ("GET", "/orchestrations/{pk}/triggers"): READ,
    ("POST", "/orchestrations/{pk}/triggers"): WRITE,
    ("DELETE", "/orchestrations/{pk}/triggers"): WRITE,
    ("GET", "/triggers/{pk}"): READ,
    ("PATCH", "/triggers/{pk}"): WRITE,
    ("DELETE", "/triggers/{pk}"): WRITE,
    ("POST", "/triggers/{pk}/run"): RUN,
    ("POST", "/triggers/{pk}/secret"): WRITE,
    ("GET", "/export"): READ,
    ("POST", "/plan"): WRITE,
    ("POST", "/apply"): WRITE,
}
STAFF = {
    ("GET", "/retention"),
    ("PUT", "/retention"),
    ("POST", "/retention/preview"),
}
ROLE_OF = {READ: "Viewer", RUN: "Operator", WRITE: "Editor"}
ORDER = [READ, RUN, WRITE]

pytestmark = pytest.mark.django_db


def documented() -> set[tuple[str, str]]:
    paths: dict[str, Any] = api.get_openapi_schema(path_prefix="")["paths"]
    return {(method.upper(), path) for path, calls in paths.items() for method in calls}


def call(client: Client, method: str, path: str, pk: int = 999_999, **headers: str) -> int:
    """Make the call for things that do not exist; return its status."""
    address = "/api/v1" + path.replace("{pk}", str(pk)).replace("{key}", "in.c-x.y")
    address = address.replace("{number}", "1").replace("{kind}", "orchestration")
    return client.generic(
        method, address, b"{}", content_type="application/json", headers=headers
    ).status_code


def test_the_table_holds_every_call() -> None:
    assert documented() == {*CALLS, *ADMIN_CALLS}


@pytest.mark.parametrize(("method", "path"), [*CALLS, *ADMIN_CALLS])
def test_a_call_without_a_token_is_401(client: Client, method: str, path: str) -> None:
    assert call(client, method, path) == 401
    assert call(client, method, path, authorization="Bearer orc_wrong") == 401


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_role_that_is_too_small_is_403(client: Client, method: str, path: str) -> None:
    needed = ORDER.index(CALLS[method, path])
    roles = [None, *(ROLE_OF[scope] for scope in ORDER[:needed])]
    roles += ["Editor"] if (method, path) in STAFF else []
    for role in roles:
        _, text = create_token(make_user(role=role), name="t", scope=WRITE)
        assert (role, call(client, method, path, authorization=f"Bearer {text}")) == (role, 403)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_scope_that_is_too_small_is_403_and_enough_passes(
    client: Client, method: str, path: str
) -> None:
    needed = ORDER.index(CALLS[method, path])
    user = make_user(role="Admin" if (method, path) in STAFF else "Editor")
    for place, scope in enumerate(ORDER):
        _, text = create_token(user, name="t", scope=scope)
        status = call(client, method, path, authorization=f"Bearer {text}")
        assert (scope, status == 403) == (scope, place < needed)
        assert status != 401


@pytest.mark.parametrize(("method", "path"), ADMIN_CALLS)
def test_a_call_for_administrators(client: Client, method: str, path: str) -> None:
    for role in (None, *ROLE_OF.values(), "Admin"):
        _, text = create_token(make_user(role=role), name="t", scope=ADMIN_CALLS[method, path])
        status = call(client, method, path, authorization=f"Bearer {text}")
        assert (role, status == 403) == (role, role != "Admin")


@pytest.mark.parametrize(("method", "path"), [*CALLS, *ADMIN_CALLS])
def test_a_trigger_token_may_four_calls_of_its_orchestration(
    client: Client, method: str, path: str
) -> None:
    user = make_user(role="Editor")
    own, other = make_empty_orchestration(), make_empty_orchestration()
    _, text = create_trigger_token(user, name="t", orchestrations=[own])
    for orchestration, allowed in ((own, TRIGGER_MAY.get((method, path), 403)), (other, 403)):
        pk = make_run(orchestration).pk if path.startswith("/runs") else orchestration.pk
        address = path.replace("{pk}", str(pk)).replace("{run}", str(pk))
        status = call(client, method, address, authorization=f"Bearer {text}")
        assert (orchestration is own, status) == (orchestration is own, allowed)


@pytest.mark.parametrize(("method", "path"), [c for c in CALLS if c[0] != "GET"])
def test_a_browser_session_needs_the_csrf_token(method: str, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(role="Editor"))
    assert call(client, method, path) == 403


@pytest.mark.parametrize(
    ("method", "path"), [each for each in [*CALLS, *ADMIN_CALLS] if "{pk}" in each[1]]
)
def test_a_number_that_no_database_can_hold_is_not_found(
    client: Client, method: str, path: str
) -> None:
    client.raise_request_exception = False
    _, text = create_token(make_user(role="Admin"), name="t", scope=WRITE)
    status = call(client, method, path, pk=10**30, authorization=f"Bearer {text}")
    assert status in {404, 422}
