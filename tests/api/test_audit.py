from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from components.enums import TokenScope
from components.services.configurations import update_configuration
from components.services.tokens import create_token
from orchestrator_site.lib.actor import Actor, acting
from tests.builders import make_configuration, make_user

pytestmark = pytest.mark.django_db


def test_administrators_read_the_record(client: Client) -> None:
    user = make_user(role="Admin", name="root")
    _, text = create_token(user, name="audit", scope=TokenScope.READ)

    def get(query: str) -> Any:
        headers = {"authorization": f"Bearer {text}"}
        return client.get(f"/api/v1/audit?{query}", headers=headers).json()

    configuration = make_configuration(name="Orders", description="")
    with acting(Actor("page", user=user, address="192.0.2.7")):
        for word in ("one", "two", "three"):
            update_configuration(configuration, user=user, description=word)
    page = get("type=configuration&action=changed&limit=2")
    assert [row["changes"] for row in page["items"]] == [
        {"Description": ["two", "three"]},
        {"Description": ["one", "two"]},
    ]
    row = page["items"][0]
    del row["id"], row["at"], row["changes"]
    assert row == {
        "actor": "root",
        "channel": "page",
        "address": "192.0.2.7",
        "token": "",
        "action": "changed",
        "object_type": "configuration",
        "object_id": str(configuration.pk),
        "object_name": "Orders",
        "about": f"configuration:{configuration.pk}",
    }
    rest = get(f"type=configuration&action=changed&limit=2&after={page['next']}")
    assert ([r["changes"] for r in rest["items"]], rest["next"]) == (
        [{"Description": ["", "one"]}],
        None,
    )
    assert len(get(f"about=configuration:{configuration.pk}&search=three")["items"]) == 1
    assert len(get("person=root&channel=page")["items"]) == 3
    assert get("channel=api&type=configuration")["items"] == []
