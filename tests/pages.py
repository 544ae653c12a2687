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


def values_posted(body: str, form: str = "schedule-form") -> dict[str, list[str]]:
    """What a form would post, as a browser reads it."""
    start = body.index(f'id="{form}"')
    form = body[start : body.index("</form>", start)]
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attrs = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        is_off = attrs.get("type") in {"radio", "checkbox"} and " checked" not in tag
        if "name" not in attrs or is_off:
            continue
        found.setdefault(attrs["name"], []).append(html.unescape(attrs.get("value", "")))
    for name, options in re.findall(r'<select name="([^"]+)"(.*?)</select>', form, re.DOTALL):
        found[name] = re.findall(r'<option value="([^"]*)"[^>]* selected', options)
    for name, text in re.findall(
        r'<textarea name="([^"]+)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL
    ):
        found[name] = [html.unescape(text)]
    found.pop("csrfmiddlewaretoken", None)
    return found
