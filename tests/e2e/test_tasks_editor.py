"""The manual's example pipeline built in a browser: by drag, by keyboard, and grouped by type."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Start
from tests.e2e.installation import PASSWORD, USER, Installation, until

pytestmark = [pytest.mark.browser, pytest.mark.processes]
NAMES = ["Campaigns", "Mail addresses", "Performance", "Reach", "Export"]
EXTRACT, TRANSFORM, WRITE = NAMES[:2], NAMES[2:4], NAMES[4:]
PATIENCE = 30_000


class Shop:
    """A server of CSV that can be out of order."""

    def __init__(self) -> None:
        self.is_broken = False
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(404 if shop.is_broken else 200)
                self.send_header("Content-Type", "text/csv")
                self.end_headers()
                self.wfile.write(b"id,name\n1,Ada\n2,Bob\n")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/rows.csv"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def shop() -> Iterator[Shop]:
    made = Shop()
    yield made
    made.server.shutdown()
    made.server.server_close()


def log_in(browser: Browser, installation: Installation) -> Page:
    context = browser.new_context(
        base_url=installation.address, viewport={"width": 1300, "height": 1400}
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto("/")
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/")
    return page


def make_configurations(installation: Installation, shop: Shop) -> None:
    """Two tables are loaded, two are made of them, and these are written as files."""

    def make(component: str, name: str, **content: Any) -> None:
        body = {"component": component, "name": name, **content}
        installation.api("POST", "/configurations", body)

    for name in EXTRACT:
        installation.configuration(name, "ex-http", {"url": shop.url})
    for name, table in zip(TRANSFORM, ("campaigns", "mail-addresses"), strict=True):
        made = name.lower()
        script = f"CREATE TABLE {made} AS SELECT * FROM loaded"
        make(
            "tr-sql",
            name,
            parameters={"blocks": [{"name": "All", "script": script}]},
            input=[{"source": f"in.c-{table}.rows", "destination": "loaded"}],
            output=[{"source": made, "destination": f"out.c-shop.{made}"}],
        )
    tables = [{"source": f"out.c-shop.{name.lower()}"} for name in TRANSFORM]
    parameters = {"folder": "shop", "format": "csv"}
    make("wr-file", WRITE[0], parameters=parameters, input=tables)


def add_all(page: Page, name: str) -> None:
    """Add all tasks to the empty phase of a new orchestration, by the dialog and its keys."""
    page.goto("/orchestrations/new/")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="New task").click()
    dialog = page.get_by_role("dialog")
    for number, task in enumerate(NAMES, 1):
        dialog.get_by_label("Search").fill(task)
        choice = dialog.locator("[data-add-task]")
        expect(choice).to_have_count(1, timeout=PATIENCE)
        expect(choice).to_contain_text(task, timeout=PATIENCE)
        choice.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".editor-task")).to_have_count(number, timeout=PATIENCE)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="New task").first).to_be_focused()


def design(page: Page) -> list[list[str]]:
    """The names of the tasks of each phase that has some."""
    phases = page.locator("#editor-phases > .editor-phase").evaluate_all(
        "all => all.map(p => [...p.querySelectorAll('.row-link')].map(e => e.textContent))"
    )
    return [phase for phase in phases if phase]


def handle(page: Page, task: str) -> Locator:
    return page.get_by_role("button", name=f"Move {task}", exact=True)


def drag_into_last(page: Page, task: str) -> None:
    """Drag a task onto the empty phase at the end."""
    start = handle(page, task).bounding_box()
    end = page.locator(".editor-empty:visible").last.bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + 10, start["y"] + 14)
    page.mouse.down()
    page.mouse.move(start["x"] + 14, start["y"] + 30, steps=4)
    page.mouse.move(end["x"] + 300, end["y"] - 4, steps=20)
    page.mouse.move(end["x"] + 302, end["y"] - 2, steps=4)
    page.mouse.up()


def carry(page: Page, task: str, *keys: str, end: str = "Space", says: str = "Put down.") -> None:
    """Pick a task up by its handle, press keys and put it down; each step is heard."""
    said = page.locator("#editor-said")
    handle(page, task).press("Space")
    expect(said).to_contain_text(f"Picked up. {task}")
    for key in keys:
        page.keyboard.press(key)
        expect(said).to_contain_text(task)
        expect(said).not_to_contain_text("Picked up.")
    expect(handle(page, task)).to_be_focused()
    page.keyboard.press(end)
    expect(said).to_contain_text(f"{says} {task}")


def save(page: Page) -> None:
    expect(page.locator("[data-unsaved-mark]")).to_have_text("Unsaved changes")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("link", name="Run orchestration")).to_be_visible(timeout=PATIENCE)


def build_by_drag(page: Page) -> None:
    add_all(page, "By drag")
    for task in TRANSFORM[:1]:
        drag_into_last(page, task)
    expect(page.locator(".editor-phase").nth(1).locator(".editor-task")).to_have_count(1)
    carry(page, TRANSFORM[1], "ArrowRight")
    drag_into_last(page, WRITE[0])
    assert [sorted(phase) for phase in design(page)] == [EXTRACT, TRANSFORM, WRITE]
    save(page)


def build_by_keyboard(page: Page) -> None:
    add_all(page, "By keyboard")
    carry(page, TRANSFORM[0], "ArrowRight")
    carry(page, TRANSFORM[1], "ArrowDown", "ArrowDown")
    assert sorted(design(page)[1]) == TRANSFORM
    carry(page, WRITE[0], "ArrowRight", "ArrowRight")
    carry(page, EXTRACT[0], "ArrowRight", end="Escape", says="Put back.")
    assert [sorted(phase) for phase in design(page)] == [EXTRACT, TRANSFORM, WRITE]
    save(page)


def build_by_type(page: Page) -> None:
    add_all(page, "By type")
    page.locator(".editor-bar summary").click()
    page.get_by_role("button", name="Group tasks by component type").click()
    page.get_by_role("button", name="Group tasks", exact=True).click()
    expect(page.locator(".editor-phase")).to_have_count(4, timeout=PATIENCE)
    assert design(page) == [EXTRACT, TRANSFORM, WRITE]
    save(page)


def test_the_manuals_pipeline_is_built_three_ways_run_failed_and_retried(
    browser: Browser, start: Start, shop: Shop
) -> None:
    installation = start()
    make_configurations(installation, shop)
    page = log_in(browser, installation)
    build_by_drag(page)
    build_by_keyboard(page)
    build_by_type(page)
    designs = [
        installation.api("GET", f"/orchestrations/{row['id']}")["phases"]
        for row in installation.api("GET", "/orchestrations")["items"]
    ]
    kinds = [[sorted(t["configuration"] for t in p["tasks"]) for p in d] for d in designs]
    assert kinds == [kinds[0]] * 3
    assert [len(tasks) for tasks in kinds[0]] == [2, 2, 1]

    shop.is_broken = True
    page.get_by_role("link", name="Run orchestration").click()
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    run = until(lambda: installation.api("GET", "/runs")["items"], "the run")[0]["id"]
    failed = until(
        lambda: (r := installation.api("GET", f"/runs/{run}"))["ended_at"] and r, "its end", 120
    )
    assert failed["status"] == "error"
    assert {task["status"] for task in failed["tasks"][:2]} == {"error"}

    shop.is_broken = False
    page.goto(f"/runs/{run}/")
    page.get_by_role("link", name="Job retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    again = until(
        lambda: [r for r in installation.api("GET", "/runs")["items"] if r["id"] != run], "a retry"
    )[0]["id"]
    done = until(
        lambda: (r := installation.api("GET", f"/runs/{again}"))["ended_at"] and r, "its end", 120
    )
    assert done["status"] == "success", done
    assert [task["status"] for task in done["tasks"]] == ["success"] * 5
    page.goto(f"/runs/{again}/")
    expect(page.locator(".status-badge").first).to_contain_text("Success")
