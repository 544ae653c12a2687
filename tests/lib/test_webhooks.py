from __future__ import annotations

import hashlib
import hmac
import socket
import time

import pytest
import time_machine

from orchestrator_site.lib.webhooks import (
    MOST_KEPT,
    Answer,
    NoAnswer,
    Refused,
    is_public,
    post,
    sign,
)
from tests.receivers import HookServer, Reply


def test_a_message_is_posted_as_json(hook: HookServer) -> None:
    answer = post(hook.url, b'{"a": 1}', {"X-Own": "yes"})
    assert answer == Answer(200, "ok")
    (posted,) = hook.posted
    assert (posted.path, posted.body) == ("/hooks/a-secret-path", b'{"a": 1}')
    wanted = ("Content-Type", "User-Agent", "X-Own")
    assert [posted.headers[name] for name in wanted] == ["application/json", "Orchestrator", "yes"]


def test_the_signature_is_the_documented_one() -> None:
    expected = hmac.new(b"secret", b"1764111600.{}", hashlib.sha256).hexdigest()
    assert sign("secret", b"{}", 1764111600) == f"t=1764111600,v1={expected}"


def test_a_redirect_is_answered_not_followed(hook: HookServer) -> None:
    hook.replies = [Reply(302, headers={"Location": hook.url + "/elsewhere"})]
    assert post(hook.url, b"{}", {}).status == 302
    assert [posted.path for posted in hook.posted] == ["/hooks/a-secret-path"]


def test_of_a_huge_answer_the_beginning_is_read(hook: HookServer) -> None:
    hook.replies = [Reply(200, b"x" * 50_000_000)]
    began = time.monotonic()
    assert post(hook.url, b"{}", {}).text == "x" * MOST_KEPT
    assert time.monotonic() - began < 5


def test_an_answer_that_drips_is_cut_off_at_the_limit(hook: HookServer) -> None:
    hook.replies = [Reply(200, slow=1000, pause=0.05)]
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"^No answer within 0\.5 seconds\.$"):
        post(hook.url, b"{}", {}, seconds=0.5)
    assert time.monotonic() - began < 2


def test_a_receiver_that_is_down_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoAnswer, match=r"^No connection to the receiver"):
        post(f"http://127.0.0.1:{port}/secret", b"{}", {})


def test_what_speaks_no_http_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        port = server.getsockname()[1]
        with pytest.raises(NoAnswer, match=r"^No answer within 0\.3"):
            post(f"http://127.0.0.1:{port}/secret", b"{}", {}, seconds=0.3)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
def test_private_addresses_can_be_refused(hook: HookServer, host: str) -> None:
    url = hook.url.replace("127.0.0.1", host)
    with pytest.raises(Refused, match="public addresses only"):
        post(url, b"{}", {}, private=False)
    assert hook.posted == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::93.184.216.34", True),
        ("2002:0a00:0001::", False),
    ],
)
def test_which_addresses_are_public(address: str, expected: bool) -> None:  # noqa: FBT001
    assert is_public(address) is expected


@time_machine.travel("2026-11-25T12:00:00Z", tick=True)
@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("120", 120, 120),
        ("Wed, 25 Nov 2026 12:01:00 GMT", 55, 60),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 0, 0),
    ],
)
def test_when_to_come_back_is_read(hook: HookServer, header: str, low: int, high: int) -> None:
    hook.replies = [Reply(429, headers={"Retry-After": header})]
    wait = post(hook.url, b"{}", {}).retry_after
    assert wait is not None
    assert low <= wait <= high


@pytest.mark.parametrize(
    "header",
    [
        "soon",
        "Mon, 01 Jan 9999999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +99999999999",
    ],
)
def test_an_unreadable_time_to_come_back_is_none(hook: HookServer, header: str) -> None:
    hook.replies = [Reply(503, headers={"Retry-After": header})]
    assert post(hook.url, b"{}", {}).retry_after is None
