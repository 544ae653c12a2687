"""POST a message to an address that a person entered: bounded, signed, never led elsewhere.

A signature is the header `t=<unix time>,v1=<hex>`, where hex is the HMAC-SHA-256 of
`<unix time>.<body>` under the shared secret. The receiver computes it anew, compares in constant
time, and refuses messages whose time is long past.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

SECONDS = 10.0  # for all of it: name, connection, sending, answer
MOST_READ = 64 * 1024  # bytes of an answer
MOST_KEPT = 2_000  # characters of it
AGENT = "Orchestrator"
# Addresses that stand for IPv4 ones behind a translator (RFC 6052).
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


class NoAnswer(Exception):
    """The receiver could not be reached; a later try may succeed."""


class Refused(Exception):
    """This address is not written to."""


@dataclass(frozen=True)
class Answer:
    """What the receiver said; `retry_after` in seconds, None where it names no time."""

    status: int
    text: str
    retry_after: float | None = None


def sign(secret: str, body: bytes, at: int) -> str:
    """Return the signature of a body sent at a unix time."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool = True,
    seconds: float = SECONDS,
) -> Answer:
    """Send JSON and return the answer, whatever its status; redirects are not followed.

    With `private` False only public addresses are written to. Raises NoAnswer and Refused, whose
    messages do not show the URL.
    """
    # asyncio, because only there a limit holds for everything, however slowly bytes come. The
    # loop is closed by hand: `asyncio.run` would wait for a resolver that hangs.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(
            _limited(url, body, headers, private=private, seconds=seconds)
        )
    finally:
        loop.close()


async def _limited(
    url: str, body: bytes, headers: Mapping[str, str], *, private: bool, seconds: float
) -> Answer:
    try:
        async with asyncio.timeout(seconds):
            return await _post(httpx.URL(url), body, headers, private=private)
    except (TimeoutError, httpx.TimeoutException):
        raise NoAnswer(f"No answer within {seconds:g} seconds.") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise Refused("The URL is not valid.") from None
    except httpx.TransportError as error:
        raise NoAnswer(_why(error)) from None
    except OSError as error:
        raise NoAnswer(f"The host's name was not found ({error.strerror or error}).") from None


async def _post(
    url: httpx.URL, body: bytes, headers: Mapping[str, str], *, private: bool
) -> Answer:
    sent = {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "Accept-Encoding": "identity",
        **headers,
    }
    extensions = {}
    if not private:
        # The address that was checked is the one written to: asked again, the name could give
        # another one.
        address = await _public_address(url)
        port = f":{url.port}" if url.port else ""
        sent["Host"], extensions["sni_hostname"] = f"{url.host}{port}", url.host
        url = url.copy_with(host=address)
    # A proxy of the environment would look names up by itself, unchecked.
    async with (
        httpx.AsyncClient(timeout=SECONDS, follow_redirects=False, trust_env=private) as client,
        client.stream("POST", url, content=body, headers=sent, extensions=extensions) as answer,
    ):
        return Answer(answer.status_code, await _beginning(answer), _retry_after(answer))


async def _beginning(answer: httpx.Response) -> str:
    read = b""
    async for piece in answer.aiter_raw():
        read += piece
        if len(read) >= MOST_READ:
            break
    text = read[:MOST_READ].decode("utf-8", "replace").replace("\0", "")
    return text.strip()[:MOST_KEPT]


async def _public_address(url: httpx.URL) -> str:
    """Return the first address of a host all of whose addresses are public; raises Refused."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    addresses = [str(row[4][0]) for row in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise Refused("This installation sends webhooks to public addresses only.")
    return addresses[0]


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the internet, not to a private or local net."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in TRANSLATED:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast


def _retry_after(answer: httpx.Response) -> float | None:
    """Read the header, which holds seconds or a date."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):  # a year of twenty digits
        return None
    return max(
        0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    )


def _why(error: httpx.TransportError) -> str:
    """Say why there was no answer, in words that hold nothing of the URL."""
    if isinstance(error, httpx.ConnectError):
        text = str(error)
        if "CERTIFICATE" in text.upper():
            return "The receiver's certificate is not trusted."
        return "No connection to the receiver: it is down, or its name is not known."
    if isinstance(error, httpx.RemoteProtocolError):
        return "The receiver closed the connection or does not speak HTTP."
    return "The connection to the receiver broke."
