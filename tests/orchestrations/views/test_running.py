from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from orchestrations.enums import StartedBy
from orchestrations.models import Orchestration, Run
from orchestrations.services.orchestrations import move_to_trash
from tests.builders import make_configuration, make_orchestration, make_run, make_user
from tests.control import Control

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(make_user(role="Operator", name="ada"))
    return client


def text_of(response: object) -> str:
    html = response.content.decode()  # type: ignore[attr-defined]
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def make(*names: str) -> Orchestration:
    """One phase for each name, with one task of that name."""
    return make_orchestration([[make_configuration("ex-http", name=name)] for name in names])


def test_the_dialog_lists_all_tasks_with_the_active_ones_checked(operator: Client) -> None:
    on, off = (make_configuration("ex-http", name=name) for name in ("On", "Off"))
    orchestration = make_orchestration([[on], [{"configuration": off.pk, "is_active": False}]])
    html = operator.get(reverse("orchestration-run", args=[orchestration.pk])).content.decode()
    boxes = re.findall(r'name="task" value="(t\d)"( checked)?', html)
    assert boxes == [("t1", " checked"), ("t2", "")]
    assert f"run the orchestration <strong>{orchestration}</strong> manually" in html
    part = operator.get(reverse("orchestration-run", args=[orchestration.pk]), headers=HTMX)
    assert "<html" not in part.content.decode()


@pytest.mark.parametrize(
    ("chosen", "selected"), [(["t1", "t2"], None), (["t2"], ["t2"]), (["t1"], ["t1"])]
)
def test_it_runs_the_tasks_that_were_chosen(
    operator: Client, control: Control, chosen: list[str], selected: list[str] | None
) -> None:
    orchestration = make("a", "b")
    path = reverse("orchestration-run", args=[orchestration.pk])
    with control.capture(execute=True):
        answer = operator.post(path, {"task": chosen})
    run = Run.objects.get()
    assert answer["Location"] == run.get_absolute_url()
    assert (run.selected, run.started_by) == (selected, StartedBy.MANUAL)
    assert run.created_by is not None
    assert run.created_by.username == "ada"
    assert list(control.rung) == [run.pk]
    with control.capture(execute=True):
        by_htmx = operator.post(path, {"task": chosen}, headers=HTMX)
    assert by_htmx["HX-Redirect"] == Run.objects.latest("pk").get_absolute_url()


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [([], "Choose at least one task to run."), (["t9"], "This orchestration has no task “t9”.")],
)
def test_a_wrong_choice_is_said_and_runs_nothing(
    operator: Client, chosen: list[str], sentence: str
) -> None:
    orchestration = make("a")
    path = reverse("orchestration-run", args=[orchestration.pk])
    answer = operator.post(path, {"task": chosen}, headers=HTMX)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not Run.objects.exists()


def test_one_in_the_trash_cannot_be_run(operator: Client) -> None:
    orchestration = make("a")
    move_to_trash(orchestration, user=None)
    path = reverse("orchestration-run", args=[orchestration.pk])
    assert operator.post(path, {"task": "t1"}).status_code == 404
    assert not Run.objects.exists()


def test_it_terminates_a_run_after_asking(operator: Client, control: Control) -> None:
    run = make_run(make("a"))
    control.advance(run)
    path = reverse("run-terminate", args=[run.pk])
    assert "Terminate the run?" in text_of(operator.get(path))
    run.refresh_from_db()
    assert run.terminate_at is None
    with control.capture(execute=True):
        answer = operator.post(path)
    control.deliver()
    run.refresh_from_db()
    assert answer["Location"] == run.get_absolute_url()
    assert run.terminated_by is not None
    assert (run.status, run.terminated_by.username) == ("terminated", "ada")
    again = operator.post(path, follow=True)
    assert f"Run {run.pk} has already ended." in text_of(again)
