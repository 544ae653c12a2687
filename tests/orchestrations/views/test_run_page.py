from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from components.enums import JobStatus
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Orchestration, Run
from orchestrations.services.schedules import create_schedule
from tests.builders import make_configuration, make_orchestration, make_run, make_user
from tests.control import Control

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(make_user(role="Operator", name="ada"))
    return client


@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(make_user(role="Viewer"))
    return client


def text_of(response: object) -> str:
    html = response.content.decode()  # type: ignore[attr-defined]
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def make(*names: str) -> Orchestration:
    """One phase for each name, with one task of that name."""
    return make_orchestration([[make_configuration("ex-http", name=name)] for name in names])


def test_the_page_follows_a_run_to_its_end(viewer: Client, control: Control) -> None:
    orchestration = make("First", "Second")
    run = make_run(orchestration)
    assert "Not begun yet" in text_of(viewer.get(run.get_absolute_url()))
    control.advance(run)
    html = viewer.get(run.get_absolute_url()).content.decode()
    job = control.job(run, "t1")
    assert f'href="{job.get_absolute_url()}"' in html
    assert re.findall(r"status-badge status-(\w+)", html) == ["processing", "waiting", "created"]
    assert html.count('hx-trigger="every 2s"') == 1
    control.end(run, "t1")
    control.end(run, "t2")
    ended = viewer.get(run.get_absolute_url()).content.decode()
    assert re.findall(r"status-badge status-(\w+)", ended) == ["success"] * 3
    assert 'hx-trigger="every' not in ended


def test_a_poll_gets_the_parts_that_changed_or_nothing(viewer: Client, control: Control) -> None:
    run = make_run(make("a"))
    control.advance(run)
    page = viewer.get(run.get_absolute_url()).content.decode()
    seen = {**HTMX, "X-Mark": re.findall(r"\"X-Mark\": \"(\w+)\"", page)[0]}
    assert viewer.get(run.get_absolute_url(), headers=seen).status_code == 204
    control.end(run, "t1")
    part = viewer.get(run.get_absolute_url(), headers=seen).content.decode()
    assert "<html" not in part
    parts = ["run-live", "run-stats", "run-history", "run-actions", "run-about"]
    found = re.findall(r'<\w+ id="(run-[a-z]+)"', part)
    assert [name for name in found if name != "run-again"] == parts
    assert part.count("hx-swap-oob") == 4


def test_the_page_says_which_task_failed_and_why(viewer: Client, control: Control) -> None:
    run = make_run(make("Get orders", "Later"))
    control.advance(run)
    control.end(run, "t1", JobStatus.ERROR, "The server answered 500.")
    text = text_of(viewer.get(run.get_absolute_url()))
    job = control.job(run, "t1")
    assert f"Get orders : The server answered 500. Job {job.pk}" in text
    assert "Skipped" in text
    log = text_of(viewer.get(run.get_absolute_url(), {"tab": "log"}))
    assert "error Get orders Error: The server answered 500." in log


def test_the_page_tells_what_started_the_run(viewer: Client) -> None:
    orchestration = make("a")
    schedule = create_schedule(
        orchestration, cron="0 9 * * *", timezone="Europe/Prague", user=None, name="Mornings"
    )
    due = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    scheduled = make_run(
        orchestration, started_by=StartedBy.SCHEDULE, schedule=schedule, scheduled_for=due
    )
    text = text_of(viewer.get(scheduled.get_absolute_url()))
    assert "Mornings 2026-11-20 09:00 Europe/Prague" in text
    user = make_user(name="grace")
    by_api = make_run(orchestration, started_by=StartedBy.API, created_by=user)
    assert "grace API" in text_of(viewer.get(by_api.get_absolute_url()))
    Run.objects.filter(pk=by_api.pk).update(status=RunStatus.ERROR)
    retry = make_run(orchestration, started_by=StartedBy.RETRY, retry_of=by_api)
    assert f"retry of {by_api.pk}" in text_of(viewer.get(retry.get_absolute_url()))


def test_a_nested_run_leads_to_its_parent(viewer: Client, control: Control) -> None:
    child = make("a")
    parent = make_run(make_orchestration([[child]], name="Above"))
    control.advance(parent)
    nested = Run.objects.get(orchestration=child)
    html = viewer.get(nested.get_absolute_url()).content.decode()
    assert f'href="{parent.get_absolute_url()}">Above, run {parent.pk}' in html
    above = viewer.get(parent.get_absolute_url()).content.decode()
    assert f'href="{nested.get_absolute_url()}"' in above


def test_a_run_asks_as_many_questions_for_one_task_as_for_forty(
    viewer: Client, control: Control
) -> None:
    counts = []
    for number in (1, 40):
        run = make_run(make_orchestration([[make_configuration("ex-http") for _ in range(number)]]))
        control.advance(run)
        viewer.get(run.get_absolute_url())
        with CaptureQueriesContext(connection) as asked:
            viewer.get(run.get_absolute_url())
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_terminate_is_offered_only_where_it_can_be_done(
    operator: Client, viewer: Client, control: Control
) -> None:
    run = make_run(make("a"))
    control.advance(run)
    link = f'href="{reverse("run-terminate", args=[run.pk])}"'
    assert link in operator.get(run.get_absolute_url()).content.decode()
    assert link not in viewer.get(run.get_absolute_url()).content.decode()
    control.end(run, "t1")
    assert link not in operator.get(run.get_absolute_url()).content.decode()
