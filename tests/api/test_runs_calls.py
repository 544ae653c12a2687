from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from components.enums import JobStatus, TokenScope
from components.services.tokens import create_token
from orchestrations.models import Run
from tests.builders import make_configuration, make_orchestration, make_run, make_user
from tests.control import Control

pytestmark = pytest.mark.django_db


class Api:
    """Calls with an Operator's token."""

    def __init__(self, client: Client) -> None:
        self.client = client
        _, self.text = create_token(make_user(role="Operator"), name="t", scope=TokenScope.RUN)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        answer = self.client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else self.client._encode_json(body, "application/json"),  # type: ignore[attr-defined]  # noqa: SLF001
            content_type="application/json",
            headers={"authorization": f"Bearer {self.text}", **headers},
        )
        return answer.status_code, answer.json()


@pytest.fixture
def api(client: Client) -> Api:
    return Api(client)


def failed_run(control: Control) -> Run:
    """t1 succeeded, t2 failed, t3 was not executed."""
    run = make_run(make_orchestration([[make_configuration()] for _ in range(3)]))
    control.advance(run)
    control.end(run, "t1")
    control.end(run, "t2", JobStatus.ERROR, "Oh.")
    return run


def test_a_retry_runs_what_failed_or_was_not_executed(api: Api, control: Control) -> None:
    run = failed_run(control)
    with control.capture(execute=True):
        status, made = api("POST", f"/runs/{run.pk}/retry")
    again = Run.objects.get(pk=made["id"])
    assert (status, made["retry_of"], made["started_by"]) == (202, run.pk, "retry")
    assert again.selected == ["t2", "t3"]


def test_a_retry_of_chosen_tasks_happens_once_for_a_key(api: Api, control: Control) -> None:
    run = failed_run(control)
    body = {"tasks": ["t1"], "variables": {"city": "Oslo"}}
    with control.capture(execute=True):
        answers = [
            api("POST", f"/runs/{run.pk}/retry", body, **{"Idempotency-Key": "k1"})
            for _ in range(2)
        ]
    assert answers[0] == answers[1]
    again = Run.objects.exclude(pk=run.pk).get()
    assert (again.selected, again.variables) == (["t1"], {"city": "Oslo"})


def test_a_retry_is_refused_with_its_reason(api: Api, control: Control) -> None:
    run = failed_run(control)
    status, body = api("POST", f"/runs/{run.pk}/retry", {"tasks": ["t9"]})
    assert (status, body["error"]["fields"]) == (
        422,
        {"tasks": "This orchestration has no task “t9”."},
    )
    unfinished = make_run(run.orchestration)
    status, body = api("POST", f"/runs/{unfinished.pk}/retry")
    assert (status, body["error"]["message"]) == (409, f"Run {unfinished.pk} has not ended yet.")
    assert Run.objects.count() == 2


def test_one_task_is_terminated(api: Api, control: Control) -> None:
    both: Any = [make_configuration(name=name) for name in "ab"]
    run = make_run(make_orchestration([both]))
    control.advance(run)
    with control.capture(execute=True):
        status, body = api("POST", f"/runs/{run.pk}/tasks/t1/terminate")
    assert (status, [task["status"] for task in body["tasks"]]) == (202, ["terminating", "waiting"])
    status, body = api("POST", f"/runs/{run.pk}/tasks/t1/terminate")
    assert (status, body["error"]["message"]) == (409, "“a” has already ended.")
    assert api("POST", f"/runs/{run.pk}/tasks/t9/terminate")[0] == 404


def test_the_log_of_a_run_is_read_page_by_page(api: Api, control: Control) -> None:
    run = failed_run(control)
    status, first = api("GET", f"/runs/{run.pk}/log?limit=3")
    assert status == 200
    status, rest = api("GET", f"/runs/{run.pk}/log?after={first['next']}")
    said = [(row["task"], row["message"]) for row in first["items"] + rest["items"]]
    names = list(run.task_runs.values_list("name", flat=True))
    assert said == [
        (None, "Processing"),
        (names[0], "Waiting"),
        (names[0], "Processing"),
        (names[0], "Success"),
        (names[1], "Waiting"),
        (names[1], "Processing"),
        (names[1], "Error: Oh."),
        (names[2], f"Skipped: “{names[1]}” failed before it."),
        (None, f"Error: “{names[1]}” failed: Oh."),
    ]
    again = api("GET", f"/runs/{run.pk}/log?after={rest['next']}")
    assert again == (200, {"items": [], "next": rest["next"]})


def test_the_log_of_a_run_is_filtered(api: Api, control: Control) -> None:
    run = failed_run(control)

    def messages(query: str) -> list[str]:
        _, body = api("GET", f"/runs/{run.pk}/log?{query}")
        return [row["message"] for row in body["items"]]

    assert messages("task=t1") == ["Waiting", "Processing", "Success"]
    assert messages("task=t2&level=error") == ["Error: Oh."]
    assert messages("task=t1&text=succ") == ["Success"]
    assert api("GET", f"/runs/{run.pk}/log?task=t9")[0] == 404
    status, body = api("GET", f"/runs/{run.pk}/log?after=nonsense")
    assert (status, body["error"]["message"]) == (422, "“after” is not the `next` of an answer.")
