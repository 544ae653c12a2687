from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from components.enums import TokenScope
from components.services.tokens import create_token
from tests.builders import make_user

pytestmark = pytest.mark.django_db


def get(client: Client, text: str, **extra: Any) -> Any:
    return client.get("/api/v1/jobs", headers={"authorization": f"Bearer {text}"}, **extra)


def test_a_token_has_so_many_calls_a_minute(client: Client, settings: Settings) -> None:
    settings.API_RATE_LIMIT = 3
    user = make_user(role="Viewer")
    _, text = create_token(user, name="a", scope=TokenScope.READ)
    _, other = create_token(user, name="b", scope=TokenScope.READ)
    answers = [get(client, text) for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert [a["RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
    assert {a["RateLimit-Limit"] for a in answers} == {"3"}
    assert 0 < int(answers[0]["RateLimit-Reset"]) <= 60
    wait = answers[3]["Retry-After"]
    assert 0 < int(wait) <= 120
    message = f"Too many calls; try again in {wait} seconds."
    assert answers[3].json() == {
        "error": {"code": "too_many_requests", "message": message, "fields": {}}
    }
    assert get(client, other).status_code == 200


def test_a_person_in_the_browser_has_as_many(client: Client, settings: Settings) -> None:
    settings.API_RATE_LIMIT = 2
    client.force_login(make_user(role="Viewer"))
    assert [client.get("/api/v1/jobs").status_code for _ in range(3)] == [200, 200, 429]


def test_wrong_tokens_are_limited_by_address_and_good_ones_are_not_held_up(
    client: Client, settings: Settings
) -> None:
    settings.LOGIN_RATE_LIMIT = 2
    _, text = create_token(make_user(role="Viewer"), name="a", scope=TokenScope.READ)
    wrong = [get(client, "orc_wrong", REMOTE_ADDR="192.0.2.7") for _ in range(3)]
    assert [a.status_code for a in wrong] == [401, 401, 429]
    assert int(wrong[2]["Retry-After"]) > 0
    assert get(client, "orc_wrong", REMOTE_ADDR="192.0.2.8").status_code == 401
    assert get(client, text, REMOTE_ADDR="192.0.2.7").status_code == 200


def test_the_limit_is_in_the_documentation(client: Client) -> None:
    client.force_login(make_user(role="Viewer"))
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    answers = [set(call["responses"]) for calls in paths.values() for call in calls.values()]
    assert [a for a in answers if "429" not in a] == []
