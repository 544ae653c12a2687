from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from orchestrations.enums import Channel, NotificationEvent, RunStatus, StartedBy, TaskStatus
from orchestrations.models import Run, TaskRun
from orchestrations.services.messages import (
    Occasion,
    Payload,
    payload_of,
    payload_of_test,
    subject_of,
    write_json,
    write_mail,
)
from tests.builders import make_empty_orchestration, make_run, make_user

pytestmark = pytest.mark.django_db
E = NotificationEvent
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NASTY = "<script>alert(1)</script> & [click](https://evil.example)"


@pytest.fixture(autouse=True)
def _address(settings: Settings) -> None:
    settings.BASE_URL = "https://pipelines.example.com"


def ended(name: str = "Nightly", **fields: Any) -> Run:
    return make_run(
        make_empty_orchestration(name=name),
        **{
            "status": RunStatus.ERROR,
            "started_by": StartedBy.SCHEDULE,
            "started_at": NOON - timedelta(seconds=74),
            "ended_at": NOON,
            "reason": "“Orders” failed.",
            **fields,
        },
    )


def failed(run: Run, count: int, reason: str = "No such table.") -> list[TaskRun]:
    return [
        TaskRun.objects.create(
            run=run,
            key=f"t{n}",
            phase=0,
            phase_key="p1",
            phase_name="Extract",
            position=n,
            name=f"Orders {n}",
            status=TaskStatus.ERROR,
            reason=reason,
        )
        for n in range(count)
    ]


def payload(run: Run, event: NotificationEvent = E.ERROR, **more: Any) -> Payload:
    threshold = more.pop("threshold", None)
    return payload_of(
        Occasion(run, event, NOON, more.pop("tasks", []), **more), threshold=threshold
    )


def test_the_payload_says_what_happened() -> None:
    run = ended(created_by=make_user(name="ann"), started_by=StartedBy.API)
    found = payload(run, tasks=failed(run, 1))
    base = "https://pipelines.example.com"
    assert found == {
        "event": "error",
        "title": "Nightly: Error",
        "text": "“Nightly” ended with an error after 1 min 14 sec. “Orders” failed.",
        "orchestration": {
            "id": run.orchestration_id,
            "name": "Nightly",
            "url": f"{base}/orchestrations/{run.orchestration_id}/",
        },
        "run": {
            "id": run.pk,
            "url": f"{base}/runs/{run.pk}/",
            "status": "error",
            "reason": "“Orders” failed.",
            "started_by": "api",
            "started_by_text": "API (ann)",
            "created_at": run.created_at.isoformat().replace("+00:00", "Z"),
            "started_at": "2026-06-01T11:58:46Z",
            "ended_at": "2026-06-01T12:00:00Z",
            "seconds": 74.0,
        },
        "tasks": [
            {
                "key": "t0",
                "name": "Orders 0",
                "status": "Error",
                "reason": "No such table.",
                "job": None,
                "url": None,
            }
        ],
        "tasks_failed": 1,
        "usual_seconds": None,
        "threshold": None,
    }


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (E.SUCCESS, "“Nightly” succeeded after 1 min 14 sec."),
        (E.WARNING, "“Nightly” ended with a warning after 1 min 14 sec. “Orders” failed."),
        (
            E.PROCESSING,
            "“Nightly” has been processing for 1 min 14 sec; usually it takes 10 sec.",
        ),
    ],
)
def test_each_event_is_told_in_a_sentence(event: NotificationEvent, expected: str) -> None:
    assert payload(ended(), event, usual=timedelta(seconds=10))["text"] == expected


def test_waiting_is_told_with_its_reason() -> None:
    run = make_run(
        make_empty_orchestration(name="Nightly"),
        status=RunStatus.WAITING,
        reason="Waiting for run 3 of this orchestration.",
    )
    run.created_at = NOON - timedelta(minutes=61)
    found = payload(run, E.WAITING, threshold=60)
    assert found["text"] == (
        "“Nightly” has been waiting for 1 hr 1 min, longer than 60 min. "
        "Waiting for run 3 of this orchestration."
    )
    assert "Waiting since: 2026-06-01 10:59:00 UTC" in write_mail(found).text


def test_of_many_failed_tasks_ten_are_named() -> None:
    run = ended()
    found = payload(run, tasks=failed(run, 12))
    assert (len(found["tasks"]), found["tasks_failed"]) == (10, 12)
    assert "- and 2 more" in write_mail(found).text
    assert "<li>and 2 more</li>" in write_mail(found).html


def test_a_name_over_several_lines_makes_one_line_of_a_subject() -> None:
    found = payload(ended("Night\r\nBcc: all@example.com"))
    assert subject_of(found) == "[Orchestrator] Night Bcc: all@example.com: Error"


def test_what_people_wrote_is_no_markup_anywhere() -> None:
    run = ended(NASTY)
    found = payload(run, tasks=failed(run, 1, NASTY))
    assert "<script>" not in write_mail(found).html
    assert NASTY in write_mail(found).text
    slack = str(write_json(found, Channel.SLACK, delivery_id=1))
    assert "<script>" not in slack
    assert "&lt;script&gt;" in slack
    card: Any = write_json(found, Channel.TEAMS, delivery_id=1)
    texts = [b["text"] for b in card["attachments"][0]["content"]["body"] if "text" in b]
    assert [text for text in texts if "[click](" in text] == []
    assert any(r"\[click\](" in text for text in texts)


def test_slack_gets_blocks() -> None:
    run = ended()
    found: Any = write_json(payload(run, tasks=failed(run, 1)), Channel.SLACK, delivery_id=1)
    assert found["text"].startswith("“Nightly” ended with an error")
    kinds = [(block["type"], sorted(set(block) - {"type"})) for block in found["blocks"]]
    assert kinds == [("section", ["text"]), ("section", ["fields"]), ("section", ["text"])]
    link = f"*<https://pipelines.example.com/runs/{run.pk}/|Nightly: Error>*"
    assert found["blocks"][0]["text"]["text"].startswith(link)


def test_teams_gets_an_adaptive_card() -> None:
    run = ended()
    found: Any = write_json(payload(run), Channel.TEAMS, delivery_id=1)
    (attachment,) = found["attachments"]
    card = attachment["content"]
    assert (found["type"], attachment["contentType"], card["type"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
        "AdaptiveCard",
    )
    assert card["actions"] == [
        {
            "type": "Action.OpenUrl",
            "title": "Open the run",
            "url": f"https://pipelines.example.com/runs/{run.pk}/",
        }
    ]


def test_a_test_says_that_it_is_one() -> None:
    orchestration = make_empty_orchestration(name="Nightly")
    found = payload_of_test(orchestration, by="ann")
    assert subject_of(found) == "[Orchestrator] Nightly: Test"
    mail = write_mail(found)
    assert "Open the orchestration" in mail.html
    assert mail.text.startswith("This is a test by ann: notifications of this orchestration")
