from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from orchestrations.models import Orchestration
from orchestrations.services.orchestrations import move_to_trash
from tests.builders import make_configuration, make_user
from tests.orchestrations.services.exchange.conftest import exported, project

__all__ = ["project"]
pytestmark = pytest.mark.django_db


def test_the_project_is_downloaded(client: Client, project: Orchestration) -> None:
    client.force_login(make_user(role="Viewer"))
    answer = client.get(reverse("project-export"))
    assert answer["Content-Disposition"] == 'attachment; filename="project.yaml"'
    assert answer.content.decode() == exported()
    for page in (reverse("orchestrations"), project.get_absolute_url()):
        assert "export/" in client.get(page).content.decode()


def test_an_orchestration_comes_with_what_it_runs(client: Client, project: Orchestration) -> None:
    make_configuration(name="Not used")
    client.force_login(make_user(role="Viewer"))
    answer = client.get(reverse("orchestration-export", args=[project.pk]))
    assert answer["Content-Disposition"] == 'attachment; filename="nightly.yaml"'
    text = answer.content.decode()
    for name in ("shop-db", "zlutoucky-kun", "inner", "nightly"):
        assert f"\n  {name}:\n" in text
    assert "Not used" not in text
    assert "Not used" in exported()


def test_who_may_not_see_the_project_gets_nothing(client: Client, project: Orchestration) -> None:
    one = reverse("orchestration-export", args=[project.pk])
    for address in (reverse("project-export"), one):
        assert client.get(address).status_code == 302  # to the log-in
    client.force_login(make_user())
    for address in (reverse("project-export"), one):
        assert client.get(address).status_code == 403
    client.force_login(make_user(role="Viewer"))
    assert client.post(one).status_code == 405
    move_to_trash(project, user=None)
    assert client.get(one).status_code == 404
