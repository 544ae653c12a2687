"""A job's secrets are in nothing that it leaves behind (I12)."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import serializers
from django.test import Client
from pytest_django import Settings

from components.models import Configuration, Job
from components.services import storage_files
from components.services.catalogue import sync_components
from components.services.jobs import create_job, run_job
from orchestrator_site.lib.secrets import decrypt_tree, encrypt_tree
from tests.builders import make_configuration, make_user

pytestmark = pytest.mark.django_db
SECRET = 'hor"se/bat=tery+ <ž>'  # is spelled differently by JSON, URLs, HTML and base64
PIN = 987654


@pytest.fixture(autouse=True)
def _installation(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.HOME = tmp_path
    settings.STORAGE_URL = f"file://{tmp_path / 'storage'}"
    settings.COMPONENT_MODULES = ["tests.job_components"]
    storage_files._store.cache_clear()  # noqa: SLF001  # one per process otherwise
    yield
    storage_files._store.cache_clear()  # noqa: SLF001


def ended(then: str) -> Job:
    """A job of a component that lets its secret out everywhere."""
    sync_components()
    parameters = {"do": "spell_secrets", "then": then, "#secret": SECRET, "#pin": PIN}
    made = make_configuration("test-script", parameters=encrypt_tree(parameters))
    job = create_job(made, parameters={"#secret": SECRET})
    run_job(job.pk)
    return Job.objects.get(pk=job.pk)


def left_behind(job: Job, client: Client) -> str:
    """Every row of the job as it is kept, and what the API tells about it."""
    assert job.configuration is not None
    rows: list[Any] = [job, *job.log.all(), *job.events.all(), job.configuration]
    client.force_login(make_user(role="Admin"))
    paths = ("", "/log")
    answers = [client.get(f"/api/v1/jobs/{job.pk}{path}") for path in paths]
    assert [answer.status_code for answer in answers] == [200, 200]
    texts = [serializers.serialize("jsonl", rows), *(a.content.decode() for a in answers)]
    return "\n".join(texts)


def assert_no_secret(text: str) -> None:
    whole = SECRET.encode()
    spellings = [SECRET, json.dumps(SECRET)[1:-1], whole.hex(), "hor%22se", "hor&quot;se"]
    # Three letters more than the base64 of a secret's inside would be the secret.
    spellings += [base64.b64encode(b"\0" * n + whole).decode()[4:-4] for n in range(3)]
    spellings += ["tery", "issued-token", str(PIN)]
    assert [spelling for spelling in spellings if spelling in text] == []


def test_a_result_and_a_state_hold_no_secret(client: Client) -> None:
    job = ended("succeed")
    assert (job.status, job.error) == ("success", "")
    assert job.result is not None
    assert job.result["[hidden]"] == 1
    assert job.result["said"][0] == "[hidden]"
    assert (job.result["token"], job.result["pin"]) == ("[hidden]", "[hidden]")
    assert_no_secret(left_behind(job, client))
    state = Configuration.objects.get().state
    assert state["seen"][0] == "[hidden]"
    clear = decrypt_tree(state)
    assert (clear["#token"], clear["#given"]) == (f"new {SECRET}", "issued-token")


def test_an_error_of_a_person_holds_no_secret(client: Client) -> None:
    job = ended("fail")
    assert job.error.startswith('Refused: [hidden] {"a": "[hidden]"} ')
    assert_no_secret(left_behind(job, client))


def test_an_error_of_ours_holds_no_secret(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        job = ended("break")
    assert job.error.startswith("Something went wrong on our side. Reference: ")
    assert "ValueError" in caplog.text
    assert_no_secret(left_behind(job, client))
    assert_no_secret(caplog.text)


def test_the_log_has_every_line_masked(client: Client) -> None:
    job = ended("succeed")
    messages = list(job.log.values_list("message", flat=True))
    assert len(messages) > 30
    assert all("[hidden]" in message for message in messages if "://" in message)
    assert_no_secret(left_behind(job, client))
