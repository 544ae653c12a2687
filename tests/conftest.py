"""What this machine has decides which marked tests run; what is left out is named plainly."""

from __future__ import annotations

import functools
import os
import shutil
import socket
from collections.abc import Iterator

import pytest
from django.conf import settings

from orchestrator_site.lib.actor import SYSTEM, acting

pytest_plugins = ["tests.control", "tests.pages", "tests.receivers"]

SERVICES = {
    "postgres": ("a PostgreSQL server on 127.0.0.1:5432", 5432),
    "mariadb": ("a MariaDB server on 127.0.0.1:3306", 3306),
    "redis": ("a Redis server on 127.0.0.1:6379", 6379),
    "rabbitmq": ("a RabbitMQ server on 127.0.0.1:5672", 5672),
}
REQUIRE_ALL = os.environ.get("ORCHESTRATOR_TEST_REQUIRE_ALL") == "1"


@pytest.fixture(autouse=True)
def no_calls_counted() -> None:
    """Let each test begin with the whole number of calls, whatever the one before it made."""
    from components.services.rate_limits import limiter  # noqa: PLC0415  # needs the settings

    limiter.forget()


@pytest.fixture(autouse=True)
def nobody_at_work() -> Iterator[None]:
    """Let each test begin without the person whom the one before it logged in."""
    with acting(SYSTEM):
        yield


@functools.cache
def lacking(marker: str) -> str:
    """Return what this machine lacks for a marker, or nothing."""
    if marker in SERVICES:
        name, port = SERVICES[marker]
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return name
    if marker == "browser" and not shutil.which("chromium"):
        return "Debian's package chromium"
    if marker == "postgres_database" and "postgresql" not in str(
        settings.DATABASES["default"]["ENGINE"]
    ):
        return "DATABASE_URL of a PostgreSQL server"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in {mark.name for mark in item.iter_markers()}:
            missing = lacking(marker)
            if missing and not (REQUIRE_ALL and marker != "postgres_database"):
                item.add_marker(pytest.mark.skip(reason=f"needs {missing}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped]
    for reason in sorted(set(reasons)):
        terminalreporter.write_line(f"Left out: {reasons.count(reason)} tests: {reason}.")
