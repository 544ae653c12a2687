"""Who may open what, and how: each address of the pages, each role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from components.models import Configuration
from orchestrations.models import Orchestration, Run, TaskRun
from tests.builders import make_configuration, make_orchestration, make_run, make_user

pytestmark = pytest.mark.django_db

VIEW, OPERATE, EDIT = 0, 1, 2
ROLES = (None, "Viewer", "Operator", "Editor", "Admin")
RANK = {None: -1, "Viewer": 0, "Operator": 1, "Editor": 2, "Admin": 2}


def pages() -> dict[str, tuple[str, str, int]]:
    """Address name → method, path, right that it needs; all of them on one small project."""
    configuration = make_configuration("ex-http", name="Orders")
    orchestration = make_orchestration([[configuration]])
    run = make_run(orchestration)
    task = TaskRun.objects.create(
        run=run, key="t1", phase=0, phase_key="p1", phase_name="Phase 1", position=0, name="Orders"
    )
    thrown = make_orchestration([], name="Thrown")
    Orchestration.objects.filter(pk=thrown.pk).update(deleted_at=run.created_at)
    pk = orchestration.pk

    def at(name: str, *args: Any) -> str:
        return reverse(name, args=args)

    return {
        "dashboard": ("get", at("dashboard"), VIEW),
        "sample-load": ("post", at("sample-load"), EDIT),
        "orchestrations": ("get", at("orchestrations"), VIEW),
        "new": ("get", at("orchestration-new"), EDIT),
        "new (post)": ("post", at("orchestration-new"), EDIT),
        "orchestration": ("get", at("orchestration", pk), VIEW),
        "details": ("get", at("orchestration-details", pk), EDIT),
        "details (post)": ("post", at("orchestration-details", pk), EDIT),
        "tasks": ("get", at("orchestration-tasks", pk), EDIT),
        "tasks (post)": ("post", at("orchestration-tasks", pk), EDIT),
        "runs of one": ("get", at("orchestration-runs", pk), VIEW),
        "start": ("get", at("orchestration-run", pk), OPERATE),
        "start (post)": ("post", at("orchestration-run", pk), OPERATE),
        "enabled": ("post", at("orchestration-enabled", pk), OPERATE),
        "copy": ("get", at("orchestration-copy", pk), EDIT),
        "copy (post)": ("post", at("orchestration-copy", pk), EDIT),
        "versions": ("get", at("orchestration-versions", pk), VIEW),
        "compare versions": ("get", at("orchestration-compare", pk), VIEW),
        "version": ("get", at("orchestration-version", pk, 1), VIEW),
        "restore version": ("get", at("orchestration-restore", pk, 1), EDIT),
        "restore version (post)": ("post", at("orchestration-restore", pk, 1), EDIT),
        "runs": ("get", at("runs"), VIEW),
        "runs-search": ("get", at("runs-search"), VIEW),
        "run": ("get", at("run", run.pk), VIEW),
        "run log": ("get", at("run-log", run.pk), VIEW),
        "run log file": ("get", at("run-log-download", run.pk), VIEW),
        "attempts": ("get", at("task-attempts", run.pk, task.pk), VIEW),
        "retry": ("get", at("run-retry", run.pk), OPERATE),
        "retry (post)": ("post", at("run-retry", run.pk), OPERATE),
        "terminate task": ("get", at("task-terminate", run.pk, task.pk), OPERATE),
        "terminate task (post)": ("post", at("task-terminate", run.pk, task.pk), OPERATE),
        "terminate": ("get", at("run-terminate", run.pk), OPERATE),
        "terminate (post)": ("post", at("run-terminate", run.pk), OPERATE),
        "usage": ("get", at("configuration-usage", configuration.pk), VIEW),
        "trash": ("get", at("trash"), VIEW),
        "purge": ("get", at("trash-purge"), EDIT),
        "purge (post)": ("post", at("trash-purge"), EDIT),
        "restore": ("post", at("trash-restore"), EDIT),
        "search": ("get", at("search"), VIEW),
        "bulk": ("post", at("orchestrations-bulk"), OPERATE),
        "throw away": ("post", at("orchestration-trash", pk), EDIT),
    }


NAMES = (
    "dashboard",
    "sample-load",
    "orchestrations",
    "new",
    "new (post)",
    "orchestration",
    "details",
    "details (post)",
    "tasks",
    "tasks (post)",
    "runs of one",
    "start",
    "start (post)",
    "enabled",
    "copy",
    "copy (post)",
    "versions",
    "compare versions",
    "version",
    "restore version",
    "restore version (post)",
    "runs",
    "runs-search",
    "run",
    "run log",
    "run log file",
    "attempts",
    "retry",
    "retry (post)",
    "terminate task",
    "terminate task (post)",
    "terminate",
    "terminate (post)",
    "usage",
    "trash",
    "purge",
    "purge (post)",
    "restore",
    "search",
    "bulk",
    "throw away",
)
POST_ONLY = (
    "sample-load",
    "enabled",
    "restore",
    "bulk",
    "throw away",
)
State = list[tuple[Any, ...]]


def state() -> State:
    """All that the calls could have changed."""
    rows: list[Callable[[], Any]] = [
        lambda: Orchestration.objects.values_list(
            "pk", "name", "version", "is_enabled", "deleted_at"
        ),
        lambda: Configuration.objects.values_list("pk", "deleted_at"),
        lambda: Run.objects.values_list("pk", "status", "terminate_at"),
    ]
    return [row for query in rows for row in query().order_by("pk")]


def test_the_table_names_every_address() -> None:
    assert tuple(pages()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_lets_in_who_may_and_nobody_else(name: str) -> None:
    method, path, needed = pages()[name]
    for role in ROLES:
        if RANK[role] >= needed:
            continue
        client = Client()
        client.force_login(make_user(role=role))
        before = state()
        assert getattr(client, method)(path).status_code == 403, role
        assert state() == before
    allowed = {VIEW: "Viewer", OPERATE: "Operator", EDIT: "Editor"}[needed]
    client = Client()
    client.force_login(make_user(role=allowed))
    assert getattr(client, method)(path).status_code in {200, 302, 422}


@pytest.mark.parametrize("name", NAMES)
def test_it_sends_the_logged_out_to_log_in(name: str) -> None:
    method, path, _ = pages()[name]
    before = state()
    response = getattr(Client(), method)(path)
    back = path if method == "get" else "/"  # what was posted cannot be got afterwards
    assert (response.status_code, response["Location"]) == (302, f"/accounts/login/?next={back}")
    assert state() == before


@pytest.mark.parametrize("name", POST_ONLY)
def test_it_changes_nothing_by_get(name: str) -> None:
    _, path, _ = pages()[name]
    client = Client()
    client.force_login(make_user(role="Editor"))
    before = state()
    assert client.get(path).status_code == 405
    assert state() == before


@pytest.mark.parametrize(
    "path",
    [
        "/orchestrations/999999/",
        "/orchestrations/999999/details/",
        "/orchestrations/999999/tasks/",
        "/orchestrations/999999/runs/",
        "/orchestrations/999999/run/",
        "/orchestrations/999999/versions/",
        "/orchestrations/99999999999999999999999999/",
        "/runs/999999/",
        "/runs/99999999999999999999999999/",
        "/runs/999999/log/",
        "/runs/999999/log/download/",
        "/runs/999999/retry/",
        "/runs/999999/tasks/1/attempts/",
        "/runs/999999/tasks/1/terminate/",
        "/runs/999999/terminate/",
        "/configurations/999999/orchestrations/",
        "/jobs/999999/run/",
    ],
)
def test_it_answers_404_for_what_is_not_there(path: str) -> None:
    client = Client()
    client.force_login(make_user(role="Editor"))
    assert client.get(path).status_code == 404
