from __future__ import annotations

import time
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from pytest_django import Settings

from components import builtin
from components.builtin import manifests
from components.exceptions import RunnerError
from components.models import Component
from components.services import catalogue
from components.services.catalogue import sync_components
from components.services.roles import sync_roles
from orchestrator_site.lib.access import EDIT, OPERATE, VIEW
from orchestrator_site.lib.secrets import HIDDEN, encrypt_tree
from tests.builders import make_configuration, make_user
from tests.job_components import MANIFEST

MODULE = "tests.job_components"


@pytest.fixture
def script(settings: Settings, tmp_path: Path, db: None) -> Component:  # noqa: ARG001
    settings.HOME = tmp_path
    settings.COMPONENT_MODULES = [MODULE]
    sync_components()
    return Component.objects.get(key="test-script")


def test_every_built_in_component_is_in_the_catalogue_after_migrate(db: None) -> None:  # noqa: ARG001
    assert set(Component.objects.values_list("key", flat=True)) == set(manifests())
    assert len(manifests()) > 0


def test_a_component_is_written_as_its_manifest_says(script: Component) -> None:
    assert script.schema == MANIFEST.schema
    assert (script.name, script.type, script.can_test, script.has_input) == (
        "Script",
        "application",
        True,
        False,
    )


def test_writing_again_keeps_what_an_administrator_set(script: Component) -> None:
    Component.objects.filter(pk=script.pk).update(
        name="Old", time_limit=5, memory_limit_mb=99, max_parallel=2, is_active=False
    )
    sync_components()
    script.refresh_from_db()
    assert script.name == "Script"
    assert (script.time_limit, script.memory_limit_mb, script.max_parallel) == (5, 99, 2)
    assert not script.is_active


@pytest.mark.usefixtures("script")
def test_a_second_sync_writes_nothing(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(3):  # type: ignore[operator]  # savepoint and one SELECT
        sync_components()


def test_two_components_with_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="Two components have the key “test-script”"):
        builtin.manifests([MODULE, MODULE])


def test_the_roles_have_their_rights(db: None) -> None:  # noqa: ARG001
    def rights(role: str) -> set[str]:
        permissions = Group.objects.get(name=role).permissions.select_related("content_type")
        return {f"{p.content_type.app_label}.{p.codename}" for p in permissions}

    assert rights("Viewer") == {VIEW}
    assert rights("Operator") == {VIEW, OPERATE}
    assert rights("Editor") == {VIEW, OPERATE, EDIT}
    admin = make_user(role="Admin")
    assert admin.has_perms([EDIT, "auth.change_user", "django_celery_beat.view_periodictask"])
    Group.objects.get(name="Viewer").permissions.add(
        *Group.objects.get(name="Editor").permissions.all()
    )
    sync_roles()
    assert rights("Viewer") == {VIEW, OPERATE, EDIT}  # what an administrator gave stays


def test_migrating_again_is_harmless(script: Component) -> None:
    call_command("migrate", verbosity=0)
    assert Component.objects.filter(pk=script.pk).exists()


def test_a_connection_is_tested_with_the_parameters_of_the_form(script: Component) -> None:
    stored = make_configuration(script, parameters=encrypt_tree({"#secret": "horse"}))
    answer = catalogue.test_connection(script, {"place": "there", "#secret": HIDDEN}, stored)
    assert answer == "Reached there as [hidden]."
    assert catalogue.test_connection(script, {}) == "Reached here as None."


def test_a_connection_that_fails_says_why(script: Component) -> None:
    with pytest.raises(RunnerError, match=r"^Refused: closed\.$"):
        catalogue.test_connection(script, {"refuse": "closed"})


def test_a_test_that_hangs_is_ended(
    script: Component, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(catalogue, "TEST_SECONDS", 1)
    started = time.monotonic()
    with pytest.raises(RunnerError, match="longer than its time limit of 1 second"):
        catalogue.test_connection(script, {"hang": True})
    assert time.monotonic() - started < 10
    assert list((tmp_path / "work").iterdir()) == []
