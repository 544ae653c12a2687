from __future__ import annotations

from io import StringIO

import pytest
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


def test_an_unknown_scope_is_refused() -> None:
    make_user(name="ada")
    with pytest.raises(CommandError, match="invalid choice: 'all'"):
        call_command("create_token", "nightly", "--user", "ada", "--scope", "all")
