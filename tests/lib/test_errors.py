"""What no text can hold, sent to us, is the sender's mistake and not ours."""

from __future__ import annotations

import json

import pytest
from django.db import DataError
from django.test import Client

from components.enums import TokenScope
from components.models import Configuration
from components.services.tokens import create_token
from orchestrator_site.lib.errors import NO_CHARACTER, is_no_character
from tests.builders import make_user


@pytest.mark.parametrize(
    ("exception", "said"),
    [
        (DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), True),
        (DataError("unsupported\nDETAIL:  \\u0000 cannot be converted to text."), True),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), True),
        (UnicodeEncodeError("ascii", "ž", 0, 1, "ordinal not in range(128)"), False),
        (DataError("value too long for type character varying(200)"), False),
        (ValueError("NUL (0x00)"), False),
    ],
)
def test_what_a_database_says_of_such_a_character(exception: Exception, *, said: bool) -> None:
    assert is_no_character(exception) is said


@pytest.mark.django_db
@pytest.mark.parametrize(
    "sign", ["\ud800", pytest.param("\0", marks=pytest.mark.postgres_database)]
)
def test_a_call_with_one_is_told_so(sign: str) -> None:
    _, token = create_token(make_user(role="Editor"), name="t", scope=TokenScope.WRITE)
    answer = Client(raise_request_exception=False).post(
        "/api/v1/configurations",
        json.dumps({"component": f"ex{sign}", "name": "Orders"}),
        content_type="application/json",
        headers={"authorization": f"Bearer {token}"},
    )
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, NO_CHARACTER)
    assert not Configuration.objects.exists()


@pytest.mark.django_db
@pytest.mark.postgres_database
@pytest.mark.parametrize("address", ["/components/x%00/", "/components/?q=%00", "/audit/?q=%00"])
def test_a_page_with_one_in_its_address_is_not_understood(address: str) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(make_user(role="Admin"))
    answer = client.get(address)
    assert answer.status_code == 400
    assert "The request could not be understood" in answer.content.decode()
