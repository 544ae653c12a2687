"""The Automate dialog in a real browser: by mouse, by keyboard alone, and without JavaScript."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from components.models import Configuration
from orchestrations.models import Orchestration, Schedule
from tests.builders import make_configuration
from tests.e2e.conftest import Open

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def configuration() -> Configuration:
    return make_configuration(name="Sample configuration")


def open_modal(open_page: Open, configuration: Configuration, **options: str) -> Page:
    page = open_page(configuration.get_absolute_url(), **options)
    page.get_by_role("link", name="Automate", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    return page


def moments(page: Page) -> list[str]:
    return page.locator("#schedule-preview .moment time").all_inner_texts()


def chips(page: Page, name: str) -> list[str]:
    control = page.locator(f"#id_{name} + .ts-wrapper")
    expect(control).to_be_visible()
    return list(
        control.locator(".item").evaluate_all("all => all.map(e => e.firstChild.textContent)")
    )


def test_it_automates_in_the_modal_without_leaving_the_page(
    open_page: Open, configuration: Configuration
) -> None:
    page = open_modal(open_page, configuration)
    modal = page.get_by_role("dialog")
    expect(modal.get_by_role("heading", name="Automate Sample configuration")).to_be_visible()
    expect(modal.get_by_label("Orchestration name")).to_be_focused()
    modal.get_by_label("Schedule", exact=True).select_option(label="Custom schedule")
    expect(modal.get_by_text("Every day at 00:00, UTC")).to_be_visible()
    assert (chips(page, "hours"), chips(page, "minutes")) == (["00"], ["00"])
    modal.get_by_label("Every", exact=True).select_option("hour")
    expect(page.locator("#id_hours + .ts-wrapper")).to_have_count(0)
    page.locator("#id_minutes + .ts-wrapper .remove").click()
    expect(modal.get_by_text("Every minute, UTC")).to_be_visible()
    assert len(moments(page)) == 5
    modal.get_by_role("button", name="Automate").last.click()
    toast = page.locator(".toast-item")
    expect(toast).to_contain_text("Sample configuration has been automated.")
    expect(modal).to_have_count(0)
    assert page.url.endswith(configuration.get_absolute_url())
    expect(page.locator("#configuration-usage")).to_contain_text("Automated Sample configuration")
    orchestration = Orchestration.objects.get()
    link = toast.get_by_role("link", name="Open the orchestration")
    expect(link).to_have_attribute("href", re.compile(orchestration.get_absolute_url() + "$"))
    assert orchestration.schedules.get().cron == "* * * * *"


def test_both_modes_show_the_same_schedule(open_page: Open, configuration: Configuration) -> None:
    page = open_modal(open_page, configuration)
    modal = page.get_by_role("dialog")
    modal.get_by_label("Schedule", exact=True).select_option("custom")
    modal.get_by_role("radio", name="Cron expression").check()
    field = modal.get_by_role("textbox", name="Cron expression")
    expect(field).to_have_value("0 0 * * *")
    field.fill("30 6 * * 1,3")
    expect(modal.get_by_text("Every Monday and Wednesday at 06:30, UTC")).to_be_visible()
    expect(field).to_be_focused()
    modal.get_by_role("radio", name="Period and times").check()
    expect(modal.get_by_label("Every", exact=True)).to_have_value("week")
    assert chips(page, "weekdays") == ["Monday", "Wednesday"]
    assert (chips(page, "hours"), chips(page, "minutes")) == (["06"], ["30"])
    modal.get_by_role("radio", name="Cron expression").check()
    field.fill("0 */6 * * *")
    expect(modal.get_by_text("Every day at 00:00, 06:00, 12:00 and 18:00, UTC")).to_be_visible()
    modal.get_by_role("radio", name="Period and times").check()
    expect(modal.get_by_text("cannot show this schedule")).to_be_visible()
    expect(field).to_have_value("0 */6 * * *")


def test_an_error_appears_and_leaves_while_somebody_types(
    open_page: Open, configuration: Configuration
) -> None:
    page = open_modal(open_page, configuration)
    modal = page.get_by_role("dialog")
    modal.get_by_label("Orchestration name").fill("Typed name")
    modal.get_by_label("Schedule", exact=True).select_option("custom")
    modal.get_by_role("radio", name="Cron expression").check()
    field = modal.get_by_role("textbox", name="Cron expression")
    field.fill("61 * * * *")
    expect(page.locator("#feedback-cron")).to_have_text("61 is not a minute, use 0 to 59.")
    modal.get_by_role("button", name="Automate").last.click()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("61 * * * *")
    expect(modal.get_by_label("Orchestration name")).to_have_value("Typed name")
    assert Orchestration.objects.count() == 0
    field.fill("1 * * * *")
    expect(page.locator("#feedback-cron")).to_be_empty()
    modal.get_by_role("button", name="Automate").last.click()
    expect(page.locator(".toast-item")).to_contain_text("has been automated")
    assert Orchestration.objects.get().name == "Typed name"


def test_a_zone_is_found_by_search_and_clock_changes_are_marked(
    open_page: Open, configuration: Configuration
) -> None:
    page = open_modal(open_page, configuration, zone="UTC")
    modal = page.get_by_role("dialog")
    page.locator("#id_timezone + .ts-wrapper .ts-control").click()
    page.keyboard.type("prague")
    page.keyboard.press("Enter")
    expect(modal.get_by_text("Every hour at minute 1, Europe/Prague")).to_be_visible()
    modal.get_by_label("Schedule", exact=True).select_option("custom")
    expect(
        modal.get_by_text(re.compile(r"Hours Europe/Prague \(Current time is \d\d:\d\d"))
    ).to_be_visible()
    modal.get_by_role("radio", name="Cron expression").check()
    modal.get_by_role("textbox", name="Cron expression").fill("30 2 * 3 0L")
    note = page.locator(".moment-note").first
    expect(note).to_contain_text(
        re.compile(r"02:30 does not exist on \d+ March \d{4}, runs at 03:00")
    )
    assert page.locator(".moment-note").count() == 5


def test_escape_closes_it_and_gives_the_focus_back(
    open_page: Open, configuration: Configuration
) -> None:
    page = open_page(configuration.get_absolute_url())
    opener = page.get_by_role("link", name="Automate", exact=True)
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Orchestration name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()


def test_the_keyboard_alone_is_enough(  # noqa: PLR0915  # one walk through it, key by key
    open_page: Open, configuration: Configuration
) -> None:
    page = open_page(configuration.get_absolute_url())
    opener = page.get_by_role("link", name="Automate", exact=True)
    opener.focus()
    page.keyboard.press("Enter")
    name = page.get_by_label("Orchestration name")
    expect(name).to_be_focused()
    page.keyboard.type("By keys")
    page.keyboard.press("Tab")
    preset = page.get_by_label("Schedule", exact=True)
    expect(preset).to_be_focused()
    page.keyboard.press("Home")  # Custom schedule
    expect(page.get_by_text("Every day at 00:00, UTC")).to_be_visible()
    expect(preset).to_be_focused()
    page.keyboard.press("Tab")  # time zone
    page.keyboard.press("Tab")  # the mode, a group of two
    expect(page.get_by_label("Period and times")).to_be_focused()
    page.keyboard.press("Tab")
    period = page.get_by_label("Every", exact=True)
    expect(period).to_be_focused()
    page.keyboard.press("ArrowDown")  # Week
    expect(page.locator("#id_weekdays + .ts-wrapper")).to_be_visible()
    expect(period).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("fri")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Every Friday at 00:00, UTC")).to_be_visible()
    page.keyboard.press("Tab")  # the button that removes all days
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # and that of the hours
    page.keyboard.press("Enter")
    expect(page.get_by_text("Every hour on the hour, every Friday, UTC")).to_be_visible()
    page.keyboard.type("07")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Every Friday at 07:00, UTC")).to_be_visible()
    for _ in ("remove all hours", "minutes", "remove all minutes", "Cancel"):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".toast-item")).to_contain_text("has been automated")
    expect(opener).to_be_focused()
    schedule = Schedule.objects.select_related("orchestration").get()
    assert (schedule.orchestration.name, schedule.cron) == ("By keys", "0 7 * * 5")


def test_enter_in_the_name_automates(open_page: Open, configuration: Configuration) -> None:
    page = open_modal(open_page, configuration)
    page.keyboard.type("Quick")
    page.keyboard.press("Enter")
    expect(page.locator(".toast-item")).to_contain_text("has been automated")
    assert Orchestration.objects.get().name == "Quick"


def test_it_works_without_javascript(open_page: Open, configuration: Configuration) -> None:
    page = open_page(configuration.get_absolute_url(), scripts=False)
    page.get_by_role("link", name="Automate", exact=True).click()
    page.wait_for_url(f"**{reverse('automate', args=[configuration.pk])}")
    page.get_by_label("Orchestration name").fill("Plain")
    page.get_by_label("Schedule", exact=True).select_option("custom")
    page.get_by_role("button", name="Show fields").click()
    expect(page.get_by_label("Orchestration name")).to_have_value("Plain")
    page.get_by_label("Every", exact=True).select_option("month")
    page.get_by_role("button", name="Show fields").click()
    page.get_by_label("Days of month").select_option(["1", "15"])
    page.get_by_label(re.compile("^Hours")).select_option(["6"])
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".schedule-words")).to_contain_text("06:00")
    page.get_by_role("radio", name="Cron expression").check()
    page.get_by_role("button", name="Show fields").click()
    cron = page.get_by_role("textbox", name="Cron expression")
    expect(cron).to_have_value("0 6 1,15 * *")
    cron.fill("nonsense")
    page.get_by_role("button", name="Automate").click()
    expect(page.locator("#feedback-cron")).to_contain_text("it needs 5")
    cron.fill("0 7 1,15 * *")
    page.get_by_role("button", name="Automate").click()
    page.wait_for_url(f"**{configuration.get_absolute_url()}")
    expect(page.locator(".toast-item")).to_contain_text("Sample configuration has been automated.")
    schedule = Schedule.objects.select_related("orchestration").get()
    assert (schedule.orchestration.name, schedule.cron) == ("Plain", "0 7 1,15 * *")
