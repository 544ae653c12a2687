"""The status page, the banner, and what programs ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import DjangoCaptureOnCommitCallbacks

from components.enums import TokenScope
from components.services.jobs import create_job
from components.services.tokens import create_token
from orchestrations.models import Outage, Process, Slot, SlotCheck
from orchestrations.services import reachability
from tests.builders import make_configuration, make_run, make_schedule, make_user
from tests.sent_tasks import broker, sent

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def asks_anew() -> Iterator[None]:
    reachability.forget()
    yield
    reachability.forget()


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_user(role="Viewer", name="ann"))
    return client


def seen(
    kind: str = "scheduler", *, ago: float = 0, pid: int = 7, stopped: bool = False
) -> Process:
    at = timezone.now() - timedelta(seconds=ago)
    return Process.objects.create(
        key=f"{kind}{pid}",
        kind=kind,
        host="etl-1",
        pid=pid,
        started_at=at,
        seen_at=at,
        stopped_at=at if stopped else None,
    )


def test_the_page_tells_who_is_there_and_who_vanished(viewer: Client) -> None:
    seen(pid=11)
    seen(pid=12, ago=60)
    seen("jobs", pid=13, ago=60, stopped=True)
    page = viewer.get("/status/").content.decode()

    rows = [row.split("</tr>")[0] for row in page.split("<tr>")[1:]]
    states = {pid: row for row in rows for pid in ("11", "12", "13") if f">{pid}</span>" in row}
    assert "There" in states["11"]
    assert "Vanished" in states["12"]
    assert "Stopped" in states["13"]


def test_the_page_shows_slots_outages_and_the_count(viewer: Client) -> None:
    seen()
    schedule = make_schedule(None)
    now = timezone.now()
    Slot.objects.create(schedule=schedule, due_at=now, outcome="missed")
    Outage.objects.create(
        kind="silence",
        began_at=now - timedelta(minutes=5),
        ended_at=now - timedelta(minutes=3),
        reason="No scheduler <b>was</b> seen.",
    )
    SlotCheck.objects.create(
        began_at=now,
        ended_at=now,
        since=now,
        schedules=1,
        moments=1440,
        missing=1,
        examples=[{"schedule": schedule.pk, "due_at": "2026-06-01T14:00:00+00:00"}],
    )
    page = viewer.get("/status/").content.decode()

    assert "1 of 1,440 due moments have no slot." in page
    assert f'href="/schedules/{schedule.pk}/slots/"' in page
    assert f"{schedule.orchestration}, Every hour on the hour, UTC</a>: due at 2026-06-01" in page
    assert "2 min" in page
    assert "No scheduler &lt;b&gt;was&lt;/b&gt; seen." in page


def test_only_administrators_count_now_and_see_what_went_wrong(
    client: Client,
    settings: LazySettings,
    tmp_path: Path,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    (tmp_path / "a-file").write_text("")
    settings.STORAGE_URL = f"file://{tmp_path}/a-file/inside"
    client.force_login(make_user(role="Viewer"))
    page = client.get("/status/").content.decode()
    assert "Away" in page
    assert "could not be written" not in page
    assert client.post("/status/slots/count/").status_code == 403

    client.force_login(make_user(role="Admin"))
    assert "could not be written" in client.get("/status/").content.decode()
    with broker("memory://") as link, django_capture_on_commit_callbacks(execute=True):
        answer = client.post("/status/slots/count/", headers=HTMX)
    assert answer.status_code == 204
    assert sent(link) == ["orchestrations.tasks.check_slots"]


def test_the_banner_is_empty_while_all_is_well_and_changes_nothing_where_not(
    viewer: Client,
) -> None:
    beat = seen()
    assert viewer.get("/status/banner/", headers=HTMX).content.strip() == b""

    beat.seen_at = timezone.now() - timedelta(seconds=40)
    beat.save()
    banner = viewer.get("/status/banner/", headers=HTMX).content.decode()
    assert "Nothing fires since" in banner
    assert not Outage.objects.exists()


def test_the_page_tells_whose_clock_is_wrong(viewer: Client) -> None:
    right, wrong = seen(pid=11), seen(pid=12)
    right.clock_off, wrong.clock_off = -5.0, 7200.0
    right.save()
    wrong.save()

    page = viewer.get("/status/").content.decode()
    assert page.count("Clock ") == 1
    assert "Clock 2 hr ahead" in page


def test_every_page_asks_for_the_banner(viewer: Client) -> None:
    for url in ("/", "/orchestrations/", "/jobs/", "/storage/", "/status/"):
        assert 'hx-get="/status/banner/"' in viewer.get(url).content.decode()


def test_the_page_costs_the_same_queries_however_much_there_is(viewer: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert viewer.get("/status/").status_code == 200
        return len(found)

    seen()
    queries()  # what is cached by the first request
    few = queries()
    for pid in range(20, 40):
        seen("jobs", pid=pid)
        make_run(started_by="manual")
    assert queries() == few


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_no_login_and_are_not_cached(client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")


def test_readiness_tells_each_part_and_no_detail(
    client: Client, settings: LazySettings, tmp_path: Path
) -> None:
    checks = client.get("/readyz").json()["checks"]
    assert (checks["database"], checks["storage"], checks["migrations"]) == ("ok", "ok", "ok")

    (tmp_path / "a-file").write_text("")
    settings.STORAGE_URL = f"file://{tmp_path}/a-file/inside"
    reachability.forget()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["storage"] == "failed"
    assert "a-file" not in answer.content.decode()


def test_metrics_are_for_tokens_that_read_and_people_who_are_logged_in(client: Client) -> None:
    assert client.get("/metrics").status_code == 401
    wrong = client.get("/metrics", headers={"Authorization": "Bearer nonsense"})
    assert wrong.status_code == 401
    nobody = create_token(make_user(), name="scrape", scope=TokenScope.READ)[1]
    assert client.get("/metrics", headers={"Authorization": f"Bearer {nobody}"}).status_code == 403
    token = create_token(make_user(role="Viewer"), name="scrape", scope=TokenScope.READ)[1]
    assert client.get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    client.force_login(make_user(role="Viewer"))
    assert client.get("/metrics").status_code == 200


def test_the_numbers_of_the_metrics(viewer: Client) -> None:
    seen()
    make_schedule(timezone.now() - timedelta(seconds=20))
    Slot.objects.create(schedule=make_schedule(None), due_at=timezone.now(), outcome="fired")
    make_run(started_by="manual")
    create_job(make_configuration())
    text = viewer.get("/metrics").content.decode()
    found = {
        (sample.name.removeprefix("orchestrator_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert 20 <= found["scheduler_lag_seconds",] < 25
    assert found["processes", "scheduler"] == 1
    assert found["slots_last_day", "fired"] == 1
    assert found["slots_last_day", "missed"] == 0
    assert found["runs", "created"] == 1
    assert found["jobs", "created"] == 1
    assert found["queue_length", "control"] == 1
    assert 0 <= found["queue_oldest_seconds", "jobs"] < 5
    assert found["outage",] == 0
    assert found["part_up", "database"] == 1
