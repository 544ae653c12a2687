from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from components.models import Component, Configuration, Job
from components.services import job_transitions
from components.services.configurations import create_configuration
from components.services.jobs import create_job
from tests.builders import make_component, make_configuration, make_user

pytestmark = pytest.mark.django_db

LIST = "/admin/components/configuration/"


@pytest.fixture
def staff(client: Client) -> User:
    user = make_user(role="Admin", name="root")
    client.force_login(user)
    return user


@pytest.fixture
def configuration() -> Configuration:
    component = Component.objects.get(key="ex-sql")
    parameters = {
        "type": "postgresql",
        "database": "shop",
        "#password": "s3cret",
        "sources": [{"table": "orders"}],
    }
    return create_configuration(component, user=None, name="Shop", parameters=parameters)


def act(client: Client, action: str, *chosen: Configuration) -> str:
    data = {"action": action, "_selected_action": [c.pk for c in chosen]}
    return client.post(LIST, data, follow=True).content.decode()


@pytest.mark.usefixtures("staff")
def test_limits_of_a_component_are_set_and_nothing_else(client: Client) -> None:
    component = Component.objects.get(key="ex-sql")
    where = reverse("admin:components_component_change", args=[component.pk])
    client.post(where, {"name": "Hacked", "key": "x", "is_active": "on", "max_parallel": "2"})
    component.refresh_from_db()
    assert (component.name, component.key, component.max_parallel) == ("Database", "ex-sql", 2)
    assert client.get("/admin/components/component/add/").status_code == 403
    assert client.post(where.replace("change", "delete")).status_code == 403


@pytest.mark.usefixtures("staff")
def test_a_higher_limit_counts_at_once_and_none_is_refused(
    client: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    component = make_component(max_parallel=1)
    jobs = [create_job(make_configuration(component)) for _ in range(2)]
    claims = [job_transitions.claim(job.pk, worker="w") for job in jobs]
    assert claims[1] is None
    where = reverse("admin:components_component_change", args=[component.pk])
    refused = client.post(where, {"is_active": "on", "max_parallel": "0"}).content.decode()
    assert "Ensure this value is greater than or equal to 1." in refused
    assert Component.objects.get(pk=component.pk).max_parallel == 1
    with django_capture_on_commit_callbacks() as callbacks:
        client.post(where, {"is_active": "on", "max_parallel": "2"})
    assert [callback.args[1] for callback in callbacks] == [(jobs[1].pk,)]  # type: ignore[attr-defined]  # a partial


def test_a_rename_makes_a_version_and_secrets_are_not_shown(
    client: Client, staff: User, configuration: Configuration
) -> None:
    where = reverse("admin:components_configuration_change", args=[configuration.pk])
    page = client.get(where).content.decode()
    assert "••••••••" in page
    assert ("s3cret" in page, configuration.parameters["#password"] in page) == (False, False)
    rows = {"versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0}
    client.post(where, {"name": "Store", "description": "", **rows})
    configuration.refresh_from_db()
    latest = configuration.versions.latest("number")
    assert (configuration.name, configuration.version) == ("Store", 2)
    assert (latest.change, latest.created_by) == ("Renamed to Store", staff)


def test_actions_run_throw_away_and_restore(
    client: Client, staff: User, configuration: Configuration
) -> None:
    other = create_configuration(configuration.component, user=None, name="Other")
    assert "2 configurations were started." in act(client, "run_now", configuration, other)
    assert Job.objects.filter(created_by=staff).count() == 2
    page = act(client, "to_trash", configuration)
    assert "Shop: A job of this configuration is unfinished; terminate it first." in page
    Job.objects.all().delete()
    assert "1 configuration was moved." in act(client, "to_trash", configuration)
    assert "Shop" not in client.get(f"{LIST}?trash=no").content.decode().split("<tbody>")[1]
    assert "1 configuration was restored." in act(client, "from_trash", configuration)
    configuration.refresh_from_db()
    assert configuration.deleted_at is None


def test_staff_without_the_right_is_offered_no_action(
    client: Client, configuration: Configuration
) -> None:
    client.force_login(make_user(role="Viewer", staff=True))
    assert client.get(LIST).status_code == 403
    client.force_login(make_user(role="Operator", staff=True))
    client.post(LIST, {"action": "run_now", "_selected_action": [configuration.pk]})
    assert Job.objects.count() == 0
