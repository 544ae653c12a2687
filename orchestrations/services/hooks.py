"""Calls of webhooks: checked, noted once, and used by the next run of their trigger."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from orchestrations.enums import TriggerKind
from orchestrations.exceptions import InvalidTrigger
from orchestrations.models import Trigger, TriggerEvent
from orchestrations.queries.triggers import active_triggers
from orchestrations.scheduling.triggers import Came, note_events
from orchestrations.validators import variable_errors
from orchestrator_site.lib.secrets import UnreadableSecret, Vault, site_keys

LARGEST_BODY = 1024 * 1024  # bytes
LONGEST_KEY = 200

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """What somebody sent: `key` tells it from other calls, empty where the sender gave none."""

    body: bytes
    bearer: str
    signature: str
    key: str
    address: str


def find_hook(hook_key: str, call: Call) -> Trigger | None:
    """Return the trigger of an address if the call knows its secret; None otherwise."""
    found = active_triggers().filter(kind=TriggerKind.WEBHOOK, hook_key=hook_key).first()
    secret = _secret_of(found)
    if not _is_signed(secret, call):
        return None
    return found


@transaction.atomic
def take_call(trigger: Trigger, call: Call) -> tuple[str, bool]:
    """Note a call, and return its key and whether it is new.

    Raises InvalidTrigger where its body is no JSON object, its variables are none, or its key was
    used for another body.
    """
    variables = variables_of(trigger, call)
    key = call.key or secrets.token_hex(12)
    if len(key) > LONGEST_KEY:
        key = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
    body = hashlib.sha256(call.body).hexdigest()
    details = {
        "kind": "hook",
        "from": call.address,
        "words": f"call from {call.address}",
        "variables": variables,
        "body": body,
    }
    came = Came(f"call:{key}", timezone.now(), details)
    is_new = note_events(trigger.pk, [came]) > 0
    if not is_new:
        _compare(trigger, came)
    return key, is_new


def _compare(trigger: Trigger, came: Came) -> None:
    """Refuse a key that was used for another call: its sender would believe that both count.

    As the IETF's draft of the header Idempotency-Key has it.
    """
    known = TriggerEvent.objects.get(trigger=trigger, key=came.key)
    if known.details.get("body", "") != came.details["body"]:
        raise InvalidTrigger("This Idempotency-Key was used for another body; send another key.")


def variables_of(trigger: Trigger, call: Call) -> dict[str, str]:
    """Return the variables in the body of a call, which may be empty.

    Raises InvalidTrigger where it is no JSON object, its variables are none, or they are more than
    a run may have with those of its trigger.
    """
    body = call.body
    if not body.strip():
        return {}
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidTrigger("The body is no JSON; send an object, or nothing.") from None
    variables = found.get("variables", {}) if isinstance(found, dict) else None
    if not isinstance(variables, Mapping):
        raise InvalidTrigger('Send a JSON object such as {"variables": {"day": "2026-12-24"}}.')
    texts = {str(name): value for name, value in variables.items()}
    if wrong := variable_errors({**trigger.variables, **texts}):
        raise InvalidTrigger(" ".join(wrong.values()), fields=wrong)
    return texts


def _secret_of(trigger: Trigger | None) -> str:
    """Return the secret of a webhook; something nobody can know where there is none."""
    if trigger is None:
        return secrets.token_urlsafe(32)
    try:
        return str(Vault(site_keys()).decrypt(trigger.hook_secret))
    except UnreadableSecret:
        logger.warning("The secret of webhook %d cannot be read with this SECRET_KEY.", trigger.pk)
        return secrets.token_urlsafe(32)


def _is_signed(secret: str, call: Call) -> bool:
    digest = hmac.new(secret.encode(), call.body, hashlib.sha256).hexdigest()
    by_bearer = hmac.compare_digest(call.bearer.encode(), secret.encode())
    by_signature = hmac.compare_digest(call.signature.encode(), f"sha256={digest}".encode())
    return by_bearer or by_signature
