from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from orchestrations.enums import StartedBy
from orchestrations.models import Orchestration
from orchestrations.services.orchestrations import move_to_trash
from orchestrations.services.runs import start_run
from tests.builders import make_configuration, make_orchestration, make_run
from tests.control import Control
from tests.pages import text_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def make(*names: str) -> Orchestration:
    """One phase for each name, with one task of that name."""
    return make_orchestration([[make_configuration("ex-http", name=name)] for name in names])


def test_a_job_tells_its_run_and_a_configuration_its_orchestrations(
    viewer: Client, control: Control
) -> None:
    orchestration = make("Orders")
    run = make_run(orchestration)
    control.advance(run)
    job = control.job(run, "t1")
    html = viewer.get(reverse("job-run", args=[job.pk])).content.decode()
    assert f'href="{run.get_absolute_url()}">run {run.pk}</a>' in html
    configuration = job.configuration
    assert configuration is not None
    path = reverse("configuration-usage", args=[configuration.pk])
    assert f'href="{orchestration.get_absolute_url()}"' in viewer.get(path).content.decode()
    move_to_trash(orchestration, user=None)
    assert "No orchestration runs this configuration." in text_of(viewer.get(path))


def test_the_runs_of_one_are_a_part_that_asks_again(viewer: Client) -> None:
    orchestration = make("a")
    path = reverse("orchestration-runs", args=[orchestration.pk])
    html = viewer.get(path, headers=HTMX).content.decode()
    assert "<html" not in html
    assert "No runs yet" in html
    seen = {**HTMX, "X-Mark": re.findall(r"\"X-Mark\": \"(\w+)\"", html)[0]}
    assert viewer.get(path, headers=seen).status_code == 204
    run = start_run(orchestration, started_by=StartedBy.MANUAL)
    fresh = viewer.get(path, headers=seen).content.decode()
    assert f'id="run-row-{run.pk}"' in fresh
    assert 'hx-trigger="every 2s"' in fresh
