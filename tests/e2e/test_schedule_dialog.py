"""The schedule dialog in a real browser: tabs, picker and cron text, the question, the slots."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from orchestrations.enums import Misfire, Overlap, SlotOutcome
from orchestrations.models import Orchestration, Run, Schedule, Slot
from orchestrations.services.schedules import create_schedule
from tests.builders import make_configuration, make_orchestration
from tests.e2e.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def orchestration() -> Orchestration:
    return make_orchestration([[make_configuration(name="Load orders")]], name="Nightly")


def open_dialog(open_page: Open, orchestration: Orchestration, link: str = "Add schedule") -> Page:
    page = open_page(orchestration.get_absolute_url())
    page.locator("#schedule-list").get_by_role("link", name=link).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    return page


def tab(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name="How often").get_by_role("radio", name=name)


def go_to(page: Page, name: str) -> None:
    """Press a tab, as people do: its word, for the circle is not seen."""
    page.locator("#schedule-tabs").get_by_text(name, exact=True).click()
    expect(tab(page, name)).to_be_checked()


def words(page: Page) -> Locator:
    return page.locator("#schedule-preview .schedule-words")


def chips(page: Page, name: str) -> Locator:
    return page.locator(f"#id_{name} + .ts-wrapper .item")


def save(page: Page) -> None:
    page.locator(".dialog-foot").get_by_role("button").click()


def test_a_schedule_is_set_up_and_stands_in_the_list_with_its_next_run(
    open_page: Open, orchestration: Orchestration
) -> None:
    page = open_dialog(open_page, orchestration)
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    expect(tab(page, "Daily")).to_be_checked()
    expect(words(page)).to_have_text("Every day at 00:00, UTC")
    page.get_by_label("Name", exact=True).fill("Two mornings")
    go_to(page, "Weekly")
    expect(page.locator("#feedback-on_days")).to_be_empty()
    days = page.get_by_role("group", name="Days of the week")
    expect(page.get_by_role("checkbox", name="Monday")).to_be_checked()
    days.get_by_text("Mo", exact=True).click()
    expect(page.locator("#feedback-on_days")).to_have_text("Choose one day or more.")
    days.get_by_text("Tu", exact=True).click()
    days.get_by_text("Fr", exact=True).click()
    page.get_by_label("Hour", exact=True).select_option("06")
    page.get_by_label("Minute", exact=True).select_option("30")
    expect(words(page)).to_have_text("Every Tuesday and Friday at 06:30, UTC")
    save(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    schedule = Schedule.objects.get()
    assert (schedule.cron, schedule.timezone) == ("30 6 * * 2,5", "UTC")
    assert schedule.next_fire_at is not None
    line = page.locator(".schedule-line").filter(has_text="Two mornings")
    expect(line).to_contain_text("Every Tuesday and Friday at 06:30, UTC")
    expect(line).to_contain_text(f"{schedule.next_fire_at:%Y-%m-%d %H:%M} UTC")
    versions = page.locator("#orchestration-versions")
    expect(versions).to_contain_text("#2 Added schedule “Two mornings”.")


def test_the_chips_put_a_schedule_in_and_the_right_one_is_marked(
    open_page: Open, orchestration: Orchestration
) -> None:
    page = open_dialog(open_page, orchestration)
    marked = page.locator("#schedule-quick [aria-current]")
    expect(marked).to_have_text(["Once a day"])
    page.get_by_role("button", name="Once a week").click()
    expect(tab(page, "Weekly")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Monday")).to_be_checked()
    expect(marked).to_have_text(["Once a week"])
    page.get_by_label("Hour", exact=True).select_option("04")
    expect(words(page)).to_have_text("Every Monday at 04:00, UTC")
    expect(marked).to_have_count(0)
    page.get_by_role("button", name="End of month").click()
    expect(tab(page, "Custom")).to_be_checked()
    expect(words(page)).to_have_text("On the last day of every month at 00:00, UTC")
    page.get_by_role("button", name="Every hour").click()
    expect(tab(page, "Hourly")).to_be_checked()
    expect(marked).to_have_text(["Every hour"])


def test_the_arrows_go_through_the_tabs_and_each_has_its_fields(
    open_page: Open, orchestration: Orchestration
) -> None:
    page = open_dialog(open_page, orchestration)
    seen = page.locator("#schedule-fields").locator(".form-label:visible")
    tab(page, "Daily").focus()
    page.keyboard.press("ArrowLeft")
    expect(tab(page, "Hourly")).to_be_checked()
    expect(seen).to_have_text(["Minute"])
    expect(tab(page, "Hourly")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(seen).to_have_text(["Hour", "Minute"])
    page.keyboard.press("ArrowRight")
    expect(seen).to_have_text(["Days of the week", "Hour", "Minute"])
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(words(page)).to_have_text("Every Monday and Tuesday at 00:00, UTC")
    tab(page, "Weekly").focus()
    page.keyboard.press("ArrowRight")
    expect(seen.first).to_have_text("Choose by")
    expect(chips(page, "weekdays")).to_contain_text(["Monday", "Tuesday"])
    expect(tab(page, "Custom")).to_be_focused()


def test_picker_and_cron_text_stay_in_step(open_page: Open, orchestration: Orchestration) -> None:
    page = open_dialog(open_page, orchestration)
    go_to(page, "Custom")
    expect(chips(page, "hours")).to_contain_text(["00"])
    hours = page.locator("#id_hours-ts-control")
    hours.fill("07")
    hours.press("Enter")
    expect(words(page)).to_have_text("Every day at 00:00 and 07:00, UTC")
    page.get_by_role("radio", name="Cron expression").check()
    field = page.get_by_role("textbox", name="Cron expression")
    expect(field).to_have_value("0 0,7 * * *")
    field.fill("15 8 * * 1,3")
    expect(words(page)).to_have_text("Every Monday and Wednesday at 08:15, UTC")
    page.get_by_role("radio", name="Period and times").check()
    expect(chips(page, "weekdays")).to_contain_text(["Monday", "Wednesday"])
    expect(chips(page, "hours")).to_contain_text(["08"])
    go_to(page, "Weekly")
    expect(page.get_by_role("checkbox", name="Wednesday")).to_be_checked()
    expect(page.get_by_label("Minute", exact=True)).to_have_value("15")
    expect(words(page)).to_have_text("Every Monday and Wednesday at 08:15, UTC")


def test_nonsense_is_told_and_nothing_typed_is_lost(
    open_page: Open, orchestration: Orchestration
) -> None:
    page = open_dialog(open_page, orchestration)
    name = page.get_by_label("Name", exact=True)
    name.fill("Mine")
    go_to(page, "Custom")
    page.get_by_role("radio", name="Cron expression").check()
    field = page.get_by_role("textbox", name="Cron expression")
    field.fill("61 * * * *")
    expect(page.locator("#feedback-cron")).to_have_text("61 is not a minute, use 0 to 59.")
    save(page)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    expect(field).to_have_value("61 * * * *")
    expect(name).to_have_value("Mine")
    assert not Schedule.objects.exists()
    go_to(page, "Daily")
    expect(words(page)).to_have_text("Every day at 00:00, UTC")
    go_to(page, "Custom")
    expect(field).to_have_value("61 * * * *")


def test_a_custom_schedule_is_kept_behind_the_other_tabs(
    open_page: Open, orchestration: Orchestration
) -> None:
    page = open_dialog(open_page, orchestration)
    page.get_by_label("Name", exact=True).fill("Mine")
    go_to(page, "Custom")
    page.get_by_role("radio", name="Cron expression").check()
    field = page.get_by_role("textbox", name="Cron expression")
    field.fill("61 * * * *")
    expect(page.locator("#feedback-cron")).to_have_text("61 is not a minute, use 0 to 59.")
    go_to(page, "Daily")
    page.get_by_label("Hour", exact=True).select_option("09")
    go_to(page, "Custom")
    expect(field).to_have_value("0 9 * * *")
    expect(page.get_by_text("Custom was before: “61 * * * *”.")).to_be_visible()
    page.get_by_role("button", name="Take it back").click()
    expect(field).to_have_value("61 * * * *")
    field.fill("1 9 L * *")
    expect(words(page)).to_have_text("On the last day of every month at 09:01, UTC")
    go_to(page, "Weekly")
    expect(page.get_by_text("Weekly says only a part of the custom schedule.")).to_be_visible()
    expect(page.get_by_label("Minute", exact=True)).to_have_value("1")
    page.locator(".schedule-days").get_by_text("Mo", exact=True).click()
    save(page)
    expect(page.locator("#feedback-on_days")).to_have_text("Choose one day or more.")
    page.locator(".schedule-days").get_by_text("Mo", exact=True).click()
    go_to(page, "Custom")
    expect(field).to_have_value("1 9 L * *")
    save(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    schedule = Schedule.objects.get()
    assert (schedule.name, schedule.cron) == ("Mine", "1 9 L * *")


@pytest.mark.parametrize(
    ("cron", "name"),
    [("5 * * * *", "Hourly"), ("5 6 * * *", "Daily"), ("5 6 * * 0", "Weekly")],
)
def test_a_schedule_opens_in_its_tab_and_is_changed_there(
    open_page: Open, orchestration: Orchestration, cron: str, name: str
) -> None:
    schedule = create_schedule(orchestration, cron=cron, timezone="UTC", user=None, name="Mine")
    page = open_dialog(open_page, orchestration, "Edit Mine")
    expect(tab(page, name)).to_be_checked()
    page.get_by_label("Minute", exact=True).select_option("45")
    page.get_by_role("button", name="20", exact=True).click()
    expect(page.locator("#schedule-preview .moment")).to_have_count(20)
    save(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    schedule.refresh_from_db()
    assert schedule.cron == f"4{cron}"


def test_it_is_switched_and_removed_in_place(open_page: Open, orchestration: Orchestration) -> None:
    create_schedule(orchestration, cron="0 12 * * *", timezone="UTC", user=None, name="Noon")
    page = open_page(orchestration.get_absolute_url())
    listed = page.locator("#schedule-list")
    switch = listed.get_by_role("switch", name="Enabled: Noon")
    switch.press("Space")
    expect(listed).to_contain_text("No next run")
    expect(switch).not_to_be_checked()
    expect(switch).to_be_focused()
    listed.get_by_role("link", name="Edit Noon").click()
    page.get_by_role("dialog").get_by_role("link", name="Remove schedule").click()
    page.get_by_role("button", name="Remove schedule").click()
    expect(listed).to_contain_text("No schedule yet")
    assert Schedule.objects.get().deleted_at is not None


def test_the_tabs_work_without_javascript(open_page: Open, orchestration: Orchestration) -> None:
    page = open_page(reverse("schedule-new", args=[orchestration.pk]), scripts=False)
    tab(page, "Weekly").check(force=True)
    page.get_by_role("button", name="Show fields").click()
    page.get_by_role("checkbox", name="Saturday").check(force=True)
    page.get_by_label("Hour", exact=True).select_option("22")
    tab(page, "Custom").check(force=True)
    page.get_by_role("button", name="Set up schedule").last.click()
    told = page.locator("#feedback-tab")
    expect(told).to_have_text("These times were not shown before. Look at them, then go on.")
    expect(words(page)).to_have_text("Every Monday and Saturday at 22:00, UTC")
    assert not Schedule.objects.exists()
    page.get_by_role("button", name="Set up schedule").last.click()
    page.wait_for_url(f"**{orchestration.get_absolute_url()}")
    assert Schedule.objects.get().cron == "0 22 * * 1,6"


def off_for_three_hours(orchestration: Orchestration) -> Schedule:
    """A schedule that missed three moments, half an hour away from now so that none is near."""
    now = timezone.now()
    schedule = create_schedule(
        orchestration,
        cron=f"{(now.minute + 30) % 60} * * * *",
        timezone="UTC",
        user=None,
        name="Half hours",
        misfire=Misfire.ALL,
        overlap=Overlap.QUEUE_ALL,
    )
    off = now - timedelta(hours=3)
    Schedule.objects.update(is_enabled=False, next_fire_at=None, off_since=off)
    return schedule


def asked(page: Page) -> tuple[Locator, Locator]:
    """Switch the schedule on; return its switch and the dialog that asks."""
    switch = page.get_by_role("switch", name="Enabled: Half hours")
    switch.press("Space")
    return switch, page.get_by_role("dialog")


def test_what_was_missed_is_asked_and_the_slots_say_why(
    open_page: Open, orchestration: Orchestration
) -> None:
    schedule = off_for_three_hours(orchestration)
    switch, dialog = asked(open_page(orchestration.get_absolute_url()))
    expect(dialog.get_by_role("heading")).to_have_text("3 moments missed")
    expect(dialog.get_by_role("radio", name="Run all, but at most")).to_be_checked()
    schedule.refresh_from_db()
    assert not schedule.is_enabled
    dialog.get_by_role("radio", name="Run the last one").check()
    dialog.get_by_role("button", name="Switch on").click()
    expect(dialog).to_have_count(0)
    expect(switch).to_be_checked()
    run = Run.objects.get()

    switch.page.locator("#runs-slots").click()
    rows = switch.page.locator("#slot-ledger tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Fired")
    expect(rows.first.get_by_role("link", name=f"Run {run.pk}")).to_be_visible()
    for row in (rows.nth(1), rows.nth(2)):
        expect(row).to_contain_text("Joined a later moment")
        expect(row.locator("[data-label=Reason]")).to_contain_text("It was switched off from")
        expect(row.locator("[data-label=Reason]")).to_contain_text("stands for it.")


def test_leaving_the_question_leaves_the_schedule_off(
    open_page: Open, orchestration: Orchestration
) -> None:
    schedule = off_for_three_hours(orchestration)
    switch, dialog = asked(open_page(orchestration.get_absolute_url()))
    dialog.get_by_label("At most", exact=True).fill("0")
    dialog.get_by_role("button", name="Switch on").click()
    expect(dialog.locator("input:invalid")).to_have_attribute("name", "limit")
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_have_count(0)
    expect(switch).not_to_be_checked()
    schedule.refresh_from_db()
    assert (schedule.is_enabled, Run.objects.count()) == (False, 0)


def test_the_slots_are_a_strip_a_filter_and_a_file(
    open_page: Open, orchestration: Orchestration, tmp_path: Path
) -> None:
    schedule = create_schedule(orchestration, cron="0 * * * *", timezone="UTC", user=None)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    Slot.objects.bulk_create(
        Slot(
            schedule=schedule,
            due_at=hour - timedelta(hours=hours),
            outcome=SlotOutcome.SKIPPED if hours % 4 == 0 else SlotOutcome.FIRED,
            reason="It had not ended." if hours % 4 == 0 else "",
        )
        for hours in range(1, 13)
    )
    page = open_page(orchestration.get_absolute_url())
    page.locator("#runs-slots").click()
    ledger = page.locator("#slot-ledger")
    expect(ledger.locator("rect")).to_have_count(12)
    expect(ledger.get_by_role("img")).to_have_accessible_name(
        "The last 12 moments, oldest first: 9 fired, 3 skipped: a run was unfinished."
    )
    page.locator("#slots-skipped").click()
    expect(ledger.locator("tbody tr")).to_have_count(3)
    expect(page.locator("#slots-skipped")).to_have_attribute("aria-current", "true")
    assert "outcome=skipped" in page.url
    with page.expect_download() as download:
        ledger.get_by_role("link", name="CSV").click()
    download.value.save_as(tmp_path / "slots.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "slots.csv").read_text())))
    assert len(rows) == 1 + 3
    assert all("It had not ended." in row for row in rows[1:])
