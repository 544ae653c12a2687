from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from components.models import ApiToken
from components.services.tokens import authenticate
from tests.builders import make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("options", "scope"), [([], "read"), (["--scope", "write"], "write")])
def test_it_prints_the_token_and_nothing_else(options: list[str], scope: str) -> None:
    user = make_user(name="ada")
    out = StringIO()
    call_command("create_token", "nightly", "--user", "ada", *options, stdout=out)
    found = authenticate(out.getvalue().strip())
    assert found is not None
    assert (found.user, found.name, found.scope) == (user, "nightly", scope)


def test_an_unknown_user_is_named() -> None:
    with pytest.raises(CommandError, match=r"^There is no user “nobody”\.$"):
        call_command("create_token", "nightly", "--user", "nobody")
    assert ApiToken.objects.count() == 0


@pytest.mark.parametrize("scope", ["all", "trigger"])
def test_scopes_that_need_more_than_a_word_are_refused(scope: str) -> None:
    make_user(name="ada")
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("create_token", "nightly", "--user", "ada", "--scope", scope)
    assert ApiToken.objects.count() == 0


def test_it_may_end_after_some_days() -> None:
    make_user(name="ada")
    with time_machine.travel(datetime(2026, 11, 22, 18, 0, tzinfo=UTC), tick=False):
        call_command("create_token", "n", "--user", "ada", "--days", "7", stdout=StringIO())
        for wrong in ("0", "-1", "36501"):
            with pytest.raises(CommandError, match="from 1 to 36500"):
                call_command("create_token", "n", "--user", "ada", "--days", wrong)
    assert ApiToken.objects.get().expires_at == datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
