from __future__ import annotations

import pytest
from django.test import Client

from components.enums import TokenScope
from components.services.tokens import authenticate, create_token
from orchestrations.services.orchestration_tokens import own_token
from tests.builders import make_orchestration, make_user

pytestmark = pytest.mark.django_db


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
