from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from components.models import AuditEntry
from tests.builders import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def log_in(client: Client, name: str, password: str, **extra: Any) -> Any:
    return client.post(reverse("login"), {"username": name, "password": password}, **extra)


def test_guessing_is_limited_by_address(client: Client, settings: Settings) -> None:
    settings.LOGIN_RATE_LIMIT = 3
    make_user(name="ada")
    answers = [log_in(client, "ada", "guess") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    page = answers[3].content.decode()
    wait = answers[3]["Retry-After"]
    assert f"Too many failed attempts. Try again in {wait} seconds." in page
    assert 'value="ada"' in page
    assert log_in(client, "ada", PASSWORD).status_code == 429
    assert log_in(client, "ada", PASSWORD, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_guessing_for_one_name_is_limited_over_all_addresses(
    client: Client, settings: Settings
) -> None:
    settings.LOGIN_RATE_LIMIT = 1
    make_user(name="ada")
    codes = [log_in(client, "Ada", "x", REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(11)]
    assert codes == [200] * 10 + [429]
    assert log_in(client, "bob", "x", REMOTE_ADDR="192.0.2.99").status_code == 200


def test_who_knows_the_password_may_come_in_any_number_of_times(
    client: Client, settings: Settings
) -> None:
    settings.LOGIN_RATE_LIMIT = 2
    make_user(name="ada")
    for _ in range(5):
        assert log_in(client, "ada", PASSWORD).status_code == 302
        client.post(reverse("logout"))


def test_coming_and_going_are_recorded_without_a_password(client: Client) -> None:
    user = make_user(name="ada")
    AuditEntry.objects.all().delete()
    log_in(client, "ada", "guess-value")
    log_in(client, "nobody", "guess-value")
    log_in(client, "ada", PASSWORD)
    client.post(reverse("logout"))
    rows = AuditEntry.objects.order_by("pk")
    assert [(e.action, e.actor, e.object_name, e.object_id, e.user) for e in rows] == [
        ("login_failed", "somebody", "ada", str(user.pk), None),
        ("login_failed", "somebody", "nobody", "", None),
        ("logged_in", "ada", "ada", str(user.pk), user),
        ("logged_out", "ada", "ada", str(user.pk), user),
    ]
    assert {(e.channel, e.address) for e in rows} == {("page", "127.0.0.1")}
    everything = str(list(rows.values()))
    assert ("guess-value" in everything, PASSWORD in everything) == (False, False)


def test_what_is_refused_is_not_recorded(client: Client, settings: Settings) -> None:
    settings.LOGIN_RATE_LIMIT = 2
    for _ in range(6):
        log_in(client, "ada", "x")
    assert AuditEntry.objects.filter(action="login_failed").count() == 2


def test_the_administration_has_the_same_door(client: Client) -> None:
    answer = client.get("/admin/login/?next=/admin/auth/user/")
    assert answer["Location"] == "/accounts/login/?next=%2Fadmin%2Fauth%2Fuser%2F"
    client.force_login(make_user(role="Editor"))
    assert client.get("/admin/", follow=True).status_code == 403
    client.force_login(make_user(role="Admin"))
    assert client.get("/admin/").status_code == 200
