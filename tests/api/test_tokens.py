from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from components.enums import TokenScope
from components.models import ApiToken
from components.services.tokens import authenticate, create_token
from orchestrations.services.orchestration_tokens import may_start, own_token
from tests.builders import make_orchestration, make_user

pytestmark = pytest.mark.django_db


class Caller:
    """Calls with a token of its own, which ends when it is told to."""

    def __init__(self, client: Client, user: User, expires_at: datetime | None = None) -> None:
        made = create_token(user, name="caller", scope=TokenScope.WRITE, expires_at=expires_at)
        self.client, (self.token, self.text) = client, made

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = getattr(self.client, method)(
            f"/api/v1{path}",
            body,
            content_type="application/json",
            headers={"authorization": f"Bearer {self.text}"},
        )
        return answer.status_code, answer.json() if answer.content else None


def fields_of(answer: tuple[int, Any]) -> tuple[int, dict[str, str]]:
    return answer[0], answer[1]["error"]["fields"]


def test_the_token_of_an_orchestration_is_replaced_and_told_once(client: Client) -> None:
    user = make_user(role="Editor", name="ada")
    orchestration = make_orchestration(name="Shop", user=user)
    before = own_token(orchestration)
    _, text = create_token(user, name="mine", scope=TokenScope.WRITE)
    answer = client.post(
        f"/api/v1/orchestrations/{orchestration.pk}/token",
        headers={"authorization": f"Bearer {text}"},
    )
    made, token = answer.json(), own_token(orchestration)
    assert token is not None
    assert token != before
    assert (answer.status_code, made["id"], made["name"], made["user"]) == (
        *(201, token.pk, "Orchestrator Shop", "ada"),
    )
    assert authenticate(made["token"]) == token


def test_where_and_when_a_token_was_used_is_noted(client: Client) -> None:
    token, text = create_token(make_user(role="Viewer"), name="t", scope=TokenScope.READ)
    headers = {"authorization": f"Bearer {text}"}
    client.get("/api/v1/jobs", headers=headers, REMOTE_ADDR="2001:db8::7")
    token.refresh_from_db()
    assert (token.last_used_from, token.last_used_at is None) == ("2001:db8::7", False)


def test_ones_own_tokens_are_made_listed_and_revoked(client: Client) -> None:
    user = make_user(role="Editor")
    create_token(make_user(role="Editor"), name="another's", scope=TokenScope.READ)
    make_orchestration(name="Shop", user=user)
    call = Caller(client, user)
    status, made = call("post", "/tokens", {"name": "reader", "scope": "read"})
    token = authenticate(made["token"])
    assert token is not None
    assert (status, token.pk, token.scope, token.user, token.expires_at) == (
        *(201, made["id"], TokenScope.READ, user, None),
    )
    _, page = call("get", "/tokens")
    assert [(row["name"], row["scope"]) for row in page["items"]] == [
        ("reader", "read"),
        ("caller", "write"),
    ]
    assert made["token"] not in str(page)
    assert call("delete", f"/tokens/{token.pk}") == (204, None)
    assert authenticate(made["token"]) is None


def test_somebody_elses_token_and_those_of_orchestrations_are_not_there(client: Client) -> None:
    user = make_user(role="Editor")
    other, _ = create_token(make_user(role="Editor"), name="t", scope=TokenScope.READ)
    own = own_token(make_orchestration(user=user))
    call = Caller(client, user)
    assert own is not None
    assert [call("delete", f"/tokens/{pk}")[0] for pk in (other.pk, own.pk)] == [404, 404]
    assert ApiToken.objects.filter(pk__in=(other.pk, own.pk)).count() == 2


def test_a_token_is_made_that_starts_some_orchestrations(client: Client) -> None:
    user = make_user(role="Editor")
    shop, other = make_orchestration(name="Shop"), make_orchestration(name="Other")
    call = Caller(client, user)
    body = {"name": "ci", "scope": "trigger", "orchestrations": [shop.pk]}
    status, made = call("post", "/tokens", body)
    token = authenticate(made["token"])
    assert token is not None
    assert (status, may_start(token, shop.pk), may_start(token, other.pk)) == (201, True, False)
    assert call("get", "/tokens")[1]["items"][0]["orchestrations"] == [shop.pk]


def test_what_is_wrong_with_a_token_is_said_by_field(client: Client) -> None:
    call = Caller(client, make_user(role="Editor"))
    past = (timezone.now() - timedelta(days=1)).isoformat()
    wrong = {"name": " ", "scope": "trigger", "expires_at": past}
    assert fields_of(call("post", "/tokens", wrong)) == (
        422,
        {
            "name": "Give the token a name.",
            "orchestrations": "Name the orchestrations that it starts.",
            "expires_at": "This moment has passed.",
        },
    )
    for scope, text in (
        ("trigger", "There is no orchestration 999999."),
        ("read", "They are for the scope trigger alone."),
    ):
        body = {"name": "t", "scope": scope, "orchestrations": [999_999]}
        assert fields_of(call("post", "/tokens", body)) == (422, {"orchestrations": text})


def test_a_token_makes_none_that_outlives_it(client: Client) -> None:
    end = timezone.now() + timedelta(days=2)
    call = Caller(client, make_user(role="Editor"), end)
    body = {"name": "t", "scope": "read"}
    refused = (422, {"expires_at": "It would outlive the token that makes it."})
    later = {"expires_at": (end + timedelta(seconds=1)).isoformat()}
    assert fields_of(call("post", "/tokens", body)) == refused
    assert fields_of(call("post", "/tokens", body | later)) == refused
    assert call("post", "/tokens", body | {"expires_at": end.isoformat()})[0] == 201


def test_the_list_of_tokens_costs_the_same_for_many(client: Client) -> None:
    user = make_user(role="Editor")
    call = Caller(client, user)

    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            assert call("get", "/tokens")[0] == 200
        return len(found)

    call("get", "/tokens")
    one = count()
    for name in "ab":
        create_token(user, name=name, scope=TokenScope.READ)
    assert count() == one
