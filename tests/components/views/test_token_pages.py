from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from components.enums import TokenScope
from components.models import ApiToken
from components.services.tokens import authenticate, create_token
from tests.builders import make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
GOOD = {"name": "nightly", "scope": "read", "days": "90"}


def text_of(response: Any) -> str:
    body = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", html.unescape(body))


def log_in(client: Client, role: str | None) -> Any:
    user = make_user(role=role)
    client.force_login(user)
    return user


def test_it_lists_ones_own_tokens(client: Client) -> None:
    user = log_in(client, "Viewer")
    create_token(user, name="mine", scope=TokenScope.READ)
    past = datetime(2020, 1, 1, tzinfo=UTC)
    create_token(user, name="old", scope=TokenScope.READ, expires_at=past)
    create_token(make_user(), name="somebody else's", scope=TokenScope.READ)
    page = text_of(client.get(reverse("tokens")))
    assert ("mine" in page, "old" in page, "somebody" in page) == (True, True, False)
    assert page.count("expired") == 1
    part = client.get(reverse("tokens"), headers=HTMX).content.decode()
    assert ("<html" in part, part.count('id="token-list"')) == (False, 1)


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_any_number(
    client: Client, count: int, django_assert_num_queries: Any
) -> None:
    user = log_in(client, "Viewer")
    for number in range(count):
        create_token(user, name=f"t{number}", scope=TokenScope.READ)
    client.get(reverse("tokens"))
    with django_assert_num_queries(5):
        client.get(reverse("tokens"))


def test_an_empty_list_offers_the_next_step(client: Client) -> None:
    log_in(client, "Viewer")
    assert "No tokens yet" in text_of(client.get(reverse("tokens")))


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_it_makes_a_token_and_shows_it_once(client: Client, headers: dict[str, str]) -> None:
    user = log_in(client, "Operator")
    now = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        data = {**GOOD, "scope": "run"}
        response = client.post(reverse("token-new"), data, headers=headers)
    assert ("<html" in response.content.decode()) == (not headers)
    texts = set(re.findall(r"orc_[\w-]{43}", response.content.decode()))
    assert len(texts) == 1
    assert "no-store" in response["Cache-Control"]
    assert "tokens-changed" in response["HX-Trigger"]
    with time_machine.travel(now, tick=False):
        token = authenticate(texts.pop())
    assert token is not None
    assert (token.user, token.name, token.scope, token.expires_at) == (
        user,
        "nightly",
        "run",
        now + timedelta(days=90),
    )
    assert "orc_" not in client.get(reverse("tokens")).content.decode()


def test_a_token_may_be_for_ever(client: Client) -> None:
    log_in(client, "Viewer")
    client.post(reverse("token-new"), {**GOOD, "days": "0"})
    assert ApiToken.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("Viewer", ["read"]),
        ("Operator", ["read", "run"]),
        ("Editor", ["read", "run", "write"]),
        ("Admin", ["read", "run", "write"]),
    ],
)
def test_a_role_is_offered_its_scopes(client: Client, role: str, scopes: list[str]) -> None:
    log_in(client, role)
    page = client.get(reverse("token-new")).content.decode()
    assert re.findall(r'name="scope"[^>]*value="(\w+)"', page) == scopes
    refused = [s for s in TokenScope.values if s not in scopes]
    codes = [client.post(reverse("token-new"), {**GOOD, "scope": s}).status_code for s in refused]
    assert (codes, ApiToken.objects.count()) == ([422] * len(refused), 0)


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [({"name": " "}, "Give the token a name."), ({"days": "7"}, "Select a valid choice.")],
)
def test_what_is_wrong_is_said_and_the_rest_kept(
    client: Client, headers: dict[str, str], wrong: dict[str, str], sentence: str
) -> None:
    log_in(client, "Operator")
    data = {**GOOD, "scope": "run", **wrong}
    response = client.post(reverse("token-new"), data, headers=headers)
    assert (response.status_code, sentence in text_of(response)) == (422, True)
    assert re.search(r'value="run"[^>]*checked', response.content.decode())
    assert ApiToken.objects.count() == 0


def test_it_revokes_a_token(client: Client) -> None:
    user = log_in(client, "Viewer")
    token, text = create_token(user, name="mine", scope=TokenScope.READ)
    response = client.post(reverse("token-revoke", args=[token.pk]), follow=True)
    assert "The token “mine” was revoked." in text_of(response)
    assert authenticate(text) is None


def test_somebody_elses_token_is_not_there(client: Client) -> None:
    token, _ = create_token(make_user(), name="theirs", scope=TokenScope.READ)
    log_in(client, "Admin")
    assert client.post(reverse("token-revoke", args=[token.pk])).status_code == 404
    assert ApiToken.objects.count() == 1


def test_who_may_not(client: Client) -> None:
    assert client.get(reverse("tokens"))["Location"] == "/accounts/login/?next=/tokens/"
    user = log_in(client, None)
    token, _ = create_token(user, name="t", scope=TokenScope.READ)
    codes = [
        client.get(reverse("tokens")).status_code,
        client.get(reverse("token-new")).status_code,
        client.post(reverse("token-new"), GOOD).status_code,
        client.post(reverse("token-revoke", args=[token.pk])).status_code,
    ]
    assert (codes, ApiToken.objects.count()) == ([403] * 4, 1)


def test_a_link_revokes_nothing(client: Client) -> None:
    user = log_in(client, "Viewer")
    token, _ = create_token(user, name="t", scope=TokenScope.READ)
    assert client.get(reverse("token-revoke", args=[token.pk])).status_code == 405
    assert client.post(reverse("tokens")).status_code == 405
