"""Typed readers of environment variables: a bad value stops the start with a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def _read(name: str, default: T, convert: Callable[[str], T]) -> T:
    raw = os.environ.get(name, "").strip()
    return convert(raw) if raw else default


def text(name: str, default: str = "") -> str:
    """Return the variable's text, without surrounding blanks; the default where it is empty."""
    return _read(name, default, str)


def integer(name: str, default: int, *, low: int = 0, high: int | None = None) -> int:
    """Return a whole number from `low` to `high`; raises ImproperlyConfigured otherwise."""

    def convert(raw: str) -> int:
        wanted = f"a whole number from {low}" + (f" to {high}" if high is not None else " up")
        try:
            value = int(raw)
        except ValueError:
            raise ImproperlyConfigured(f"{name} is “{raw}”; it takes {wanted}.") from None
        if value < low or (high is not None and value > high):
            raise ImproperlyConfigured(f"{name} is {value}; it takes {wanted}.")
        return value

    return _read(name, default, convert)


def boolean(name: str, *, default: bool) -> bool:
    """Return a switch: 1/true/yes/on or 0/false/no/off; raises ImproperlyConfigured otherwise."""

    def convert(raw: str) -> bool:
        if raw.lower() not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} is “{raw}”; it takes 1 or 0.")
        return raw.lower() in TRUE

    return _read(name, default, convert)


def words(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated list, blanks trimmed and empty items dropped."""
    return _read(name, default, lambda raw: [w.strip() for w in raw.split(",") if w.strip()])


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Return comma-separated addresses and networks; raises ImproperlyConfigured otherwise."""
    try:
        return [ip_network(word, strict=False) for word in words(name, [])]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} takes addresses and networks such as 10.0.0.0/8, comma-separated: {error}."
        ) from None


def choice(name: str, default: str, allowed: list[str]) -> str:
    """Return one of `allowed`; raises ImproperlyConfigured otherwise."""

    def convert(raw: str) -> str:
        if raw not in allowed:
            words = ", ".join(allowed)
            raise ImproperlyConfigured(f"{name} is “{raw}”; it takes one of: {words}.")
        return raw

    return _read(name, default, convert)


def folder(name: str, default: Path) -> Path:
    """Return an absolute folder, made if need be; raises ImproperlyConfigured if it cannot be."""
    path = _read(name, default, Path).expanduser().absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"{name} is “{path}”, which cannot be used as a folder: {error.strerror}."
        ) from None
    return path


def places(name: str, default: Path) -> list[str]:
    """Return folders and `s3://bucket/prefix`, comma-separated; the default is made if need be.

    Raises ImproperlyConfigured for anything else, such as a path that begins nowhere.
    """
    found = words(name, [])
    for place in found:
        scheme, _, rest = place.partition("://")
        is_bucket = scheme == "s3" and rest.split("/")[0]
        if not is_bucket and not Path(place).is_absolute():
            raise ImproperlyConfigured(
                f"{name} has “{place}”; it takes folders such as /data/in, which begin with a "
                "slash, and s3://bucket/prefix, comma-separated."
            )
    return found or [str(folder(name, default))]


def url(name: str, default: str, schemes: list[str]) -> str:
    """Return a URL with one of `schemes`; raises ImproperlyConfigured, never showing a password."""

    def convert(raw: str) -> str:
        scheme = raw.split(":", 1)[0]
        if "://" not in raw or scheme not in schemes:
            raise ImproperlyConfigured(
                f"{name} must be a URL that starts with one of: "
                f"{', '.join(s + '://' for s in schemes)}."
            )
        return raw

    return _read(name, default, convert)


def database(name: str, home: Path) -> dict[str, object]:
    """Return Django's DATABASES entry from a URL; SQLite in `home` where it is not set.

    Raises ImproperlyConfigured for other schemes or a port that is no number.
    """
    raw = url(
        name, f"sqlite:///{home / 'orchestrator.sqlite3'}", ["sqlite", "postgresql", "postgres"]
    )
    parts = urlsplit(raw)
    if parts.scheme == "sqlite":
        return sqlite(unquote(parts.path[1:]))  # sqlite:///relative, sqlite:////absolute
    try:
        port = parts.port or 5432
    except ValueError:
        raise ImproperlyConfigured(f"{name} has a port that is not a number.") from None
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }


def sqlite(path: str) -> dict[str, object]:
    """Return the entry for one SQLite file, several processes writing.

    IMMEDIATE takes the write lock when a transaction begins: with the deferred default a reader
    that turns writer fails at once with "database is locked", whatever the timeout.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000;"
            ),
        },
    }
