from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from components.models import Bucket, Configuration, Table
from components.services import configurations
from components.services.jobs import create_job
from orchestrations.models import Orchestration
from orchestrations.services.orchestrations import move_to_trash
from tests.builders import make_configuration, make_orchestration, make_run, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> Client:
    client = Client()
    client.force_login(make_user(role="Editor", name="ada"))
    return client


def text_of(response: object) -> str:
    html = response.content.decode()  # type: ignore[attr-defined]
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def throw(*items: Configuration | Orchestration) -> None:
    user = make_user()
    for item in items:
        if isinstance(item, Configuration):
            configurations.move_to_trash(item, user=user)
        else:
            move_to_trash(item, user=user)


def test_the_trash_lists_what_was_thrown_away_and_nothing_else(editor: Client) -> None:
    assert "The trash is empty" in text_of(editor.get(reverse("trash")))
    gone, kept = (make_configuration("ex-http", name=name) for name in ("Gone", "Kept"))
    nightly, daily = (make_orchestration([], name=name) for name in ("Nightly", "Daily"))
    throw(gone, nightly)
    text = text_of(editor.get(reverse("trash")))
    assert "Gone" in text
    assert "Nightly" in text
    assert "Kept" not in text
    assert "Daily" not in text
    assert [kept.pk, daily.pk] != []


def test_it_restores_both_kinds(editor: Client) -> None:
    configuration, orchestration = make_configuration("ex-http"), make_orchestration([])
    throw(configuration, orchestration)
    editor.post(reverse("trash-restore", args=["configuration", configuration.pk]))
    answer = editor.post(reverse("trash-restore", args=["orchestration", orchestration.pk]))
    assert answer["Location"] == reverse("trash")
    assert Configuration.objects.get().deleted_at is None
    assert Orchestration.objects.get().deleted_at is None


def test_it_deletes_for_good_unless_it_is_used(editor: Client) -> None:
    used, unused = make_configuration("ex-http"), make_configuration("ex-http")
    orchestration = make_orchestration([[used]])
    throw(used, unused)
    editor.post(reverse("trash-purge", args=["configuration", unused.pk]))
    answer = editor.post(reverse("trash-purge", args=["configuration", used.pk]), follow=True)
    assert "A task of an orchestration uses this configuration" in text_of(answer)
    assert list(Configuration.objects.all()) == [used]
    throw(orchestration)
    editor.post(reverse("trash-purge", args=["orchestration", orchestration.pk]))
    assert not Orchestration.objects.exists()


def test_emptying_asks_first_and_keeps_what_is_used(editor: Client) -> None:
    used, alone, kept = (make_configuration("ex-http") for _ in range(3))
    thrown = make_orchestration([[alone]])
    make_orchestration([[used]])
    throw(used, alone, thrown)
    assert "Empty the trash?" in text_of(editor.get(reverse("trash-empty")))
    assert Configuration.objects.count() == 3
    answer = editor.post(reverse("trash-empty"), follow=True)
    assert set(Configuration.objects.all()) == {used, kept}
    assert (
        Orchestration.objects.filter(deleted_at=None).count() == Orchestration.objects.count() == 1
    )
    assert "Deleted for good: 2." in text_of(answer)
    assert "uses this configuration" in text_of(answer)


def test_search_finds_each_kind_by_all_words(editor: Client) -> None:
    configuration = make_configuration("ex-http", name="Orders of Žilina")
    make_configuration("ex-http", name="Orders of Brno")
    orchestration = make_orchestration([], name="Žilina every night, orders")
    bucket = Bucket.objects.create(key="in.c-shop", stage="in", name="shop")
    table = Table.objects.create(
        bucket=bucket, key="in.c-shop.orders", name="orders", description="of Žilina"
    )
    thrown = make_configuration("ex-http", name="Orders of Žilina, old")
    throw(thrown)
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
