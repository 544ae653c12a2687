"""Secrets in parameters: values under keys that begin with `#` are encrypted, hidden and masked.

Shorter than four characters is not masked in logs: the mask would hit ordinary text everywhere and
give the secret away by what is missing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

MARK = "#"
PREFIX = "enc::"
HIDDEN = "••••••••"  # stands in forms for a secret that is set
MASK = "[hidden]"
SHORTEST = 4  # characters that a secret needs to be masked
PERCENT = re.compile(r"%[0-9A-F]{2}")  # some libraries write small letters
ESCAPED_TIMES = 3
LONG_LINE = 8  # characters from which one line of a secret of several lines is masked alone


class UnreadableSecret(ValueError):
    """A stored secret cannot be read with the present SECRET_KEY; enter it again."""

    def __init__(self) -> None:
        super().__init__((type(self).__doc__ or "").strip())


def derive_keys(secrets: Iterable[str]) -> list[str]:
    """Return one Fernet key per secret, so that the site's secret itself stays where it is."""
    info = b"orchestrator parameters"
    return [
        base64.urlsafe_b64encode(HKDF(SHA256(), 32, None, info).derive(secret.encode())).decode()
        for secret in secrets
    ]


class Vault:
    """Encrypts with the first key and decrypts with any, so that keys can be rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, value: Any) -> str:
        """Return cipher text of a scalar; its type comes back with it."""
        plain = f"s{value}" if isinstance(value, str) else f"j{json.dumps(value)}"
        return PREFIX + self._fernet.encrypt(plain.encode()).decode()

    def decrypt(self, text: str) -> Any:
        """Return what was encrypted; raises UnreadableSecret."""
        try:
            plain = self._fernet.decrypt(text.removeprefix(PREFIX).encode()).decode()
        except InvalidToken:
            raise UnreadableSecret from None
        return plain[1:] if plain.startswith("s") else json.loads(plain[1:])

    def encrypt_tree(self, value: Any) -> Any:
        """Return a copy with every scalar under a `#` key encrypted; cipher text is left alone.

        None and the empty text mean "not set" and stay.
        """
        return _map_secrets(value, self._encrypt_once)

    def decrypt_tree(self, value: Any) -> Any:
        """Return a copy with the secrets in clear; raises UnreadableSecret."""
        return _map_secrets(value, lambda v: self.decrypt(v) if _is_cipher(v) else v)

    def _encrypt_once(self, value: Any) -> Any:
        if value is None or value == "" or (_is_cipher(value) and self._is_mine(value)):
            return value
        return self.encrypt(value)

    def _is_mine(self, text: str) -> bool:
        """Tell cipher text of ours from a secret that only looks like it."""
        try:
            self.decrypt(text)
        except UnreadableSecret:
            return False
        return True


def site_keys() -> list[str]:
    """Return the keys of this installation, the present one first."""
    return derive_keys([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])


def encrypt_tree(value: Any) -> Any:
    """Encrypt with the installation's keys; see `Vault.encrypt_tree`."""
    return Vault(site_keys()).encrypt_tree(value)


def decrypt_tree(value: Any) -> Any:
    """Decrypt with the installation's keys; see `Vault.decrypt_tree`."""
    return Vault(site_keys()).decrypt_tree(value)


def hide_tree(value: Any) -> Any:
    """Return a copy for people to see: each secret that is set is `HIDDEN`."""
    return _map_secrets(value, lambda v: v if v is None or v == "" else HIDDEN)


def keep_hidden(new: Any, old: Any, *, secret: bool = False) -> Any:
    """Return `new` with each secret that was sent back as `HIDDEN` as it stands in `old`.

    Places are compared by key and by position in lists; one without a counterpart becomes empty.
    """
    if isinstance(new, dict):
        before = old if isinstance(old, dict) else {}
        return {
            key: keep_hidden(value, before.get(key), secret=secret or _is_secret(key))
            for key, value in new.items()
        }
    if isinstance(new, list):
        items = old if isinstance(old, list) else []
        padded = items + [None] * (len(new) - len(items))
        return [
            keep_hidden(value, was, secret=secret) for value, was in zip(new, padded, strict=False)
        ]
    if secret and new == HIDDEN:
        return old if isinstance(old, (str, int, float)) else ""
    return new


def secret_values(value: Any) -> list[str]:
    """Return the secrets of a decrypted tree as texts, for a `Masker`."""
    found: list[str] = []

    def collect(secret: Any) -> Any:
        if isinstance(secret, (str, int, float)) and not isinstance(secret, bool):
            found.append(str(secret))
        return secret

    _map_secrets(value, collect)
    return found


class Masker:
    """Replaces secrets by `[hidden]`, in every spelling that logs and errors show them in."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = list(secrets)
        forms = {form for secret in self._secrets for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._longest = len(self._forms[0]) if self._forms else 0
        self._starts = {form[0] for form in self._forms}
        self._pattern: re.Pattern[str] | None = None  # made when there is something to mask
        self._held = ""

    def knowing(self, secrets: Iterable[str]) -> Masker:
        """Return a masker of these secrets too."""
        return Masker([*self._secrets, *secrets])

    def mask(self, text: str) -> str:
        """Return the text without the secrets."""
        return _replace(text, self._spans(text))

    def mask_tree(self, value: Any, *, leave_secrets: bool = False) -> Any:
        """Return a copy of a JSON value with every text and number masked, keys included.

        With `leave_secrets` what stands under a `#` key stays: it will be encrypted.
        """
        if isinstance(value, dict):
            return {
                self.mask(str(key)): item
                if leave_secrets and _is_secret(key)
                else self.mask_tree(item, leave_secrets=leave_secrets)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.mask_tree(item, leave_secrets=leave_secrets) for item in value]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return MASK if str(value) in self._forms else value
        return self.mask(value) if isinstance(value, str) else value

    def feed(self, text: str) -> str:
        """Mask a stream piece by piece: keep back an end that may be the start of a secret."""
        self._held += text
        spans = self._spans(self._held)
        end = self._safe_end(self._held)
        end = next((start for start, stop in spans if start < end < stop), end)
        ready, self._held = self._held[:end], self._held[end:]
        return _replace(ready, [span for span in spans if span[1] <= end])

    def flush(self) -> str:
        """Return what was kept back; nothing more comes."""
        ready, self._held = self.mask(self._held), ""
        return ready

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Return the places to hide, those that overlap joined, in order."""
        if not any(form in text for form in self._forms):
            return []
        if self._pattern is None:
            alternatives = "|".join(re.escape(form) for form in self._forms)
            self._pattern = re.compile(f"(?=({alternatives}))")
        spans: list[tuple[int, int]] = []
        for found in self._pattern.finditer(text):
            start, stop = found.span(1)
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(stop, spans[-1][1]))
            else:
                spans.append((start, stop))
        return spans

    def _safe_end(self, text: str) -> int:
        first = max(0, len(text) - self._longest + 1)
        for index in range(first, len(text)):
            tail = text[index:]
            if tail[0] in self._starts and any(
                len(form) > len(tail) and form.startswith(tail) for form in self._forms
            ):
                return index
        return len(text)


def _replace(text: str, spans: Sequence[tuple[int, int]]) -> str:
    parts, position = [], 0
    for start, stop in spans:
        parts += [text[position:start], MASK]
        position = stop
    return "".join([*parts, text[position:]])


def _forms(secret: str) -> set[str]:
    """Return the spellings of one secret that are masked."""
    plain = secret.strip()
    if len(plain) < SHORTEST:
        return set()
    raw = plain.encode("utf-8", "surrogatepass")
    spellings = {secret, *_escaped_forms(plain), raw.hex(), raw.hex().upper(), escape(plain)}
    quoted = {quote(raw), quote(raw, safe=""), quote_plus(raw)}
    spellings |= quoted | {PERCENT.sub(lambda sign: sign[0].lower(), form) for form in quoted}
    spellings |= {line.strip() for line in plain.splitlines() if len(line.strip()) >= LONG_LINE}
    return {form for form in spellings | _base64_forms(raw) if len(form) >= SHORTEST}


def _escaped_forms(plain: str) -> set[str]:
    """Return how the secret reads as a literal, also as one inside others: JSON shown by repr."""
    forms = {plain, plain.replace("'", "\\'")}  # as repr of a text with both kinds of quotes
    for _ in range(ESCAPED_TIMES):
        forms |= {json.dumps(form)[1:-1] for form in forms}
        forms |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in forms}
        forms |= {repr(form)[1:-1] for form in forms}
    return forms


def _base64_forms(raw: bytes) -> set[str]:
    """Return how the secret reads inside base64, at each of its three alignments.

    Characters at the ends that also depend on what stands beside the secret are left out.
    """
    forms = {base64.b64encode(raw).decode()}
    for offset in range(3):
        lead = -(-offset * 8 // 6)  # characters that the bytes before touch
        whole = (offset + len(raw)) * 8 // 6
        text = base64.b64encode(b"\0" * offset + raw).decode()[lead:whole]
        forms.add(text)
    forms |= {form.replace("+", "-").replace("/", "_") for form in forms}
    return {form for form in forms if len(form) > SHORTEST}


def _is_secret(key: Any) -> bool:
    return isinstance(key, str) and key.startswith(MARK)


def _is_cipher(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def _map_secrets(value: Any, change: Callable[[Any], Any], *, secret: bool = False) -> Any:
    """Return a copy with `change` done to each scalar that is under a `#` key."""
    if isinstance(value, dict):
        return {
            key: _map_secrets(item, change, secret=secret or _is_secret(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_map_secrets(item, change, secret=secret) for item in value]
    return change(value) if secret else value
