"""Saves at the same time, on real locks: none of them can close a circle with another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from django.db import connection

from orchestrations.exceptions import InvalidOrchestration
from orchestrations.models import Orchestration, Task
from orchestrations.services.orchestrations import save_orchestration
from tests.builders import make_empty_orchestration

pytestmark = [pytest.mark.postgres_database, pytest.mark.django_db(transaction=True)]
ROUNDS = 15


def at_once(jobs: Sequence[Callable[[], None]]) -> list[str]:
    """Do these in threads that begin together; return the sentences of those refused."""
    barrier = threading.Barrier(len(jobs))
    refused: list[str] = []

    def work(job: Callable[[], None]) -> None:
        barrier.wait()
        try:
            job()
        except InvalidOrchestration as error:
            refused.extend(error.fields.values())
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [thread for thread in threads if thread.is_alive()] == []
    return sorted(refused)


def nesting(outer: Orchestration, inner: Orchestration) -> Callable[[], None]:
    def save() -> None:
        save_orchestration(
            outer,
            user=None,
            expected_version=1,
            phases=[{"tasks": [{"orchestration": inner.pk}]}],
        )

    return save


def test_two_saves_close_no_circle() -> None:
    for _ in range(ROUNDS):
        a, b = make_empty_orchestration(name="A"), make_empty_orchestration(name="B")
        [told] = at_once([nesting(a, b), nesting(b, a)])
        assert told in {
            "A → B → A would run inside itself.",
            "B → A → B would run inside itself.",
        }
        assert Task.objects.filter(orchestration__in=[a, b]).count() == 1


def test_three_saves_close_no_circle_and_go_no_deeper_than_allowed() -> None:
    for _ in range(ROUNDS):
        a, b, c, d = (make_empty_orchestration(name=name) for name in "ABCD")
        told = at_once([nesting(a, b), nesting(b, c), nesting(c, d)])
        assert told == ["A → B → C → D: orchestrations may be nested 2 deep at most."]
        assert Task.objects.filter(orchestration__in=[b, c, d]).count() == 2
