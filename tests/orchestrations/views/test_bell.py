"""The bell in the top bar."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from orchestrations.enums import DeliveryStatus, RunStatus, StartedBy
from orchestrations.models import BellLook, Delivery, Orchestration, Run
from orchestrations.services.bell import bell_of, mark_seen
from tests.builders import make_empty_orchestration, make_run, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
R = RunStatus


@pytest.fixture
def ann() -> User:
    return make_user(role="Viewer", name="ann")


@pytest.fixture
def page(client: Client, ann: User) -> Client:
    client.force_login(ann)
    return client


def ended(status: RunStatus, *, ago: timedelta = timedelta(minutes=1), **fields: Any) -> Run:
    orchestration = fields.pop("orchestration", None) or make_empty_orchestration()
    started_by = fields.pop("started_by", StartedBy.SCHEDULE)
    moment = timezone.now() - ago
    return make_run(orchestration, status=status, started_by=started_by, ended_at=moment, **fields)


def given_up(run: Run | None, orchestration: Orchestration) -> Delivery:
    now = timezone.now()
    return Delivery.objects.create(
        orchestration=orchestration,
        run=run,
        event="error",
        channel="email",
        address="bob@example.com",
        recipient="bob@example.com",
        subject="x",
        status=DeliveryStatus.GIVEN_UP,
        answer="No such person",
        give_up_at=now,
        ended_at=now,
    )


def runs(user: User) -> list[Run | None]:
    return [note.run for note in bell_of(user).notes]


def test_it_tells_of_failures_and_of_ones_own_runs(ann: User) -> None:
    failed = ended(R.ERROR, ago=timedelta(minutes=3))
    own = ended(R.SUCCESS, ago=timedelta(minutes=2), started_by=StartedBy.MANUAL, created_by=ann)
    ended(R.SUCCESS, started_by=StartedBy.MANUAL, created_by=make_user())
    ended(R.SUCCESS)
    ended(R.SUCCESS, started_by=StartedBy.API, created_by=ann)
    ended(R.ERROR, started_by=StartedBy.NESTED)
    ended(R.TERMINATED)
    ended(R.ERROR, ago=timedelta(days=8))
    ended(R.ERROR, orchestration=make_empty_orchestration(deleted_at=timezone.now()))
    assert runs(ann) == [own, failed]
    assert bell_of(ann).unread == 2


def test_it_tells_of_messages_that_did_not_arrive_but_not_of_tests(ann: User) -> None:
    run = ended(R.WARNING)
    message = given_up(run, run.orchestration)
    given_up(None, run.orchestration)
    assert [note.delivery for note in bell_of(ann).notes] == [message]


def test_what_was_seen_is_no_longer_new_for_whoever_saw_it(ann: User) -> None:
    ended(R.ERROR)
    bob = make_user(role="Viewer")
    mark_seen(ann)
    mark_seen(ann)
    assert (bell_of(ann).unread, len(bell_of(ann).notes)) == (0, 1)
    assert bell_of(bob).unread == 1
    ended(R.ERROR, ago=-timedelta(seconds=5))
    assert [note.is_new for note in bell_of(ann).notes] == [True, False]


def test_the_count_stands_on_the_bell(page: Client) -> None:
    at = reverse("bell-count")
    assert page.get(at).content.decode().strip().endswith("#}") is False
    assert "bell-badge" not in page.get(at).content.decode()
    ended(R.ERROR)
    assert '<span class="bell-badge">1</span>' in page.get(at).content.decode()
    assert at in page.get(reverse("dashboard")).content.decode()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_it_lists_what_happened(page: Client, headers: dict[str, str]) -> None:
    run = ended(R.ERROR, reason="“Orders” failed: <b>no</b>")
    message = given_up(run, run.orchestration)
    text = page.get(reverse("bell"), headers=headers).content.decode()
    assert run.get_absolute_url() in text
    assert "“Orders” failed: &lt;b&gt;no&lt;/b&gt;" in text
    assert message.recipient in text
    assert "No such person" in html.unescape(text)
    assert ("<html" in text) is not bool(headers)
    assert (reverse("bell-seen") in text) is True


def test_an_empty_bell_says_so(page: Client) -> None:
    assert "Nothing failed in the last seven days." in page.get(reverse("bell")).content.decode()


def test_seen_is_a_post(page: Client, ann: User) -> None:
    ended(R.ERROR)
    at = reverse("bell-seen")
    assert page.get(at).status_code == 405
    assert not BellLook.objects.exists()
    answer = page.post(at, headers=HTMX)
    assert (answer.status_code, "bellSeen" in answer.headers["HX-Trigger"]) == (204, True)
    assert bell_of(ann).unread == 0
    assert page.post(at).headers["Location"] == reverse("bell")


@pytest.mark.parametrize("count", [1, 3])
def test_it_asks_as_much_for_one_as_for_three(
    ann: User, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        run = ended(R.ERROR)
        given_up(run, run.orchestration)
    with django_assert_num_queries(5):
        assert len(bell_of(ann).notes) == 2 * count
