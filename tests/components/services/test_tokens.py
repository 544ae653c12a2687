from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from components.enums import TokenScope
from components.models import ApiToken
from components.services.tokens import authenticate, create_token, digest, revoke_token
from tests.builders import make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


def test_a_token_is_recognised_and_only_its_digest_kept() -> None:
    user = make_user()
    token, text = create_token(user, name="script", scope=TokenScope.RUN)
    assert re.fullmatch(r"orc_[\w-]{43}", text)
    stored = ApiToken.objects.values().get()
    assert (stored["digest"], text in str(stored)) == (digest(text), False)
    found = authenticate(text)
    assert found is not None
    assert (found.pk, found.user, found.scope) == (token.pk, user, "run")


def test_two_tokens_differ() -> None:
    user = make_user()
    texts = {create_token(user, name="t", scope=TokenScope.READ)[1] for _ in range(20)}
    assert len(texts) == 20


@pytest.mark.parametrize("text", ["", "orc_", "orc_unknown", "\0", "ž" * 1000])
def test_an_unknown_text_is_nobodys(text: str) -> None:
    create_token(make_user(), name="t", scope=TokenScope.READ)
    assert authenticate(text) is None


def test_a_token_ends_at_its_expiry() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        later = NOW + timedelta(days=1)
        _, text = create_token(make_user(), name="t", scope=TokenScope.READ, expires_at=later)
        clock.shift(timedelta(hours=23, minutes=59, seconds=59))
        assert authenticate(text) is not None
        clock.shift(timedelta(seconds=1))
        assert authenticate(text) is None


def test_a_switched_off_persons_token_is_refused() -> None:
    user = make_user()
    _, text = create_token(user, name="t", scope=TokenScope.READ)
    user.is_active = False
    user.save()
    assert authenticate(text) is None


def test_a_revoked_token_is_refused() -> None:
    token, text = create_token(make_user(), name="t", scope=TokenScope.READ)
    _, other = create_token(make_user(), name="o", scope=TokenScope.READ)
    revoke_token(token)
    revoke_token(token)
    assert (authenticate(text), authenticate(other) is None) == (None, False)


def test_its_use_is_noted_once_a_minute() -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        token, text = create_token(make_user(), name="t", scope=TokenScope.READ)
        seen = []
        for seconds in (0, 60, 1):
            clock.shift(timedelta(seconds=seconds))
            authenticate(text)
            token.refresh_from_db()
            seen.append(token.last_used_at)
    assert seen == [NOW, NOW, NOW + timedelta(seconds=61)]
