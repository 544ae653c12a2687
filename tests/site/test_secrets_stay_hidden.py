"""A secret that was entered is in no page, call, export or record of changes, and in no row."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.http import HttpResponseBase
from django.test import Client
from django.urls import reverse

from components.enums import TokenScope
from components.services.configurations import create_configuration, update_configuration
from components.services.jobs import create_job
from components.services.tokens import create_token
from orchestrations.enums import TriggerKind
from orchestrations.services.notifications import save_notifications, signing_secret
from orchestrations.services.orchestration_tokens import refresh_token
from orchestrations.services.triggers import create_trigger, new_hook_secret
from orchestrator_site.api import api
from tests.builders import make_component, make_orchestration, make_user
from tests.site.test_every_address import ADDRESSES, path_of, project

pytestmark = pytest.mark.django_db

MARKS = ("marker-Pa55word", "marker-0lder", "T0/B0/marker-h00k")


@pytest.fixture
def secrets() -> tuple[dict[str, int], list[str]]:
    """Enter a secret wherever one can be; return the ids of what has them, and all secrets."""
    user = make_user(role="Editor")
    ids = project()
    configuration = create_configuration(
        make_component("test-secrets"), user=user, name="Shop", parameters={"#password": MARKS[1]}
    )
    update_configuration(configuration, user=user, parameters={"#password": MARKS[0]})
    job = create_job(configuration, user=user, parameters={"#password": MARKS[0]})
    orchestration = make_orchestration(
        [[{"configuration": configuration.pk, "parameters": {"#password": MARKS[1]}}]], user=user
    )
    url = f"https://hooks.slack.com/services/{MARKS[2]}"
    save_notifications(orchestration, [{"event": "error", "address": url}], user=user)
    _, own = refresh_token(orchestration, user=user)
    _, token = create_token(user, name="Mine", scope=TokenScope.WRITE)
    ids |= {"configurations": configuration.pk, "orchestrations": orchestration.pk, "jobs": job.pk}
    hook = create_trigger(orchestration, user=user, kind=TriggerKind.WEBHOOK)
    ids["triggers"] = hook.pk
    return ids, [*MARKS, own, token, signing_secret(orchestration), new_hook_secret(hook)]


def found_in(answer: HttpResponseBase, secrets: list[str]) -> list[str]:
    content = answer.getvalue() if answer.streaming else getattr(answer, "content", b"")
    return [secret for secret in secrets if secret.encode() in content]


def test_no_page_shows_one(secrets: tuple[dict[str, int], list[str]]) -> None:
    client = Client()
    client.force_login(make_user(role="Admin"))
    paths = [path_of(route, secrets[0]) for route in ADDRESSES]
    shown = {path: found_in(client.get(path), secrets[1]) for path in paths}
    assert {path: found for path, found in shown.items() if found} == {}


def test_no_call_answers_one(secrets: tuple[dict[str, int], list[str]]) -> None:
    client = Client()
    client.force_login(make_user(role="Admin"))
    shown: dict[str, Any] = {}
    for path, calls in api.get_openapi_schema(path_prefix="")["paths"].items():
        if "get" in calls:
            route = path.removeprefix("/").replace("{pk}", "<int:pk>").replace("{key}", "<str:key>")
            whole = "/api/v1" + path_of(route.replace("{number}", "1"), secrets[0])
            shown[whole] = found_in(client.get(whole), secrets[1])
    assert {path: found for path, found in shown.items() if found} == {}


def test_the_panel_shows_none(secrets: tuple[dict[str, int], list[str]]) -> None:
    client = Client()
    user = make_user(role="Admin")
    user.is_superuser = True
    user.save()
    client.force_login(user)
    shown: dict[str, Any] = {}
    for model in admin.site._registry:  # noqa: SLF001  # there is no public list
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"  # noqa: SLF001
        paths = [reverse(f"{name}_changelist")]
        paths += [reverse(f"{name}_change", args=[row.pk]) for row in model._base_manager.all()[:9]]  # noqa: SLF001
        shown |= {path: found_in(client.get(path), secrets[1]) for path in paths}
    assert {path: found for path, found in shown.items() if found} == {}


def test_no_row_holds_one(secrets: tuple[dict[str, int], list[str]]) -> None:
    rows = [
        (model.__name__, str(row))
        for model in apps.get_models()
        if model._meta.app_label in {"components", "orchestrations"}  # noqa: SLF001
        for row in model._base_manager.values()  # noqa: SLF001
    ]
    assert [row for row in rows for secret in secrets[1] if secret in row[1]] == []
