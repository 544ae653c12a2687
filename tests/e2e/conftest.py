"""A browser, and whole installations, one per combination of database and broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.builders import PASSWORD, make_user
from tests.e2e.installation import Installation, Source, new_database
from tests.e2e.servers import private_redis, virtual_host

Start = Callable[..., Installation]
Open = Callable[..., Page]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium, which the tests of a module share."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # The driver runs an event loop in this thread, which Django takes for asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        expect.set_options(timeout=15_000)
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer) -> Iterator[Open]:
    """Open an address as an Editor who is logged in, in a browser of a time zone."""
    make_user(role="Editor", name="editor")
    contexts = []

    def begin(address: str, *, scripts: bool = True, zone: str = "Europe/Prague") -> Page:
        context = browser.new_context(
            java_script_enabled=scripts, timezone_id=zone, base_url=live_server.url
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.goto(f"{reverse('login')}?next={address}")
        page.fill("input[name=username]", "editor")
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(f"**{address}")
        return page

    yield begin
    for context in contexts:
        context.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an installation: `embedded`, `postgres+redis` or `postgres+rabbitmq`."""
    with ExitStack() as ends:

        def begin(kind: str = "embedded", **variables: str) -> Installation:
            if kind != "embedded":
                variables["DATABASE_URL"] = ends.enter_context(new_database())
                if kind.endswith("rabbitmq"):
                    variables["BROKER_URL"] = ends.enter_context(virtual_host())
                else:
                    variables["BROKER_URL"] = ends.enter_context(private_redis(tmp_path)).url
            home = tmp_path / kind
            home.mkdir(exist_ok=True)
            installation = Installation(home, **variables)
            ends.callback(installation.stop)
            installation.start()
            return installation

        yield begin


@pytest.fixture
def source() -> Iterator[Source]:
    """A local server with rows to extract."""
    made = Source()
    yield made
    made.close()
