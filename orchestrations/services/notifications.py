"""Who is told of what: the whole list of an orchestration's notifications, saved in one go."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orchestrations.enums import Channel, NotificationEvent
from orchestrations.exceptions import EditConflict, InvalidNotifications, NotAllowed
from orchestrations.models import Notification, Orchestration, SigningSecret
from orchestrations.models.orchestration import NotificationDesign
from orchestrations.services.recipients import Address, InvalidAddress, read_address
from orchestrations.services.versions import record_version
from orchestrator_site.lib.secrets import Vault, site_keys

MAX_RECIPIENTS = 50  # of one event
KEY = re.compile(r"[A-Za-z0-9_-]{0,40}")
USUAL = {NotificationEvent.PROCESSING: 20, NotificationEvent.WAITING: 60}
LARGEST = {NotificationEvent.PROCESSING: 10_000, NotificationEvent.WAITING: 43_200}
EVENTS = tuple(NotificationEvent)
SECRET_BYTES = 32


class RecipientInput(TypedDict, total=False):
    """A recipient as sent; a channel, number or key that is left out is found or made up.

    `address` is an e-mail address, a URL, the cipher text of one, or one of this orchestration's
    as people see it.
    """

    key: str
    event: str
    channel: str | None
    address: str
    threshold: int | None


Wanted = Sequence[RecipientInput | NotificationDesign]


@dataclass(frozen=True)
class _Whole:
    """A recipient that was checked and made whole."""

    event: NotificationEvent
    channel: Channel
    address: Address
    threshold: int | None
    key: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        return self.event, self.address.digest


def notifications_of(orchestration: Orchestration) -> list[Notification]:
    """Return who is told of what, in the order of the events on the page."""
    rows = orchestration.notifications.all()
    return sorted(rows, key=lambda row: (EVENTS.index(NotificationEvent(row.event)), row.pk))


@transaction.atomic
def save_notifications(
    orchestration: Orchestration,
    wanted: Wanted,
    *,
    user: User | None,
    expected: str | None = None,
    amend: bool = False,
) -> list[Notification]:
    """Put these recipients in place of all there are; saving what is there already does nothing.

    `expected` is the `fingerprint` of the list that was edited; None overwrites whatever is there.
    `amend` counts the change to the version that this same transaction made. Raises
    InvalidNotifications with its fields, by paths such as `error.0.address` (place among those of
    its event), EditConflict, and NotAllowed in the trash.
    """
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    if fresh.deleted_at:
        raise NotAllowed("This orchestration is in the trash; restore it before changing it.")
    old = notifications_of(fresh)
    if expected is not None and expected != _fingerprint(old):
        raise EditConflict(
            "Somebody else saved the notifications meanwhile. Look at them, then save again."
        )
    new = [_row(fresh, whole, user) for whole in _with_keys(_check(wanted, old), old)]
    if [_content(row) for row in new] == [_content(row) for row in old]:
        return old
    made_by = {row.key: row.created_by_id for row in old}
    for row in new:
        row.created_by_id = made_by.get(row.key, row.created_by_id)
    fresh.notifications.all().delete()  # nothing refers to them
    Notification.objects.bulk_create(new)
    record_version(orchestration, user=user, change=_sentence(old, new), amend=amend)
    return new


def set_channel(notification: Notification, channel: str, *, user: User | None) -> None:
    """Write to a recipient in the format of another channel, whatever they are told of.

    Raises InvalidNotifications, and NotAllowed in the trash.
    """
    orchestration = notification.orchestration
    wanted: list[RecipientInput] = [
        {
            "key": row.key,
            "event": row.event,
            "channel": channel
            if row.address_digest == notification.address_digest
            else row.channel,
            "address": row.address,
            "threshold": row.threshold,
        }
        for row in notifications_of(orchestration)
    ]
    save_notifications(orchestration, wanted, user=user)


def fingerprint(orchestration: Orchestration) -> str:
    """Return what changes whenever somebody saves other notifications."""
    return _fingerprint(notifications_of(orchestration))


def signing_secret(orchestration: Orchestration, *, renew: bool = False) -> str:
    """Return in clear what the orchestration's webhooks are signed with; made where it is missing.

    A renewed one counts at once: receivers that check it need it too. Raises UnreadableSecret.
    """
    return str(Vault(site_keys()).decrypt(signing_cipher(orchestration, renew=renew)))


@transaction.atomic
def signing_cipher(orchestration: Orchestration, *, renew: bool = False) -> str:
    """Return the signing secret as it is stored; made where it is missing."""
    # the orchestration's row keeps two who come first from making two secrets
    fresh = Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)
    stored = SigningSecret.objects.filter(orchestration=fresh).first()
    if stored is not None and not renew:
        return stored.cipher
    cipher = Vault(site_keys()).encrypt("whsec_" + secrets.token_urlsafe(SECRET_BYTES))
    SigningSecret.objects.update_or_create(
        orchestration=fresh, defaults={"cipher": cipher, "renewed_at": timezone.now()}
    )
    return cipher


def _check(wanted: Wanted, old: Sequence[Notification]) -> list[_Whole]:
    """Return the recipients whole, in the order of the events; raises InvalidNotifications."""
    errors: dict[str, str] = {}
    whole: list[_Whole] = []
    places = dict.fromkeys(EVENTS, 0)
    for number, item in enumerate(wanted):
        try:
            event = NotificationEvent(item.get("event", ""))
        except ValueError:
            errors[f"{number}.event"] = f"Use one of: {', '.join(EVENTS)}."
            continue
        at = f"{event}.{places[event]}"
        places[event] += 1
        found = _recipient(at, event, item, old, errors)
        if found and found.identity in {other.identity for other in whole}:
            errors[f"{at}.address"] = "This recipient is listed twice."
        elif found:
            whole.append(found)
    for event, count in places.items():
        if count > MAX_RECIPIENTS:
            errors[event] = f"Use at most {MAX_RECIPIENTS} recipients."
    if errors:
        raise InvalidNotifications(fields=errors)
    return sorted(whole, key=lambda item: EVENTS.index(item.event))


def _recipient(
    at: str,
    event: NotificationEvent,
    item: Mapping[str, Any],
    old: Sequence[Notification],
    errors: dict[str, str],
) -> _Whole | None:
    """Return one recipient, or note what is wrong with it."""
    found: dict[str, str] = {}
    old = sorted(old, key=lambda row: row.event != event)  # its own event's come first
    address, known = None, _known(item.get("address"), old)
    try:
        address = _read(item.get("address"), known, old)
    except InvalidAddress as error:
        found[f"{at}.address"] = str(error)
    threshold = item.get("threshold")
    if event in USUAL:
        threshold = USUAL[event] if threshold is None else threshold
    if wrong := _wrong_threshold(event, threshold):
        found[f"{at}.threshold"] = wrong
    key = item.get("key") or ""
    if not isinstance(key, str) or not KEY.fullmatch(key):
        found[f"{at}.key"] = "Use letters, digits, _ and -, 40 at most."
    errors |= found
    if found or address is None:
        return None
    channel = item.get("channel") or (known.channel if known else address.channel)
    if wrong := _wrong_channel(channel, address):
        errors[f"{at}.channel"] = wrong
        return None
    return _Whole(event, Channel(channel), address, threshold, key)


def _known(text: Any, old: Iterable[Notification]) -> Notification | None:
    """Return the recipient that a text stands for as it is shown."""
    return next((row for row in old if text and text == row.recipient), None)


def _read(text: Any, known: Notification | None, old: Iterable[Notification]) -> Address:
    if known is not None:
        return _as_stored(known)
    if not isinstance(text, str):
        raise InvalidAddress
    address = read_address(text)
    if address.stored == text:  # an e-mail address, or cipher text: a version gets back its own
        return address
    # encrypted again, an address that is there already would look changed
    return next((_as_stored(row) for row in old if row.address_digest == address.digest), address)


def _as_stored(row: Notification) -> Address:
    return Address(row.address, row.recipient, row.address_digest, Channel(row.channel))


def _wrong_threshold(event: NotificationEvent, threshold: Any) -> str:
    if event not in USUAL:
        return "" if threshold is None else "Only Processing and Waiting take a number."
    most = LARGEST[event]
    good = isinstance(threshold, int) and not isinstance(threshold, bool) and 1 <= threshold <= most
    return "" if good else f"Use a whole number from 1 to {most}."


def _wrong_channel(channel: Any, address: Address) -> str:
    if channel not in Channel.values:
        return f"Use one of: {', '.join(Channel.values)}."
    if (channel == Channel.EMAIL) != (address.channel == Channel.EMAIL):
        kind = "an e-mail address" if address.channel == Channel.EMAIL else "a URL"
        return f"This does not go with {kind}."
    return ""


def _with_keys(whole: Iterable[_Whole], old: Sequence[Notification]) -> list[_Whole]:
    """Give each its key: the one sent, else that of the same recipient before, else a new one."""
    before = {(row.event, row.address_digest): row for row in old}
    used: set[str] = set()
    done = []
    for item in whole:
        same = before.get(item.identity)
        key = item.key or (same.key if same else "")
        while not key or key in used:
            key = secrets.token_hex(4)
        used.add(key)
        done.append(replace(item, key=key))
    return _tell_apart(done)


def _tell_apart(items: Sequence[_Whole]) -> list[_Whole]:
    """Give a number to URLs that look alike where they are shown: each text stands for one."""
    shown: dict[str, str] = {}
    done = []
    for item in items:
        plain = text = item.address.shown
        number = 1
        while shown.setdefault(text, item.address.digest) != item.address.digest:
            number += 1
            text = f"{plain} ({number})"
        done.append(replace(item, address=replace(item.address, shown=text)))
    return done


def _row(orchestration: Orchestration, item: _Whole, user: User | None) -> Notification:
    return Notification(
        orchestration=orchestration,
        key=item.key,
        event=item.event,
        channel=item.channel,
        address=item.address.stored,
        address_digest=item.address.digest,
        recipient=item.address.shown,
        threshold=item.threshold,
        created_by=user,
    )


def _content(row: Notification) -> tuple[object, ...]:
    return row.key, row.event, row.channel, row.address, row.threshold


def _fingerprint(rows: Iterable[Notification]) -> str:
    return hashlib.sha256(repr([_content(row) for row in rows]).encode()).hexdigest()


def _sentence(old: Sequence[Notification], new: Sequence[Notification]) -> str:
    """Say what a save changed, by recipients and what they are told of."""
    before = {(row.event, row.address_digest): row for row in old}
    after = {(row.event, row.address_digest): row for row in new}
    parts = [
        *_named("added", [row for at, row in after.items() if at not in before]),
        *_named("removed", [row for at, row in before.items() if at not in after]),
        *_named(
            "changed",
            [
                row
                for at, row in after.items()
                if at in before and _content(row)[2:] != _content(before[at])[2:]
            ],
        ),
    ]
    return f"Notifications: {'; '.join(parts)}." if parts else "Changed the notifications."


def _named(verb: str, rows: Sequence[Notification], *, most: int = 3) -> list[str]:
    if not rows:
        return []
    names = ", ".join(
        f"{row.recipient} ({NotificationEvent(row.event).label})" for row in rows[:most]
    )
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return [f"{verb} {names}{more}"]
