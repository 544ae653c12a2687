"""The main job as a person does it: configure, run, automate, see it run by schedule."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Start
from tests.e2e.installation import PASSWORD, USER, Installation, Source, until

MINUTE = timedelta(minutes=1)


def log_in(browser: Browser, installation: Installation) -> Page:
    page = browser.new_context(base_url=installation.address, timezone_id="UTC").new_page()
    page.goto("/")
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    return page


def make_configuration(page: Page, source: Source) -> None:
    page.goto("/components/ex-http/new/")
    page.get_by_role("textbox", name="Name*").fill("Orders")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("textbox", name="URL*").fill(source.url)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changed url")).to_be_visible()


def run_and_see_the_rows(page: Page, installation: Installation) -> None:
    page.get_by_role("button", name="Run component").click()
    until(
        lambda: [j["status"] for j in installation.api("GET", "/jobs")["items"]] == ["success"],
        f"the job\n{installation.log()[-2000:]}",
    )
    page.goto("/storage/")
    page.get_by_role("link", name=re.compile("in.c-orders")).first.click()
    page.get_by_role("link", name="orders", exact=True).click()
    expect(page.get_by_text("name 42", exact=True)).to_be_visible()


def automate_every_minute(page: Page, address: str) -> datetime:
    """Automate by the dialog; returns the moment before which the preview was read."""
    page.goto(address)
    page.get_by_role("link", name="Automate", exact=True).click()
    modal = page.get_by_role("dialog")
    modal.get_by_label("Schedule", exact=True).select_option(label="Custom schedule")
    modal.get_by_label("Every", exact=True).select_option("hour")
    page.locator("#id_minutes + .ts-wrapper .remove").click()
    asked = datetime.now(UTC)
    expect(modal.get_by_text("Every minute, UTC")).to_be_visible()
    shown = page.locator("#schedule-preview .moment time").evaluate_all(
        "all => all.map(e => e.getAttribute('datetime'))"
    )
    first = asked.replace(second=0, microsecond=0) + MINUTE
    # The minute may have turned between the question and the answer.
    starts = [first] if datetime.now(UTC) < first else [first, first + MINUTE]
    assert [datetime.fromisoformat(text) for text in shown] in [
        [start + n * MINUTE for n in range(5)] for start in starts
    ]
    modal.get_by_role("button", name="Automate").last.click()
    expect(page.locator(".toast-item")).to_contain_text("Orders has been automated.")
    assert page.url.endswith(address)
    return asked


def ended_runs(installation: Installation, orchestration: int) -> list[Any]:
    found = installation.api("GET", f"/orchestrations/{orchestration}/runs")["items"]
    return [run for run in found if run["ended_at"]][::-1]


def both_runs_are_right(installation: Installation, orchestration: int, asked: datetime) -> None:
    """Two runs by themselves: the next two minutes, each once, Success, with its slot."""
    until(
        lambda: len(ended_runs(installation, orchestration)) >= 2,
        f"two runs by schedule\n{installation.log()[-3000:]}",
        seconds=200,
    )
    runs = ended_runs(installation, orchestration)[:2]
    due = [datetime.fromisoformat(run["scheduled_for"]) for run in runs]
    assert due[1] - due[0] == MINUTE
    assert due[0] - asked <= 2 * MINUTE
    assert [(r["status"], r["started_by"]) for r in runs] == [("success", "schedule")] * 2
    schedule = installation.api("GET", f"/orchestrations/{orchestration}/schedules")[0]["id"]
    slots = installation.api("GET", f"/schedules/{schedule}/slots")["items"]
    by_moment = {slot["due_at"]: (slot["outcome"], slot["run"]) for slot in slots}
    assert [by_moment[r["scheduled_for"]] for r in runs] == [("fired", r["id"]) for r in runs]


def no_further_run_comes(page: Page, installation: Installation, orchestration: int) -> None:
    """Disable in the page, let a due minute pass, and count the runs."""
    page.goto(f"/orchestrations/{orchestration}/")
    expect(page.locator("table").get_by_text("Success").first).to_be_visible()
    page.get_by_role("switch", name="Enabled", exact=True).click()
    until(
        lambda: not installation.api("GET", f"/orchestrations/{orchestration}")["is_enabled"],
        "the switch",
    )
    until(
        lambda: all(
            run["ended_at"]
            for run in installation.api("GET", f"/orchestrations/{orchestration}/runs")["items"]
        ),
        "the end of what had begun",
    )
    before = installation.api("GET", f"/orchestrations/{orchestration}/runs")["items"]
    passed = datetime.now(UTC).replace(second=0, microsecond=0) + MINUTE + timedelta(seconds=8)
    until(lambda: datetime.now(UTC) > passed, "the next minute", seconds=80)
    assert installation.api("GET", f"/orchestrations/{orchestration}/runs")["items"] == before


def walk(browser: Browser, installation: Installation, source: Source) -> None:
    """The whole way, from the log-in to the disabled orchestration."""
    page = log_in(browser, installation)
    make_configuration(page, source)
    configuration = installation.api("GET", "/configurations")["items"][0]["id"]
    run_and_see_the_rows(page, installation)
    asked = automate_every_minute(page, f"/configurations/{configuration}/")
    orchestration = installation.api("GET", "/orchestrations")["items"][0]["id"]
    both_runs_are_right(installation, orchestration, asked)
    no_further_run_comes(page, installation, orchestration)


@pytest.mark.browser
@pytest.mark.processes
def test_on_the_embedded_set(browser: Browser, start: Start, source: Source) -> None:
    walk(browser, start(), source)


@pytest.mark.browser
@pytest.mark.processes
@pytest.mark.postgres
@pytest.mark.redis
def test_on_postgresql_with_redis(browser: Browser, start: Start, source: Source) -> None:
    walk(browser, start("postgres+redis"), source)


@pytest.mark.browser
@pytest.mark.processes
@pytest.mark.postgres
@pytest.mark.rabbitmq
def test_on_postgresql_with_rabbitmq(browser: Browser, start: Start, source: Source) -> None:
    walk(browser, start("postgres+rabbitmq"), source)


@pytest.mark.browser
@pytest.mark.processes
def test_the_sample_project_runs_to_success_by_one_click(browser: Browser, start: Start) -> None:
    installation = start()
    page = log_in(browser, installation)
    page.get_by_role("button", name="Load the sample project").click()
    expect(page.get_by_role("heading", name="Sample project")).to_be_visible()
    page.get_by_role("link", name="Run orchestration").or_(
        page.get_by_role("button", name="Run orchestration")
    ).first.click()
    page.get_by_role("dialog").get_by_role("button", name="Run").last.click()
    run = until(
        lambda: next(
            iter(ended_runs(installation, 1)),
            None,
        ),
        f"the run\n{installation.log()[-2000:]}",
    )
    assert run["status"] == "success"
    tables = {row["key"] for row in installation.api("GET", "/tables")["items"]}
    assert any(key.startswith("out.c-") for key in tables)
