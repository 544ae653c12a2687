from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrations.models import Orchestration, OrchestrationVersion, Task
from orchestrations.services.orchestrations import save_orchestration
from orchestrations.services.restoring import copy_orchestration
from orchestrator_site.lib.secrets import HIDDEN, decrypt_tree
from tests.builders import make_configuration, make_orchestration

pytestmark = pytest.mark.django_db
SECRET = "correct horse"


def secret_task() -> Orchestration:
    parameters = {"url": "http://a", "#password": SECRET}
    return make_orchestration(
        [[{"configuration": make_configuration().pk, "parameters": parameters}]]
    )


def parameters_of(orchestration: Orchestration) -> Any:
    version = orchestration.versions.latest("number")
    return version.definition["phases"][0]["tasks"][0]["parameters"]


def test_secrets_of_tasks_are_stored_as_cipher_text() -> None:
    orchestration = secret_task()
    assert decrypt_tree(parameters_of(orchestration))["#password"] == SECRET
    definitions = OrchestrationVersion.objects.values_list("definition", flat=True)
    stored = [*definitions, *Task.objects.values_list("parameters", flat=True)]
    assert SECRET not in json.dumps(stored)


def test_a_secret_that_is_sent_back_hidden_stays() -> None:
    orchestration = secret_task()
    before = parameters_of(orchestration)
    [phase] = orchestration.versions.get().definition["phases"]
    [task] = phase["tasks"]
    shown = {**task, "parameters": {"url": "http://b", "#password": HIDDEN}}
    phases: Any = [{**phase, "tasks": [shown]}]
    save_orchestration(orchestration, user=None, expected_version=1, phases=phases)
    assert parameters_of(orchestration) == {**before, "url": "http://b"}


def test_a_copy_keeps_the_secrets() -> None:
    orchestration = secret_task()
    copy = copy_orchestration(orchestration, user=None)
    assert parameters_of(copy) == parameters_of(orchestration)
