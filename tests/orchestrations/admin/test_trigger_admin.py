from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from orchestrations.enums import StartedBy
from orchestrations.models import Run, Trigger
from orchestrations.services.triggers import delete_trigger
from tests.builders import make_trigger, make_user

ORDERS = "in.c-shop.orders"
LIST = reverse("admin:orchestrations_trigger_changelist")
pytestmark = pytest.mark.django_db


def act(client: Client, action: str, *rows: Trigger) -> str:
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(LIST, data, follow=True).content.decode()


@pytest.fixture
def panel(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_it_shows_triggers_with_their_tables(panel: Client) -> None:
    trigger = make_trigger(ORDERS, name="Sales are in")
    assert "Sales are in" in panel.get(LIST, {"q": "c-shop"}).content.decode()
    page = panel.get(reverse("admin:orchestrations_trigger_change", args=[trigger.pk]))
    assert ORDERS in page.content.decode()
    tables = panel.get(reverse("admin:orchestrations_triggertable_changelist"))
    assert ORDERS in tables.content.decode()


def test_actions_switch_and_run_what_was_not_removed(panel: Client) -> None:
    kept, gone = make_trigger(ORDERS, name="Kept"), make_trigger(ORDERS, name="Gone")
    delete_trigger(gone)
    assert "1 trigger is now off." in act(panel, "disable", kept, gone)
    kept.refresh_from_db()
    assert kept.is_enabled is False
    assert "1 trigger is now on." in act(panel, "enable", kept)
    text = act(panel, "run_now", kept, gone)
    assert "1 run has been started." in text
    assert "Gone: This trigger was removed meanwhile." in text
    run = Run.objects.get()
    assert (run.trigger, run.started_by) == (kept, StartedBy.MANUAL)


def test_a_viewer_of_the_panel_is_offered_no_action(client: Client) -> None:
    make_trigger(ORDERS)
    client.force_login(make_user(role="Viewer", staff=True))
    assert "run_now" not in client.get(LIST).content.decode()
