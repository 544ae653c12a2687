"""Notifications and messages in the admin panel: to be read, and tried again."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from orchestrations.enums import DeliveryStatus, RunStatus, StartedBy
from orchestrations.models import Delivery, Notification
from orchestrations.services.notices import tell_of_end
from orchestrations.services.notifications import save_notifications, signing_secret
from tests.builders import make_empty_orchestration, make_run

pytestmark = pytest.mark.django_db
URL = "https://example.com/hooks/0123456789abcdef"


@pytest.fixture
def panel(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def message() -> Delivery:
    orchestration = make_empty_orchestration(name="Nightly")
    save_notifications(orchestration, [{"event": "error", "address": URL}], user=None)
    signing_secret(orchestration)
    tell_of_end(make_run(orchestration, status=RunStatus.ERROR, started_by=StartedBy.API))
    return Delivery.objects.get()


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def at(name: str, what: str, *args: Any) -> str:
    return reverse(f"admin:orchestrations_{name}_{what}", args=args)


@pytest.mark.parametrize("name", ["notification", "delivery", "signingsecret"])
def test_rows_are_shown_without_addresses_and_secrets(
    panel: Client, message: Delivery, name: str
) -> None:
    row = {
        "notification": Notification.objects.get().pk,
        "delivery": message.pk,
        "signingsecret": message.orchestration.signing_secret.pk,
    }[name]
    for response in (
        panel.get(at(name, "changelist")),
        panel.get(at(name, "change", row)),
    ):
        text = text_of(response)
        assert response.status_code == 200
        assert "Nightly" in text
        assert "0123456789" not in text
        assert "enc::" not in text
    assert panel.get(at(name, "add")).status_code == 403
    assert panel.post(at(name, "delete", row)).status_code == 403


def test_messages_are_tried_again(panel: Client, message: Delivery) -> None:
    Delivery.objects.update(status=DeliveryStatus.GIVEN_UP)
    posted = {"action": "try_again", "_selected_action": [message.pk]}
    text = text_of(panel.post(at("delivery", "changelist"), posted, follow=True))
    assert "Messages tried again: 1." in text
    message.refresh_from_db()
    assert message.status == DeliveryStatus.PENDING
    Delivery.objects.update(status=DeliveryStatus.SENT)
    text = text_of(panel.post(at("delivery", "changelist"), posted, follow=True))
    assert "This message was sent already." in text
