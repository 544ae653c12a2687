from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from components.models import AuditEntry
from orchestrations.enums import Channel, NotificationEvent
from orchestrations.exceptions import EditConflict, InvalidNotifications, NotAllowed
from orchestrations.models import Notification, Orchestration, SigningSecret
from orchestrations.services.notifications import (
    fingerprint,
    notifications_of,
    save_notifications,
    signing_secret,
)
from orchestrations.services.recipients import clear_text
from tests.builders import make_empty_orchestration, make_user

E = NotificationEvent
SLACK = "https://hooks.slack.com/services/T000/B000/abcdefgha1B2"
TEAMS = "https://example.webhook.office.com/webhookb2/1234567890abcdef"
OWN = "http://intranet.example/hooks/orchestrator"

pytestmark = pytest.mark.django_db


def save(orchestration: Orchestration, *wanted: Any, **options: Any) -> list[Notification]:
    return save_notifications(orchestration, wanted, user=None, **options)


def shown(orchestration: Orchestration) -> list[tuple[str, str, str, int | None]]:
    return [
        (row.event, row.channel, row.recipient, row.threshold)
        for row in notifications_of(orchestration)
    ]


def errors(orchestration: Orchestration, *wanted: Any) -> dict[str, str]:
    with pytest.raises(InvalidNotifications) as caught:
        save(orchestration, *wanted)
    return caught.value.fields


def test_recipients_are_saved_in_the_order_of_the_events_with_their_channels() -> None:
    orchestration = make_empty_orchestration()
    save(
        orchestration,
        {"event": "waiting", "address": OWN},
        {"event": "processing", "address": TEAMS, "threshold": 50},
        {"event": "error", "address": " ann@example.com "},
        {"event": "error", "address": SLACK},
    )
    assert shown(orchestration) == [
        ("error", "email", "ann@example.com", None),
        ("error", "slack", "https://hooks.slack.com/…a1B2", None),
        ("processing", "teams", "https://example.webhook.office.com/…cdef", 50),
        ("waiting", "webhook", "http://intranet.example/…ator", 60),
    ]


def test_urls_are_stored_encrypted_also_in_the_version() -> None:
    orchestration = make_empty_orchestration()
    save(orchestration, {"event": "error", "address": SLACK})
    row = orchestration.notifications.get()
    assert row.address.startswith("enc::")
    assert clear_text(row.address) == SLACK
    version = orchestration.versions.latest("number")
    assert version.definition["notifications"] == [
        {
            "key": row.key,
            "event": "error",
            "channel": "slack",
            "address": row.address,
            "threshold": None,
        }
    ]
    assert version.change == "Notifications: added https://hooks.slack.com/…a1B2 (Errors)."


def test_a_save_makes_one_version_and_the_same_again_makes_none() -> None:
    orchestration = make_empty_orchestration()
    wanted = [
        {"event": "error", "address": "ann@example.com"},
        {"event": "error", "address": SLACK},
        {"event": "warning", "address": SLACK},
    ]
    first = save(orchestration, *wanted)
    again = save(orchestration, *wanted)
    assert [row.pk for row in again] == [row.pk for row in first]
    assert orchestration.versions.count() == 2


def test_a_recipient_keeps_its_key_and_who_added_it() -> None:
    orchestration, ann, bob = make_empty_orchestration(), make_user(), make_user()
    save_notifications(
        orchestration, [{"event": "processing", "address": "a@example.com"}], user=ann
    )
    key = orchestration.notifications.get().key
    save_notifications(
        orchestration,
        [
            {"event": "error", "address": "b@example.com"},
            {"event": "processing", "address": "A@example.com", "threshold": 30},
        ],
        user=bob,
    )
    kept = orchestration.notifications.get(event="processing")
    assert (kept.key, kept.threshold, kept.created_by) == (key, 30, ann)
    assert orchestration.notifications.get(event="error").created_by == bob
    assert orchestration.versions.latest("number").change == (
        "Notifications: added b@example.com (Errors); changed A@example.com (Processing)."
    )


def test_an_address_as_it_is_shown_stands_for_the_stored_one() -> None:
    orchestration = make_empty_orchestration()
    save(orchestration, {"event": "error", "address": SLACK, "channel": "webhook"})
    text = orchestration.notifications.get().recipient
    save(orchestration, {"event": "error", "address": text}, {"event": "success", "address": text})
    assert [
        (row.event, row.channel, clear_text(row.address)) for row in notifications_of(orchestration)
    ] == [("error", Channel.WEBHOOK, SLACK), ("success", Channel.WEBHOOK, SLACK)]


def test_urls_that_look_alike_are_told_apart() -> None:
    orchestration = make_empty_orchestration()
    other = SLACK.replace("T000", "T999")
    save(orchestration, {"event": "error", "address": SLACK}, {"event": "error", "address": other})
    texts = [row.recipient for row in notifications_of(orchestration)]
    assert texts == ["https://hooks.slack.com/…a1B2", "https://hooks.slack.com/…a1B2 (2)"]
    save(orchestration, {"event": "error", "address": texts[1]})
    assert clear_text(orchestration.notifications.get().address) == other


def test_an_earlier_version_is_put_back_to_the_letter() -> None:
    orchestration = make_empty_orchestration()
    save(
        orchestration,
        {"event": "error", "address": "ann@example.com"},
        {"event": "waiting", "address": SLACK, "channel": "webhook", "threshold": 5},
    )
    before = orchestration.versions.latest("number").definition["notifications"]
    save(orchestration)
    save(orchestration, {"event": "waiting", "address": SLACK})
    save(orchestration, *before)
    assert orchestration.versions.latest("number").definition["notifications"] == before


def test_what_is_wrong_is_said_at_its_place() -> None:
    orchestration = make_empty_orchestration()
    found = errors(
        orchestration,
        {"event": "error", "address": "ann@example.com"},
        {"event": "error", "address": "ann"},
        {"event": "error", "address": "Ann@example.com"},
        {"event": "warning", "address": "https://user:word@example.com/x"},
        {"event": "warning", "address": "ftp://example.com/x"},
        {"event": "warning", "address": "https://hooks.slack.com/…none"},
        {"event": "success", "address": "ann@example.com", "channel": "slack"},
        {"event": "success", "address": "bob@example.com", "threshold": 3},
        {"event": "processing", "address": "ann@example.com", "threshold": 0},
        {"event": "never", "address": "ann@example.com"},
    )
    assert found == {
        "error.1.address": "“ann” is neither an e-mail address nor a URL that starts with "
        "https://.",
        "error.2.address": "This recipient is listed twice.",
        "warning.0.address": "Leave user and password out of the URL.",
        "warning.1.address": "Use a URL that starts with https:// or http://.",
        "warning.2.address": "Enter the whole URL: this one is shortened.",
        "success.0.channel": "This does not go with an e-mail address.",
        "success.1.threshold": "Only Processing and Waiting take a number.",
        "processing.0.threshold": "Use a whole number from 1 to 10000.",
        "9.event": "Use one of: error, warning, success, processing, waiting, late.",
    }
    assert orchestration.notifications.count() == 0


def test_a_list_that_was_changed_meanwhile_is_not_overwritten() -> None:
    orchestration = make_empty_orchestration()
    seen = fingerprint(orchestration)
    save(orchestration, {"event": "error", "address": "ann@example.com"}, expected=seen)
    with pytest.raises(EditConflict):
        save(orchestration, {"event": "error", "address": "bob@example.com"}, expected=seen)
    assert shown(orchestration) == [("error", "email", "ann@example.com", None)]


def test_in_the_trash_nothing_is_saved() -> None:
    orchestration = make_empty_orchestration(deleted_at=timezone.now())
    with pytest.raises(NotAllowed):
        save(orchestration, {"event": "error", "address": "ann@example.com"})
    assert orchestration.notifications.count() == 0


def test_the_signing_secret_stays_until_it_is_renewed_and_is_stored_encrypted() -> None:
    orchestration = make_empty_orchestration()
    secret = signing_secret(orchestration)
    assert signing_secret(orchestration) == secret
    assert secret not in SigningSecret.objects.get().cipher
    before = AuditEntry.objects.count()
    renewed = signing_secret(orchestration, renew=True)
    assert renewed != secret
    assert AuditEntry.objects.count() == before + 1
    entry = AuditEntry.objects.latest("pk")
    assert (entry.object_type, entry.object_name) == ("signing secret", orchestration.name)
    assert secret not in str(entry.changes)
    assert signing_secret(orchestration) == renewed
