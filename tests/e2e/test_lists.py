"""The search boxes, the palette and bulk actions in a real browser, by keyboard where it counts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_orchestration,
    make_run,
)
from tests.e2e.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_search_is_completed_by_keyboard_and_stays_in_the_address(open_page: Open) -> None:
    bad, good = make_run(status=RunStatus.ERROR), make_run(status=RunStatus.SUCCESS)
    page = open_page("/runs/")
    box = page.get_by_role("combobox", name="Search runs")
    box.press_sequentially("stat")
    expect(page.get_by_role("option")).to_have_count(1)
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("status:")
    box.press_sequentially("err")
    expect(page.get_by_role("option")).to_contain_text(["error"])
    box.press("ArrowDown")
    box.press("Enter")
    expect(page.locator(f"#run-row-{good.pk}")).to_have_count(0)
    expect(page.locator(f"#run-row-{bad.pk}")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/runs/\?q=status%3Aerror"))
    box.fill("stauts:error")
    box.press("Enter")
    expect(page.get_by_text("“stauts” is no key")).to_be_visible()
    page.get_by_role("link", name="status:error", exact=True).click()
    expect(box).to_have_value("status:error")
    expect(page.locator(f"#run-row-{bad.pk}")).to_be_visible()


def test_the_palette_runs_an_orchestration_by_keyboard(open_page: Open) -> None:
    make_orchestration([[make_configuration("ex-http", name="Orders")]], name="Nightly")
    page = open_page("/jobs/")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Go anywhere, do anything")
    expect(palette.get_by_role("option").first).to_be_visible()
    page.keyboard.type("run nig")
    expect(palette.get_by_role("option").first).to_contain_text("Run Nightly")
    expect(palette.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(palette).to_be_hidden()
    expect(page.get_by_role("heading", name="Run orchestration Nightly")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()


def test_what_was_opened_lately_comes_first(open_page: Open) -> None:
    orchestration = make_empty_orchestration(name="Nightly")
    page = open_page(orchestration.get_absolute_url())
    page.goto("/jobs/")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_contain_text("Nightly")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{orchestration.get_absolute_url()}")


def test_several_are_chosen_and_switched_off(open_page: Open) -> None:
    for name in ("a", "b", "c"):
        make_empty_orchestration(name=name)
    page = open_page("/orchestrations/")
    bar = page.locator("#bulk")
    expect(bar).to_be_hidden()
    page.get_by_label("Choose all on this page").check()
    page.get_by_label("Choose b").uncheck()
    expect(bar).to_contain_text("2 chosen")
    bar.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("Switched 2 orchestrations off.")).to_be_visible()
    enabled = Orchestration.objects.filter(is_enabled=True)
    assert list(enabled.values_list("name", flat=True)) == ["b"]


def test_bulk_actions_and_searches_work_without_javascript(open_page: Open) -> None:
    make_empty_orchestration(name="a")
    page = open_page("/orchestrations/", scripts=False)
    page.get_by_label("Choose a", exact=True).check()
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("Switched 1 orchestration off.")).to_be_visible()
    page.goto("/runs/")
    page.get_by_label("Search runs").fill("status:error")
    page.locator("#search-box").get_by_role("button", name="Search").click()
    expect(page.get_by_text("No such runs")).to_be_visible()
