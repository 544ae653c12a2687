"""Secrets in files: never themselves, but references to where they come from.

`${secret:configurations/shop-db/#password}` is what is stored at that place, or what a file of
secrets gives for it; `${env:NAME}` is a variable of the environment. Both count only where secrets
stand: under a key that begins with # and as the address of a notification.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrations.services.exchange.problems import Path
from orchestrator_site.lib.secrets import MARK, PREFIX, UnreadableSecret, Vault, site_keys

REFERENCE = re.compile(r"\$\{(secret|env):([^}]+)\}")
ESCAPES = (("~", "~0"), ("/", "~1"), ("}", "~2"))
NOTHING = ("", None)


@dataclass(frozen=True)
class Sources:
    """Where secrets come from besides what is stored: a file's values by place, the environment.

    None as environment: it may not be read, which is so for everything that comes by HTTP.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None


def reference(place: Path) -> str:
    """Return the reference to a place such as (configurations, shop-db, #password)."""
    return f"${{secret:{body(place)}}}"


def body(place: Path) -> str:
    """Return how a file of secrets calls a place."""
    steps = [str(step) for step in place]
    for sign, escape in ESCAPES:
        steps = [step.replace(sign, escape) for step in steps]
    return "/".join(steps)


def hide(value: Any, place: Path) -> Any:
    """Return a copy in which each secret that is set is a reference to its place."""
    return _walk(value, place, lambda at, secret: secret if secret in NOTHING else reference(at))


class Resolver:
    """Puts secrets in the place of references, as cipher text where that is stored already."""

    def __init__(self, sources: Sources, ciphers: Mapping[str, str]) -> None:
        """Know the stored cipher texts by the bodies of the references to them."""
        self.sources, self.ciphers = sources, ciphers
        self.vault = Vault(site_keys())

    def tree(self, value: Any, place: Path, note: Callable[[Path, str], None]) -> Any:
        """Return a copy with its secrets; `note` is told, by the path inside, what is missing."""

        def change(at: Path, secret: Any) -> Any:
            try:
                return self.secret(secret, at)
            except MissingSecret as error:
                note(at[len(place) :], str(error))
                return secret

        return _walk(value, place, change)

    def secret(self, value: Any, place: Path) -> Any:
        """Return the secret that a value means at a place; raises MissingSecret.

        A secret that is what is stored already comes back as the cipher text that is there.
        """
        stored = self.ciphers.get(body(place))
        found = REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if found and found[1] == "secret" and self._is_kept(found[2], body(place)):
            return stored
        clear = self._clear(found[1], found[2]) if found else value
        return stored if stored is not None and self._reads(stored) == clear else clear

    def clear(self, text: str) -> Any:
        """Return what a reference means, in clear; raises MissingSecret."""
        found = REFERENCE.fullmatch(text)
        return self._clear(found[1], found[2]) if found else text

    def _is_kept(self, wanted: str, own: str) -> bool:
        return wanted == own and wanted not in self.sources.given and own in self.ciphers

    def _clear(self, kind: str, name: str) -> Any:
        if kind == "env":
            return self._from_environment(name)
        if name in self.sources.given:
            return self.sources.given[name]
        if name not in self.ciphers:
            raise MissingSecret(f"There is no secret {name}; give it in a file of secrets.")
        clear = self._reads(self.ciphers[name])
        if clear is None:
            raise MissingSecret(f"The secret {name} cannot be read with the present SECRET_KEY.")
        return clear

    def _from_environment(self, name: str) -> str:
        if self.sources.environment is None:
            raise MissingSecret("The environment is read by `manage.py apply` only.")
        if name not in self.sources.environment:
            raise MissingSecret(f"The environment has no variable {name}.")
        return self.sources.environment[name]

    def _reads(self, cipher: str) -> Any:
        if not cipher.startswith(PREFIX):
            return cipher
        try:
            return self.vault.decrypt(cipher)
        except UnreadableSecret:
            return None


class MissingSecret(ValueError):
    """A secret cannot be found."""


def ciphers_in(value: Any, place: Path) -> dict[str, str]:
    """Return the stored secrets below a place, by the bodies of their references."""
    found: dict[str, str] = {}

    def collect(at: Path, secret: Any) -> Any:
        if secret not in NOTHING:
            found[body(at)] = str(secret)
        return secret

    _walk(value, place, collect)
    return found


def _walk(value: Any, at: Path, change: Callable[[Path, Any], Any], *, secret: bool = False) -> Any:
    """Return a copy with `change` done to each scalar under a key that begins with #."""
    if isinstance(value, dict):
        return {
            key: _walk(item, (*at, key), change, secret=secret or str(key).startswith(MARK))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_walk(v, (*at, n), change, secret=secret) for n, v in enumerate(value)]
    return change(at, value) if secret else value
