from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from components.enums import TokenScope
from components.models import ApiToken, AuditEntry
from components.services.tokens import authenticate, revoke_token
from orchestrations.exceptions import NotAllowed
from orchestrations.models import Orchestration, Run, TokenGrant
from orchestrations.services.orchestration_tokens import (
    create_trigger_token,
    own_token,
    refresh_token,
)
from orchestrations.services.orchestrations import (
    move_to_trash,
    purge,
    restore_from_trash,
)
from orchestrations.services.restoring import copy_orchestration
from tests.builders import make_orchestration, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_user(name="ada", role="Editor")


def start(client: Client, orchestration: Orchestration, text: str) -> int:
    headers = {"authorization": f"Bearer {text}"}
    address = f"/api/v1/orchestrations/{orchestration.pk}/runs"
    return client.generic("POST", address, headers=headers).status_code


def test_a_new_orchestration_has_a_token_that_acts_as_its_maker(ada: User) -> None:
    orchestration = make_orchestration(name="Shop", user=ada)
    token = own_token(orchestration)
    assert token is not None
    assert (token.name, token.user, token.scope, token.expires_at) == (
        *("Orchestrator Shop", ada, TokenScope.TRIGGER, None),
    )
    assert [(g.orchestration, g.is_own) for g in token.grants.all()] == [(orchestration, True)]


def test_without_a_person_there_is_none_until_it_is_refreshed(ada: User) -> None:
    orchestration = make_orchestration()
    assert own_token(orchestration) is None
    token, text = refresh_token(orchestration, user=ada)
    assert (own_token(orchestration), authenticate(text)) == (token, token)


def test_a_refresh_stops_the_old_one_at_once(client: Client, ada: User) -> None:
    orchestration, other = make_orchestration(user=ada), make_orchestration(user=ada)
    _, old = refresh_token(orchestration, user=ada)
    assert start(client, orchestration, old) == 202
    bob = make_user(name="bob", role="Operator")
    _, new = refresh_token(orchestration, user=bob)
    assert [start(client, orchestration, text) for text in (old, new)] == [401, 202]
    assert start(client, other, new) == 403
    assert [run.created_by for run in Run.objects.order_by("pk")] == [ada, bob]
    assert ApiToken.objects.count() == 2


def test_its_role_and_being_active_still_count(client: Client, ada: User) -> None:
    orchestration = make_orchestration(user=ada)
    _, text = refresh_token(orchestration, user=ada)
    ada.groups.clear()
    assert start(client, orchestration, text) == 403
    ada.is_active = False
    ada.save()
    assert start(client, orchestration, text) == 401
    assert Run.objects.count() == 0


def test_a_copy_has_its_own_and_the_trash_keeps_it(ada: User) -> None:
    first = make_orchestration(name="Shop", user=ada)
    copy = copy_orchestration(first, user=ada, name="Shop 2")
    tokens = own_token(first), own_token(copy)
    assert [token and token.name for token in tokens] == [
        *("Orchestrator Shop", "Orchestrator Shop 2"),
    ]
    move_to_trash(copy, user=ada)
    with pytest.raises(NotAllowed, match="in the trash"):
        refresh_token(copy, user=ada)
    restore_from_trash(copy)
    assert (own_token(first), own_token(copy)) == tokens


def test_it_is_purged_with_its_orchestration(ada: User) -> None:
    first, second = make_orchestration(user=ada), make_orchestration(user=ada)
    shared, _ = create_trigger_token(ada, name="both", orchestrations=[first, second])
    own = own_token(second)
    move_to_trash(first, user=ada)
    purge(first)
    assert set(ApiToken.objects.all()) == {shared, own}
    assert [g.orchestration for g in shared.grants.all()] == [second]


def test_a_long_name_is_cut(ada: User) -> None:
    token = own_token(make_orchestration(name="x" * 200, user=ada))
    assert token is not None
    assert token.name == f"Orchestrator {'x' * 86}…"


def test_a_revoked_one_can_be_made_again(ada: User) -> None:
    orchestration = make_orchestration(user=ada)
    token = own_token(orchestration)
    assert token is not None
    revoke_token(token)
    assert (own_token(orchestration), TokenGrant.objects.count()) == (None, 0)
    assert refresh_token(orchestration, user=ada)[0] == own_token(orchestration)


def test_a_refresh_is_one_entry_in_the_record(ada: User) -> None:
    orchestration = make_orchestration(name="Shop", user=ada)
    _, text = refresh_token(orchestration, user=make_user(name="bob"))
    told = AuditEntry.objects.filter(changes__has_key="Assigned token")
    assert [(e.object_type, e.action, e.changes) for e in told] == [
        (
            "orchestration",
            "changed",
            {
                "Assigned token": ["a secret", "another secret"],
                "Assigned token acts as": ["ada", "bob"],
            },
        )
    ]
    assert not AuditEntry.objects.filter(object_type__in=["token", "grant"]).exists()
    assert text not in str(list(AuditEntry.objects.values()))
