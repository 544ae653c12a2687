from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from components.enums import TokenScope
from components.services.tokens import create_token
from orchestrations.enums import RunStatus
from orchestrations.models import Retention, Run
from orchestrations.services.retention import apply_retention
from tests.builders import make_empty_orchestration, make_run, make_user
from tests.pages import text_of

pytestmark = pytest.mark.django_db
URL = "/retention/"
HTMX = {"HX-Request": "true"}
POSTED = {"is_enabled": "on", "runs": "1", "days": "10", "failed_days": "20"}


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make_user(role="Admin"))
    return client


@pytest.fixture
def old_runs() -> None:
    orchestration = make_empty_orchestration(name="Nightly")
    for _ in range(3):
        make_run(orchestration, status=RunStatus.SUCCESS)
    Run.objects.update(created_at=timezone.now() - timedelta(days=30))


def test_only_administrators_see_it(client: Client, admin: Client) -> None:
    assert "Nothing has been deleted yet." in text_of(admin.get(URL))
    client.force_login(make_user(role="Editor"))
    assert client.get(URL).status_code == 403
    assert client.post(URL, POSTED).status_code == 403
    assert not Retention.objects.exists()


@pytest.mark.usefixtures("old_runs")
def test_a_preview_counts_and_saves_nothing(admin: Client) -> None:
    for headers in ({}, HTMX):
        answer = admin.post(URL, {**POSTED, "action": "preview"}, headers=headers)
        assert "Runs, with their jobs 2 1" in text_of(answer)
        assert "Nightly 2 1" in text_of(answer)
        assert 'name="days" value="10"' in answer.content.decode()
    assert (Retention.objects.count(), Run.objects.count()) == (0, 3)


@pytest.mark.usefixtures("old_runs")
def test_it_is_saved_and_shows_what_went(admin: Client) -> None:
    answer = admin.post(URL, {**POSTED, "action": "save"}, follow=True)
    assert "Saved. It is applied every night." in text_of(answer)
    admin.post(URL, {**POSTED, "audit_days": "7"})
    row = Retention.objects.get()
    assert (row.is_enabled, row.runs, row.days, row.failed_days) == (True, 1, 10, 20)
    assert (row.delivery_days, row.audit_days) == (None, 7)
    apply_retention()
    assert "Runs, with their jobs 2" in text_of(admin.get(URL))
    assert "Saved. Nothing is deleted while it is off." in text_of(
        admin.post(URL, {**POSTED, "is_enabled": ""}, follow=True)
    )


@pytest.mark.parametrize("action", ["save", "preview"])
def test_nonsense_is_refused_at_its_field(admin: Client, action: str) -> None:
    answer = admin.post(URL, {**POSTED, "days": "0", "action": action}, headers=HTMX)
    assert answer.status_code == 422
    assert "greater than or equal to 1" in text_of(answer)
    assert 'name="days" value="0"' in answer.content.decode()
    assert not Retention.objects.exists()


@pytest.mark.usefixtures("old_runs")
def test_the_api_reads_counts_and_saves(client: Client) -> None:
    _, token = create_token(make_user(role="Admin"), name="t", scope=TokenScope.WRITE)

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else client._encode_json(body, "application/json"),  # type: ignore[attr-defined]  # noqa: SLF001
            content_type="application/json",
            headers={"authorization": f"Bearer {token}"},
        )
        return answer.status_code, answer.json()

    status, usual = call("GET", "/retention")
    assert (status, usual["is_enabled"], usual["runs"], usual["result"]) == (200, False, 100, {})
    limits = {"is_enabled": True, "runs": 1, "days": 10, "failed_days": 20}
    status, found = call("POST", "/retention/preview", limits)
    assert (status, found["runs"], found["held"]) == (200, {"goes": 2, "stays": 1}, 0)
    assert [row["name"] for row in found["orchestrations"]] == ["Nightly"]
    assert not Retention.objects.exists()
    status, saved = call("PUT", "/retention", {**limits, "audit_days": 30})
    assert (status, saved["days"], saved["audit_days"]) == (200, 10, 30)
    assert Retention.objects.get().days == 10
    status, wrong = call("PUT", "/retention", {**limits, "days": 0})
    assert (status, list(wrong["error"]["fields"])) == (422, ["days"])
