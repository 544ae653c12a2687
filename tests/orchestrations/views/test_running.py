from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from components.enums import JobStatus
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Orchestration, Run
from orchestrations.services.orchestrations import move_to_trash, save_orchestration
from tests.builders import make_configuration, make_orchestration, make_run
from tests.control import Control
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


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
    second = Run.objects.latest("pk")
    said = json.loads(by_htmx["HX-Trigger"])
    assert by_htmx.status_code == 204
    assert said == {
        "toast": {
            "message": f"{orchestration} will run when run {run.pk} has ended.",
            "level": "success",
            "url": second.get_absolute_url(),
            "label": f"Run {second.pk}",
        },
        "closeModal": {},
        "refresh": {},
    }


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


def declare(orchestration: Orchestration, **variables: str) -> None:
    save_orchestration(orchestration, user=None, expected_version=1, variables=variables)


def test_the_dialog_offers_the_variables_with_their_usual_values(
    operator: Client, control: Control
) -> None:
    orchestration = make("a")
    declare(orchestration, city="Brno", day="today")
    path = reverse("orchestration-run", args=[orchestration.pk])
    html = operator.get(path).content.decode()
    assert re.findall(r'name="variable_name" value="(\w+)"', html) == ["city", "day"]
    assert re.findall(r'name="variable_value"[^>]*>\n(\w+)<', html) == ["Brno", "today"]
    typed = {
        "variable_name": ["city", "day", "extra", ""],
        "variable_value": ["Oslo", "today", "1", ""],
    }
    with control.capture(execute=True):
        operator.post(path, {"task": "t1", **typed})
    assert Run.objects.get().variables == {"city": "Oslo", "extra": "1"}


def test_a_line_for_one_more_variable_keeps_what_was_typed(operator: Client) -> None:
    orchestration = make("a", "b")
    declare(orchestration, city="Brno")
    typed = {
        "task": "t2",
        "variable_name": ["city"],
        "variable_value": ["Oslo"],
        "add-variable": "1",
    }
    path = reverse("orchestration-run", args=[orchestration.pk])
    html = operator.post(path, typed, headers=HTMX).content.decode()
    assert re.findall(r'name="variable_name" value="(\w*)"', html) == ["city", ""]
    assert re.findall(r'name="variable_value"[^>]*>\n(\w*)<', html) == ["Oslo", ""]
    assert re.findall(r'value="(t\d)" checked', html) == ["t2"]
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Give the variable a name."),
        ("city", "“city” is there twice."),
        ("1x", "A name is a letter and then letters"),
    ],
)
def test_a_wrong_variable_is_said_at_its_line(operator: Client, name: str, sentence: str) -> None:
    orchestration = make("a")
    declare(orchestration, city="Brno")
    typed = {"task": "t1", "variable_name": ["city", name], "variable_value": ["Brno", "kept"]}
    path = reverse("orchestration-run", args=[orchestration.pk])
    answer = operator.post(path, typed, headers=HTMX)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert re.findall(r'id="variable-error-(\d)">([^<]+)', html)[0][0] == "2"
    assert sentence in html
    assert re.findall(r'name="variable_value"[^>]*>\n(\w*)<', html) == ["Brno", "kept"]
    assert not Run.objects.exists()


def test_the_dialog_says_what_a_new_run_will_wait_for(operator: Client, control: Control) -> None:
    orchestration = make("a")
    path = reverse("orchestration-run", args=[orchestration.pk])
    assert "will wait" not in text_of(operator.get(path))
    first = make_run(orchestration)
    control.advance(first)
    alone = text_of(operator.get(path))
    assert f"Run {first.pk} is processing; yours will wait until it has ended." in alone
    control.advance(make_run(orchestration))
    assert "until it has ended, with 1 more before it." in text_of(operator.get(path))


def test_a_run_can_be_done_again_with_its_tasks_and_variables(operator: Client) -> None:
    orchestration = make("a", "b")
    old = make_run(orchestration, selected=["t2"], variables={"city": "Oslo"})
    path = reverse("orchestration-run", args=[orchestration.pk])
    html = operator.get(path, {"like": old.pk}).content.decode()
    assert re.findall(r'value="(t\d)" checked', html) == ["t2"]
    assert re.findall(r'name="variable_value"[^>]*>\n(\w*)<', html) == ["Oslo"]
    other = operator.get(path, {"like": make_run(make("c")).pk}).content.decode()
    assert re.findall(r'value="(t\d)" checked', other) == ["t1", "t2"]


def failed_run(control: Control) -> Run:
    """First succeeded, Second failed, Third was not executed."""
    run = make_run(make("First", "Second", "Third"))
    control.advance(run)
    control.end(run, "t1")
    control.end(run, "t2", JobStatus.ERROR, "Oh.")
    return run


def test_the_retry_has_what_failed_and_what_was_not_executed_checked(
    operator: Client, control: Control
) -> None:
    run = failed_run(control)
    answer = operator.get(reverse("run-retry", args=[run.pk]))
    boxes = re.findall(r'name="task" value="(t\d)"( checked)?', answer.content.decode())
    assert boxes == [("t1", ""), ("t2", " checked"), ("t3", " checked")]
    text = text_of(answer)
    assert f"First HTTP Success result of run {run.pk} is taken over" in text
    assert "Second HTTP Error" in text
    assert "Third HTTP Not executed" in text
    link = f'href="{reverse("run-retry", args=[run.pk])}"'
    assert link in operator.get(run.get_absolute_url()).content.decode()


def test_it_retries_the_tasks_that_were_chosen(operator: Client, control: Control) -> None:
    run = failed_run(control)
    path = reverse("run-retry", args=[run.pk])
    with control.capture(execute=True):
        answer = operator.post(path, {"task": ["t2"]}, headers=HTMX)
    again = Run.objects.exclude(pk=run.pk).get()
    assert answer["HX-Redirect"] == again.get_absolute_url()
    assert (again.retry_of, again.selected, again.started_by) == (run, ["t2"], StartedBy.RETRY)
    control.deliver()
    control.end(again, "t2")
    assert control.states(again) == "success: skipped success skipped"
    page = text_of(operator.get(again.get_absolute_url()))
    assert f"Run {again.pk} retries run {run.pk}." in page


def test_a_retry_that_cannot_be_is_said_and_makes_no_run(
    operator: Client, control: Control
) -> None:
    run = make_run(make("a"))
    path = reverse("run-retry", args=[run.pk])
    assert "has not ended yet" in text_of(operator.get(path))
    answer = operator.post(path, {"task": "t1"}, headers=HTMX)
    assert (answer.status_code, Run.objects.count()) == (422, 1)
    assert f"Run {run.pk} has not ended yet" in text_of(answer)
    control.advance(run)
    control.end(run, "t1")
    for tasks, sentence in (([], "Choose at least one task"), (["t9"], "has no task “t9”")):
        answer = operator.post(path, {"task": tasks}, headers=HTMX)
        assert (answer.status_code, Run.objects.count()) == (422, 1)
        assert sentence in text_of(answer)


def test_a_run_that_was_cancelled_before_it_began_can_be_retried(
    operator: Client, control: Control
) -> None:
    run = make_run(make("a", "b"), status=RunStatus.CANCELLED)
    path = reverse("run-retry", args=[run.pk])
    html = operator.get(path).content.decode()
    assert re.findall(r'value="(t\d)" checked', html) == ["t1", "t2"]
    with control.capture(execute=True):
        operator.post(path, {"task": ["t1", "t2"]})
    assert Run.objects.latest("pk").selected == ["t1", "t2"]


def test_the_dialogs_ask_as_many_questions_for_one_task_as_for_thirty(
    operator: Client, control: Control
) -> None:
    counts = []
    for number in (1, 30):
        targets = [make_configuration("ex-http") for _ in range(number)]
        run = make_run(make_orchestration([targets]), status=RunStatus.ERROR)
        for path in (
            reverse("orchestration-run", args=[run.orchestration_id]),
            reverse("run-retry", args=[run.pk]),
        ):
            with CaptureQueriesContext(connection) as asked:
                operator.get(path)
            counts.append(len(asked))
    assert counts[:2] == counts[2:]


def test_it_terminates_one_task_after_asking(operator: Client, control: Control) -> None:
    both = [make_configuration("ex-http", name=name) for name in ("First", "Second")]
    run = make_run(make_orchestration([both]))
    control.advance(run)
    path = reverse("task-terminate", args=[run.pk, control.task(run, "t1").pk])
    assert "“First” is stopped" in text_of(operator.get(path))
    assert control.states(run) == "processing: waiting waiting"
    with control.capture(execute=True):
        answer = operator.post(path, follow=True)
    assert "“First” is being terminated." in text_of(answer)
    assert control.states(run) == "processing: cancelled waiting"
    assert "“First” has already ended." in text_of(operator.post(path, follow=True))
    other = make_run(run.orchestration)
    stray = reverse("task-terminate", args=[other.pk, control.task(run, "t2").pk])
    assert operator.post(stray).status_code == 404
    assert control.states(run) == "processing: cancelled waiting"
