from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from components.models import Bucket, Table
from components.services import configurations
from components.services.jobs import create_job
from tests.builders import make_configuration, make_orchestration, make_run
from tests.pages import text_of

pytestmark = pytest.mark.django_db


def test_search_finds_each_kind_by_all_words(editor: Client) -> None:
    configuration = make_configuration("ex-http", name="Orders of Žilina")
    make_configuration("ex-http", name="Orders of Brno")
    orchestration = make_orchestration([], name="Žilina every night, orders")
    bucket = Bucket.objects.create(key="in.c-shop", stage="in", name="shop")
    table = Table.objects.create(
        bucket=bucket, key="in.c-shop.orders", name="orders", description="of Žilina"
    )
    thrown = make_configuration("ex-http", name="Orders of Žilina, old")
    configurations.move_to_trash(thrown, user=None)
    html = editor.get(reverse("search"), {"q": "Žilina ORDERS"}).content.decode()
    hrefs = re.findall(r'class="row-link" href="([^"]+)"', html)
    assert hrefs == [
        configuration.get_absolute_url(),
        orchestration.get_absolute_url(),
        table.get_absolute_url(),
    ]


@pytest.mark.parametrize("text", ["{0}", "#{0}", "run {0}"])
def test_search_finds_runs_and_jobs_by_number(editor: Client, text: str) -> None:
    job = create_job(make_configuration("ex-http", name="Nothing else"))
    run = make_run(make_orchestration([], name="Nightly"))
    html = editor.get(reverse("search"), {"q": text.format(run.pk)}).content.decode()
    assert f'href="{run.get_absolute_url()}"' in html
    html = editor.get(reverse("search"), {"q": text.format(job.pk)}).content.decode()
    assert f'href="{job.get_absolute_url()}"' in html


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "What are you looking for?"),
        ("   ", "What are you looking for?"),
        ("nothing like it", "Nothing was found"),
        ("9" * 60, "Nothing was found"),
        ("a\0b", "Nothing was found"),
        ("%", "Nothing was found"),
        ("²", "Nothing was found"),
    ],
)
def test_search_answers_anything(editor: Client, text: str, sentence: str) -> None:
    make_configuration("ex-http", name="Orders")
    make_orchestration([], name="Orders")
    assert sentence in text_of(editor.get(reverse("search"), {"q": text}))
