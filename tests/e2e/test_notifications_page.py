"""The page of notifications in a real browser: chips by keyboard, tests, without scripts."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from orchestrations.models import Orchestration
from orchestrations.services.notifications import notifications_of, save_notifications
from orchestrations.services.recipients import clear_text
from tests.builders import make_empty_orchestration
from tests.e2e.conftest import Open
from tests.receivers import HookServer, Reply

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def orchestration() -> Orchestration:
    return make_empty_orchestration(name="Nightly")


def told(orchestration: Orchestration) -> list[tuple[str, str]]:
    return [(row.event, clear_text(row.address)) for row in notifications_of(orchestration)]


def test_addresses_are_typed_as_chips_saved_and_tested(
    open_page: Open, orchestration: Orchestration, hook: HookServer
) -> None:
    hook.replies = [Reply(200), Reply(404, b"gone")]
    page = open_page(reverse("notifications", args=[orchestration.pk]))
    errors = page.get_by_role("combobox", name="Errors", exact=True)
    errors.click()
    page.keyboard.type("ann@example.com")
    page.keyboard.press("Enter")
    page.keyboard.type(hook.url)
    page.keyboard.press("Enter")
    chips = page.locator("form .ts-control .item")
    expect(chips).to_contain_text(["ann@example.com", f"Webhook{short(hook.url)}"])
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The notifications have been saved.")).to_be_visible()
    assert told(orchestration) == [("error", "ann@example.com"), ("error", hook.url)]

    recipients = page.locator("#notification-recipients")
    row = recipients.get_by_role("row").filter(has_text=short(hook.url))
    row.get_by_role("button", name="Send test").click()
    expect(row.get_by_text("Sent", exact=True)).to_be_visible()
    row.get_by_role("button", name="Send test").click()
    expect(row.get_by_text("404: gone")).to_be_visible()
    expect(page.locator("#delivery-list tbody tr")).to_have_count(2)

    page.locator("form .ts-control .item .remove").first.click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#notification-recipients tbody tr")).to_have_count(1)
    assert told(orchestration) == [("error", hook.url)]


def test_enter_takes_what_was_typed_not_whom_it_resembles(
    open_page: Open, orchestration: Orchestration
) -> None:
    save_notifications(orchestration, [{"event": "error", "address": "ann@example.com"}], user=None)
    page = open_page(reverse("notifications", args=[orchestration.pk]))
    page.get_by_role("combobox", name="Warnings", exact=True).click()
    page.keyboard.type("nn@example.com")
    page.keyboard.press("Enter")
    page.keyboard.type("ann@example.co")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The notifications have been saved.")).to_be_visible()
    assert told(orchestration) == [
        ("error", "ann@example.com"),
        ("warning", "nn@example.com"),
        ("warning", "ann@example.co"),
    ]


def test_what_is_wrong_stays_typed(open_page: Open, orchestration: Orchestration) -> None:
    page = open_page(reverse("notifications", args=[orchestration.pk]))
    page.get_by_role("combobox", name="Warnings", exact=True).click()
    page.keyboard.type("ann")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("“ann” is neither an e-mail address nor a URL")).to_be_visible()
    expect(page.locator("form .ts-control .item")).to_contain_text(["ann"])
    assert told(orchestration) == []


def test_it_works_without_javascript(open_page: Open, orchestration: Orchestration) -> None:
    url = "https://hooks.slack.com/services/T000/B000/abcdefgha1B2"
    save_notifications(orchestration, [{"event": "error", "address": url}], user=None)
    page = open_page(reverse("notifications", args=[orchestration.pk]), scripts=False)
    page.get_by_label("Success", exact=True).fill("ann@example.com\nbob@example.com")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The notifications have been saved.")).to_be_visible()
    assert told(orchestration) == [
        ("error", url),
        ("success", "ann@example.com"),
        ("success", "bob@example.com"),
    ]


def short(url: str) -> str:
    return f"{url.partition('/hooks')[0]}/…{url[-4:]}"
