from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from components.models import Job
from components.services import jobs
from components.services.catalogue import sync_components
from components.services.configurations import update_configuration
from tests.builders import make_configuration


class Outage:
    """Fails the first statements that begin with `verb` and name `table`, as a lost server does."""

    def __init__(self, verb: str, table: str, times: int) -> None:
        self.verb, self.table, self.left = verb, table, times

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if self.left and sql.startswith(self.verb) and self.table in sql:
            self.left -= 1
            raise OperationalError("the server closed the connection")
        return execute(sql, *rest)


@pytest.fixture
def job(settings: Settings, tmp_path: Path) -> Job:
    """A job of a version that is not the present one, so that its orders are read first."""
    settings.HOME = tmp_path
    settings.STORAGE_URL = f"file://{tmp_path / 'storage'}"
    settings.COMPONENT_MODULES = ["tests.job_components"]
    sync_components()
    configuration = make_configuration("test-script", parameters={"do": "succeed"})
    update_configuration(configuration, user=None, parameters={"do": "fail"})
    configuration.refresh_from_db()
    return jobs.create_job(configuration, version=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("verb", "table"),
    [
        ("SELECT", "components_configurationversion"),
        ("UPDATE", "components_configuration"),
    ],
    ids=["while the orders are read", "while the end is written"],
)
def test_a_database_that_is_away_for_a_moment_only_delays_a_job(
    job: Job, verb: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "RETRY_SECONDS", 0.01)
    outage = Outage(verb, f'"{table}"', times=2)
    with connection.execute_wrapper(outage):
        jobs.run_job(job.pk)
    job.refresh_from_db()
    assert (outage.left, job.status, job.error) == (0, "success", "")
    assert job.configuration is not None
    assert job.configuration.state == {"count": 1}
