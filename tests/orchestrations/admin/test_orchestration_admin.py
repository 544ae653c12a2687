from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from components.enums import JobStatus
from orchestrations.enums import RunStatus
from orchestrations.models import Orchestration, Run
from orchestrations.services.orchestrations import move_to_trash
from tests.builders import make_configuration, make_orchestration, make_run, make_user
from tests.control import Control

pytestmark = pytest.mark.django_db
MODELS = ("orchestration", "orchestrationversion", "task", "run", "taskrun", "runevent")


@pytest.fixture
def admin() -> Client:
    user = make_user(role="Admin", name="root")
    user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)
    return client


def act(client: Client, model: str, action: str, *pks: int) -> str:
    path = reverse(f"admin:orchestrations_{model}_changelist")
    chosen = {"action": action, "_selected_action": [str(pk) for pk in pks]}
    return client.post(path, chosen, follow=True).content.decode()


def test_every_list_and_every_row_opens(admin: Client, control: Control) -> None:
    orchestration = make_orchestration([[make_configuration("ex-http", name="Orders")]])
    run = make_run(orchestration)
    control.advance(run)
    control.end(run, "t1", JobStatus.ERROR, "No such table.")
    for model in MODELS:
        path = reverse(f"admin:orchestrations_{model}_changelist")
        answer = admin.get(path, {"q": "1"})
        assert answer.status_code == 200
        first = answer.context["cl"].model_admin.model.objects.first()
        row = admin.get(reverse(f"admin:orchestrations_{model}_change", args=[first.pk]))
        assert row.status_code == 200, model


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_added_or_deleted(admin: Client, model: str, control: Control) -> None:
    control.advance(make_run(make_orchestration([[make_configuration("ex-http")]])))
    assert admin.get(reverse(f"admin:orchestrations_{model}_add")).status_code == 403
    path = reverse(f"admin:orchestrations_{model}_changelist")
    first = admin.get(path).context["cl"].model_admin.model.objects.first()
    gone = reverse(f"admin:orchestrations_{model}_delete", args=[first.pk])
    assert admin.post(gone, {"post": "yes"}).status_code == 403
    assert type(first).objects.filter(pk=first.pk).exists()


@pytest.mark.parametrize("model", MODELS[1:])
def test_history_is_not_changed(admin: Client, model: str, control: Control) -> None:
    control.advance(make_run(make_orchestration([[make_configuration("ex-http")]])))
    path = reverse(f"admin:orchestrations_{model}_changelist")
    first = admin.get(path).context["cl"].model_admin.model.objects.first()
    change = reverse(f"admin:orchestrations_{model}_change", args=[first.pk])
    assert admin.post(change, {"status": "success", "reason": "x"}).status_code == 403


def test_a_save_makes_a_version(admin: Client) -> None:
    orchestration = make_orchestration([[make_configuration("ex-http")]], name="Old")
    path = reverse("admin:orchestrations_orchestration_change", args=[orchestration.pk])
    form = {
        "name": "New",
        "description": "Why",
        "phases-TOTAL_FORMS": 0,
        "phases-INITIAL_FORMS": 0,
        "versions-TOTAL_FORMS": 0,
        "versions-INITIAL_FORMS": 0,
    }
    assert admin.post(path, form).status_code == 302
    version = orchestration.versions.latest("number")
    assert (version.number, version.definition["name"]) == (2, "New")
    assert version.created_by is not None
    assert version.created_by.username == "root"
    orchestration.refresh_from_db()
    assert (orchestration.name, orchestration.version) == ("New", 2)
    assert admin.post(path, {**form, "name": "  "}).status_code == 200
    assert orchestration.versions.count() == 2
    move_to_trash(orchestration, user=None)
    assert admin.post(path, form).status_code == 403


def test_the_actions_run_and_switch(admin: Client, control: Control) -> None:
    one, thrown = make_orchestration([]), make_orchestration([])
    move_to_trash(thrown, user=None)
    with control.capture(execute=True):
        shown = act(admin, "orchestration", "run_now", one.pk, thrown.pk)
    run = Run.objects.get()
    assert (run.orchestration, list(control.rung)) == (one, [run.pk])
    assert "Runs started: 1." in shown
    assert "is in the trash" in shown
    assert "Switched off: 1." in act(admin, "orchestration", "disable", one.pk, thrown.pk)
    assert Orchestration.objects.get(pk=one.pk).is_enabled is False
    act(admin, "orchestration", "enable", one.pk)
    assert Orchestration.objects.get(pk=one.pk).is_enabled is True


def test_the_action_terminates_runs(admin: Client, control: Control) -> None:
    going = make_run(make_orchestration([[make_configuration("ex-http")]]))
    ended = make_run(make_orchestration([]), status=RunStatus.SUCCESS)
    control.advance(going)
    with control.capture(execute=True):
        shown = act(admin, "run", "terminate", going.pk, ended.pk)
    control.deliver()
    assert control.states(going) == "terminated: cancelled"
    assert "Runs being terminated: 1." in shown
    assert f"Run {ended.pk} has already ended." in shown
