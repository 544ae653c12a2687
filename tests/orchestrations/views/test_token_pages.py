from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from components.enums import TokenScope
from components.models import ApiToken
from components.services.tokens import authenticate, create_token
from orchestrations.services.orchestration_tokens import may_start, own_token
from orchestrations.services.orchestrations import move_to_trash
from tests.builders import make_empty_orchestration, make_orchestration, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
GOOD = {"name": "nightly", "scope": "read", "expires": "90"}


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
    with django_assert_num_queries(7):
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
    client.post(reverse("token-new"), {**GOOD, "expires": "never"})
    assert ApiToken.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("Viewer", ["read"]),
        ("Operator", ["read", "run", "trigger"]),
        ("Editor", ["read", "run", "write", "trigger"]),
        ("Admin", ["read", "run", "write", "trigger"]),
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
    [({"name": " "}, "Give the token a name."), ({"expires": "7"}, "Select a valid choice.")],
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


def test_it_renames_a_token(client: Client) -> None:
    user = log_in(client, "Viewer")
    token, text = create_token(user, name="nightly", scope=TokenScope.READ)
    address = reverse("token-rename", args=[token.pk])
    assert 'value="nightly"' in client.get(address).content.decode()
    refused = client.post(address, {"name": " "}, headers=HTMX)
    assert (refused.status_code, "Give the token a name." in text_of(refused)) == (422, True)
    done = client.post(address, {"name": "daily"}, follow=True)
    assert "The token is called “daily” now." in text_of(done)
    found = authenticate(text)
    assert found is not None
    assert found.name == "daily"


def test_somebody_elses_token_is_not_there_but_for_administrators(client: Client) -> None:
    token, _ = create_token(make_user(), name="theirs", scope=TokenScope.READ)
    everybodys = f"{reverse('tokens')}?list=all"
    for role, sees, revoked in (("Editor", False, 404), ("Admin", True, 302)):
        log_in(client, role)
        assert ("theirs" in text_of(client.get(everybodys))) == sees
        assert client.post(reverse("token-rename", args=[token.pk]), GOOD).status_code == 404
        data = {"list": "all"}
        answer = client.post(reverse("token-revoke", args=[token.pk]), data)
        assert (answer.status_code, ApiToken.objects.exists()) == (revoked, not sees)
    assert answer["Location"] == everybodys


def test_a_token_starts_chosen_orchestrations(client: Client) -> None:
    user = log_in(client, "Operator")
    shop, other = make_empty_orchestration(name="Shop"), make_empty_orchestration(name="Other")
    make_empty_orchestration(name="Thrown away", deleted_at=timezone.now())
    form = client.get(reverse("token-new")).content.decode()
    assert ("Shop" in form, "Thrown away" in form) == (True, False)
    data: dict[str, Any] = {**GOOD, "scope": "trigger"}
    refused = client.post(reverse("token-new"), data, headers=HTMX)
    assert (refused.status_code, ApiToken.objects.count()) == (422, 0)
    assert "Choose the orchestrations that it starts." in text_of(refused)
    made = client.post(reverse("token-new"), {**data, "orchestrations": [shop.pk]})
    assert f"/api/v1/orchestrations/{shop.pk}/runs" in text_of(made)
    token = ApiToken.objects.get(user=user)
    assert [may_start(token, o.pk) for o in (shop, other)] == [True, False]
    assert "Start Shop" in text_of(client.get(reverse("tokens")))


def test_a_token_may_end_with_a_day(client: Client) -> None:
    log_in(client, "Viewer")
    data = {**GOOD, "expires": "date"}
    with time_machine.travel(datetime(2026, 11, 22, 18, 0, tzinfo=UTC), tick=False):
        for day, sentence in (("", "Say which day is the last one."), ("2026-11-21", "passed")):
            refused = client.post(reverse("token-new"), {**data, "day": day})
            assert (refused.status_code, sentence in text_of(refused)) == (422, True)
        client.post(reverse("token-new"), {**data, "day": "2026-11-22"})
    assert ApiToken.objects.get().expires_at == datetime(2026, 11, 22, 23, 59, 59, 999999, UTC)


def test_the_tokens_of_orchestrations_have_a_list_of_their_own(client: Client) -> None:
    user = log_in(client, "Editor")
    make_orchestration(name="Shop", user=user)
    mine = text_of(client.get(reverse("tokens")))
    assigned = text_of(client.get(f"{reverse('tokens')}?list=assigned"))
    assert ("Orchestrator Shop" in mine, "Orchestrator Shop" in assigned) == (False, True)


def test_the_page_of_an_orchestration_shows_and_refreshes_its_token(client: Client) -> None:
    user = log_in(client, "Editor")
    orchestration = make_orchestration(name="Shop", user=make_user(name="grace"))
    before = own_token(orchestration)
    page = text_of(client.get(orchestration.get_absolute_url()))
    assert "Name Orchestrator Shop Acts as grace" in page
    address = reverse("token-refresh", args=[orchestration.pk])
    assert "The present token stops at once" in text_of(client.get(address, headers=HTMX))
    assert own_token(orchestration) == before
    response = client.post(address, headers=HTMX)
    (text,) = set(re.findall(r"orc_[\w-]{43}", response.content.decode()))
    assert "no-store" in response["Cache-Control"]
    command = f"/api/v1/orchestrations/{orchestration.pk}/runs"
    assert f'-H "Authorization: Bearer {text}" http://testserver{command}' in text_of(response)
    token = authenticate(text)
    assert token == own_token(orchestration) != before
    assert token is not None
    assert token.user == user
    part = client.get(reverse("assigned-token", args=[orchestration.pk]), headers=HTMX)
    assert f"Acts as {user}" in text_of(part)
    assert text not in client.get(orchestration.get_absolute_url()).content.decode()


def test_who_may_not_refresh(client: Client) -> None:
    orchestration = make_orchestration(user=make_user())
    before = own_token(orchestration)
    address = reverse("token-refresh", args=[orchestration.pk])
    assert client.post(address)["Location"].startswith("/accounts/login/")
    for role in (None, "Viewer", "Operator"):
        log_in(client, role)
        assert (client.get(address).status_code, client.post(address).status_code) == (403, 403)
    log_in(client, "Editor")
    move_to_trash(orchestration, user=None)
    assert client.post(address).status_code == 404
    assert own_token(orchestration) == before


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
