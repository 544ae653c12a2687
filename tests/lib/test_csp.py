from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from orchestrator_site.lib.csp import POLICY, ContentSecurityPolicyMiddleware

HEADER = "Content-Security-Policy"


def answer(response: HttpResponse) -> HttpResponse:
    return ContentSecurityPolicyMiddleware(lambda _request: response)(RequestFactory().get("/"))


@override_settings(DEBUG=False)
@pytest.mark.parametrize("status", [200, 404, 500])
def test_every_response_has_the_policy(status: int) -> None:
    assert answer(HttpResponse(status=status)).headers[HEADER] == POLICY


@override_settings(DEBUG=True)
@pytest.mark.parametrize(("status", "has"), [(200, True), (404, False), (500, False)])
def test_developer_pages_go_without(status: int, has: bool) -> None:  # noqa: FBT001
    assert (HEADER in answer(HttpResponse(status=status)).headers) == has


def test_own_policy_of_a_response_stays() -> None:
    response = HttpResponse(headers={HEADER: "default-src 'none'"})
    assert answer(response).headers[HEADER] == "default-src 'none'"


def test_scripts_only_from_this_site() -> None:
    directives = dict(line.split(" ", 1) for line in POLICY.split("; "))
    assert "script-src" not in directives
    assert directives["default-src"] == "'self'"
    assert directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
