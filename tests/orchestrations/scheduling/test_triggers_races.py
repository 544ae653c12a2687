"""Loads, evaluators and edits at once on real row locks: no update lost, none used twice."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import OperationalError, connection, transaction

from orchestrations.enums import RunStatus
from orchestrations.models import Run, Trigger
from orchestrations.queries.triggers import states_of
from orchestrations.scheduling.triggers import fire_ready, sweep
from orchestrations.services.triggers import create_trigger, update_trigger
from tests.builders import make_empty_orchestration, make_trigger, update_table
from tests.threads import at_once

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
A, B, C, NEVER = "in.c-shop.a", "in.c-shop.b", "in.c-shop.c", "in.c-shop.never"
LOADS = 40
pytestmark = [pytest.mark.postgres_database, pytest.mark.django_db(transaction=True)]


def test_many_evaluators_at_once_start_one_run() -> None:
    trigger = make_trigger(A, B)
    for hour in range(20):
        update_table(A)
        update_table(B)
        look = partial(fire_ready, [trigger.pk], NOON + timedelta(hours=hour))
        assert sorted(map(len, at_once(*[look] * 6))) == [0, 0, 0, 0, 0, 1]
        Run.objects.update(status=RunStatus.SUCCESS)
    assert Run.objects.count() == 20


def test_loads_evaluators_and_edits_interleave_and_every_update_counts_once() -> None:
    orchestration = make_empty_orchestration()
    watching = [
        make_trigger(*tables, orchestration=orchestration) for tables in ([A, B], [B, A, C], [C])
    ]
    busy, hours = [A, B, C, "edits"], itertools.count()

    edit = partial(edit_and_leave, watching[1], busy)

    def look() -> None:
        while busy:
            look_at_all(watching, NOON + timedelta(hours=next(hours)))

    at_once(*[partial(load_and_leave, key, busy) for key in (A, B, C)], edit, look, look)

    for _ in range(2):  # what is left waits for the next look, or for another table
        look_at_all(watching, NOON + timedelta(hours=next(hours)))
    for trigger in watching:
        check(trigger)


def load_and_leave(key: str, busy: list[str]) -> None:
    for _ in range(LOADS):
        update_table(key)
    busy.remove(key)


def edit_and_leave(trigger: Trigger, busy: list[str]) -> None:
    for tables in [[A, B, C, NEVER], [C, B, A]] * 10:
        update_trigger(trigger, tables=tables)
    busy.remove("edits")


def look_at_all(watching: list[Trigger], now: datetime) -> None:
    sweep(now)
    fire_ready([trigger.pk for trigger in watching], now)
    Run.objects.filter(status=RunStatus.CREATED).update(status=RunStatus.SUCCESS)


def check(trigger: Trigger) -> None:
    """Each run has an update of every table, none is used twice, the last is used or kept."""
    runs = Run.objects.filter(trigger=trigger)
    used = Counter((u["table"], u["version"]) for run in runs for u in run.updates)
    [state] = states_of([trigger])
    assert runs
    assert set(used.values()) == {1}
    assert not state.is_ready
    assert all({u["table"] for u in run.updates} == {t.key for t in state.tables} for run in runs)
    for table in state.tables:
        kept = {table.version} if table.version else set()
        assert max({version for key, version in used if key == table.key} | kept) == LOADS


def test_two_loads_that_commit_together_leave_a_ready_trigger() -> None:
    """Neither sees the other's mark before it commits; what looks after the commit does."""
    trigger = make_trigger(A, B)
    at_once(partial(update_table, A), partial(update_table, B))
    assert len(fire_ready([trigger.pk], NOON)) == 1


def test_a_trigger_is_made_after_the_loads_that_do_not_see_it() -> None:
    """A load that looked for watchers before there were any has to commit first."""
    orchestration = make_empty_orchestration()
    update_table(A)

    def make() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '200ms'")
            create_trigger(orchestration, tables=[A], user=None)

    with transaction.atomic():
        update_table(A)
        with pytest.raises(OperationalError, match="lock timeout"):
            at_once(make)
    at_once(make)
    [state] = states_of(orchestration.triggers.select_related("orchestration"))
    assert [(t.key, t.is_ready) for t in state.tables] == [(A, False)]
