"""Addresses of notifications: what is one, which channel it means, how it is stored and shown.

A URL of Slack, Teams or one's own receiver is a secret, for who has it can write there: it is
stored encrypted, and shown by its host and last characters.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from orchestrations.enums import Channel
from orchestrator_site.lib.secrets import PREFIX, UnreadableSecret, Vault, site_keys
from orchestrator_site.lib.shown_urls import HIDDEN_PART, show_url

MAX_ADDRESS = 2000
MAX_EMAIL = 254
SLACK_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
TEAMS_HOSTS = (".webhook.office.com", ".logic.azure.com", ".powerplatform.com")


class InvalidAddress(ValueError):
    """This is neither an e-mail address nor a URL."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


@dataclass(frozen=True)
class Address:
    """A recipient's address in its three forms, and a digest that tells two of them apart.

    `stored` is the cipher text where it is a URL, `shown` what people may see of it.
    """

    stored: str
    shown: str
    digest: str
    channel: Channel


def read_address(text: str) -> Address:
    """Return the address that somebody typed, or that was stored; raises InvalidAddress.

    Its channel is what the address itself suggests.
    """
    if text.startswith(PREFIX):
        return _of_url(clear_text(text), stored=text)
    text = text.strip()
    if not text:
        raise InvalidAddress("Enter an e-mail address or a URL.")
    if HIDDEN_PART in text:
        raise InvalidAddress("Enter the whole URL: this one is shortened.")
    if "://" in text:
        _check_url(text)
        return _of_url(text, stored=Vault(site_keys()).encrypt(text))
    return _of_email(text)


def clear_text(stored: str) -> str:
    """Return an address in clear, to write to it; raises InvalidAddress if it is unreadable.

    Nothing that leaves this process but the message itself may hold it.
    """
    if not stored.startswith(PREFIX):
        return stored
    try:
        return str(Vault(site_keys()).decrypt(stored))
    except UnreadableSecret:
        raise InvalidAddress(
            "The address or its signing secret cannot be read with the present SECRET_KEY: "
            "enter the one again, or renew the other."
        ) from None


def channel_of(url: str) -> Channel:
    """Recognise whose webhook a URL is."""
    host = (urlsplit(url).hostname or "").lower()
    if host in SLACK_HOSTS:
        return Channel.SLACK
    return Channel.TEAMS if host.endswith(TEAMS_HOSTS) else Channel.WEBHOOK


def digest_of(address: str) -> str:
    """Return what tells two addresses apart without showing them."""
    return hashlib.sha256(address.encode()).hexdigest()


def _of_email(text: str) -> Address:
    try:
        if len(text) > MAX_EMAIL:
            raise ValidationError("too long")  # noqa: TRY301  # ends as the others do
        validate_email(text)
    except ValidationError:
        raise InvalidAddress(
            f"“{text[:80]}” is neither an e-mail address nor a URL that starts with https://."
        ) from None
    return Address(text, text, digest_of(text.lower()), Channel.EMAIL)


def _of_url(url: str, *, stored: str) -> Address:
    return Address(stored, show_url(url), digest_of(url), channel_of(url))


def _check_url(url: str) -> None:
    """Raise InvalidAddress, which never shows the URL, for one that cannot be written to."""
    if len(url) > MAX_ADDRESS:
        raise InvalidAddress(f"Use a URL of {MAX_ADDRESS} characters or fewer.")
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        raise InvalidAddress("A URL holds no blanks or control characters.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port that is no number is refused here
    except ValueError:
        raise InvalidAddress("This is not a valid URL.") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidAddress("Use a URL that starts with https:// or http://.")
    if "@" in parts.netloc:
        raise InvalidAddress("Leave user and password out of the URL.")
