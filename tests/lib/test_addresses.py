from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from orchestrator_site.lib.addresses import client_address


@pytest.mark.parametrize(
    ("sender", "forwarded", "trusted", "address"),
    [
        ("192.0.2.1", "", [], "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", [], "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", ["10.0.0.0/8"], "192.0.2.1"),
        ("10.0.0.1", "203.0.113.9", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", ["10.0.0.0/8"], "10.0.0.3"),
        ("10.0.0.1", "", ["10.0.0.1"], "10.0.0.1"),
        ("10.0.0.1", "rubbish, <script>", ["10.0.0.1"], "10.0.0.1"),
        ("::1", "2001:DB8::0:7", ["::1"], "2001:db8::7"),
        ("", "203.0.113.9", ["10.0.0.1"], None),
    ],
)
def test_only_trusted_proxies_are_believed(
    settings: Settings,
    sender: str,
    forwarded: str,
    trusted: list[str],
    address: str | None,
) -> None:
    settings.TRUSTED_PROXIES = [ip_network(text) for text in trusted]
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    request = RequestFactory().get("/", REMOTE_ADDR=sender, headers=headers)
    assert client_address(request) == address
