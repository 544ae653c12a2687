"""What tests of pages share: somebody who is logged in, and what a person reads."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from tests.builders import make_user


def client_of(role: str, name: str | None = None) -> Client:
    """A browser of somebody in a role."""
    client = Client()
    client.force_login(make_user(role=role, name=name))
    return client


@pytest.fixture
def viewer() -> Client:
    return client_of("Viewer")


@pytest.fixture
def operator() -> Client:
    return client_of("Operator", "ada")


@pytest.fixture
def editor() -> Client:
    return client_of("Editor", "ada")


def text_of(response: Any) -> str:
    """What a person reads: without tags, spaces joined."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())
