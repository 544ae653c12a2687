from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from components.models import Configuration, Job
from components.services.jobs import create_job
from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration, Process, Run
from orchestrations.services.schedules import create_schedule
from tests.builders import make_configuration, make_orchestration, make_run, make_user
from tests.control import Control
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def tick(seconds_ago: int) -> None:
    moment = timezone.now() - timedelta(seconds=seconds_ago)
    seen = {"kind": "scheduler", "host": "h", "pid": 1, "started_at": moment, "seen_at": moment}
    Process.objects.update_or_create(key="beat", defaults=seen)


def test_the_first_page_offers_the_first_steps() -> None:
    for role, offered in (("Editor", True), ("Viewer", False)):
        client = Client()
        client.force_login(make_user(role=role))
        html = client.get("/").content.decode()
        assert "Your pipelines, run by themselves" in html
        assert ("Load the sample project</button>" in html) is offered
    make_configuration("ex-http")
    assert "Your pipelines, run by themselves" not in client.get("/").content.decode()


def test_the_sample_project_is_loaded_once() -> None:
    client = Client()
    client.force_login(make_user(role="Editor", name="ada"))
    answers = [client.post(reverse("sample-load")) for _ in range(2)]
    orchestration = Orchestration.objects.get()
    assert [a["Location"] for a in answers] == [orchestration.get_absolute_url()] * 2
    assert Configuration.objects.count() == 5


def test_it_counts_the_runs_of_a_day(viewer: Client) -> None:
    orchestration = make_orchestration([])
    statuses = [RunStatus.SUCCESS] * 3 + [RunStatus.ERROR] * 2 + [RunStatus.CANCELLED]
    runs = [make_run(orchestration, status=status) for status in statuses]
    old = timezone.now() - timedelta(hours=25)
    Run.objects.filter(pk=runs[0].pk).update(created_at=old)
    html = viewer.get("/").content.decode()
    tiles = re.findall(r'tile-value">([^<]+)</span><span class="tile-label">([^<]+)', html)
    assert tiles[:4] == [("2", "Success"), ("0", "Warning"), ("2", "Error"), ("1", "Stopped")]


def test_it_shows_what_runs_what_comes_and_what_failed(viewer: Client, control: Control) -> None:
    orchestration = make_orchestration([[make_configuration("ex-http")]] * 2, name="Nightly")
    create_schedule(orchestration, cron="0 9 * * *", timezone="UTC", user=None, name="Mornings")
    make_run(orchestration, status=RunStatus.ERROR, reason="“Orders” failed: no such table.")
    run = make_run(orchestration)
    control.advance(run)
    control.end(run, "t1")
    make_run(orchestration, reason="Waits behind a run that ended long ago.")
    text = text_of(viewer.get("/"))
    assert "ended long ago" not in text  # what was said when it was made
    line = f"1st in line behind run {run.pk}"
    for part in ("1 of 2 tasks", "Mornings: ", "09:00", "“Orders” failed: no such table.", line):
        assert part in text


def test_it_says_that_all_is_well(viewer: Client) -> None:
    tick(20)
    assert text_of(viewer.get("/")).count("On time") == 3


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ("never", "The scheduler has not started yet."),
        ("silent", "No scheduler is there: schedules do not fire."),
        ("overdue", "The scheduler is behind: what is due is fired late."),
        ("runs", "No control worker takes up runs: they stay Created."),
        ("jobs", "No jobs worker takes up jobs: they stay Created."),
        ("lost", "A worker stopped; jobs that are being recovered: 1."),
    ],
)
def test_it_says_what_does_not_move(viewer: Client, trouble: str, sentence: str) -> None:
    tick(20)
    late = timezone.now() - timedelta(minutes=2)
    orchestration = make_orchestration([])
    if trouble == "never":
        Process.objects.all().delete()
    elif trouble == "silent":
        tick(120)
    elif trouble == "overdue":
        schedule = create_schedule(orchestration, cron="0 9 * * *", timezone="UTC", user=None)
        type(schedule).objects.update(next_fire_at=late)
    elif trouble == "runs":
        make_run(orchestration)
        Run.objects.update(created_at=late)
    else:
        job = create_job(make_configuration("ex-http"))
        if trouble == "lost":
            Job.objects.filter(pk=job.pk).update(status="processing", lease_until=late)
        else:
            Job.objects.filter(pk=job.pk).update(created_at=late)
    text = text_of(viewer.get("/"))
    assert sentence in text
    assert text.count("On time") == 2


def test_a_job_that_waits_for_another_is_no_trouble(viewer: Client) -> None:
    tick(20)
    job = create_job(make_configuration("ex-http"))
    late = timezone.now() - timedelta(minutes=2)
    Job.objects.filter(pk=job.pk).update(created_at=late, waiting_for="Ten jobs are processing.")
    assert text_of(viewer.get("/")).count("On time") == 3


def test_it_asks_as_many_questions_for_one_run_as_for_three(
    viewer: Client, control: Control
) -> None:
    counts = []
    for number in (1, 2):
        for _ in range(number):
            orchestration = make_orchestration([[make_configuration("ex-http")]])
            create_schedule(orchestration, cron="5 * * * *", timezone="UTC", user=None)
            make_run(orchestration, status=RunStatus.ERROR)
            control.advance(make_run(orchestration))
        viewer.get("/")
        with CaptureQueriesContext(connection) as asked:
            viewer.get("/")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_it_refreshes_by_its_part_alone(viewer: Client) -> None:
    html = viewer.get("/", headers=HTMX).content.decode()
    assert "<html" not in html
    assert html.count('id="dashboard-live"') == 1
    assert html.count('hx-trigger="every 5s"') == 1
