from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from orchestrations.engine import transitions
from orchestrations.enums import (
    FINISHED_RUN,
    FINISHED_TASK,
    RUN_MOVES,
    TASK_MOVES,
    RunStatus,
    TaskStatus,
)
from orchestrations.exceptions import IllegalTransition
from orchestrations.models import Run, RunEvent, TaskRun
from tests.builders import make_empty_orchestration, make_run

pytestmark = pytest.mark.django_db
R, T = RunStatus, TaskStatus


def make_tasks(run: Run, *statuses: TaskStatus) -> list[TaskRun]:
    return TaskRun.objects.bulk_create(
        TaskRun(
            run=run, key=f"t{n}", phase=0, phase_key="p", phase_name="P", position=n, status=status
        )
        for n, status in enumerate(statuses)
    )


def events(run: Run) -> list[tuple[str, str, str, str]]:
    return list(
        run.events.order_by("pk").values_list("old_status", "new_status", "reason", "actor")
    )


@pytest.mark.parametrize(("old", "new"), list(itertools.product(R, R)))
def test_every_pair_of_run_statuses(old: RunStatus, new: RunStatus) -> None:
    run = make_run(status=old)
    if new in RUN_MOVES[old]:
        assert transitions.move_run(run, new, reason="Because.", actor="ada") is True
        assert events(run) == [(old, new, "Because.", "ada")]
        assert run.status == new
    else:
        with pytest.raises(IllegalTransition):
            transitions.move_run(run, new)
        assert events(run) == []
    stored = Run.objects.get()
    assert stored.status == (new if new in RUN_MOVES[old] else old)
    assert (stored.ended_at is not None) == (new in RUN_MOVES[old] and new in FINISHED_RUN)


@pytest.mark.parametrize(("old", "new"), list(itertools.product(T, T)))
def test_every_pair_of_task_statuses(old: TaskStatus, new: TaskStatus) -> None:
    run = make_run()
    [task] = make_tasks(run, old)
    if new in TASK_MOVES[old]:
        assert transitions.move_task(task, new, reason="Because.", actor="ada") is True
        assert events(run) == [(old, new, "Because.", "ada")]
        assert task.status == new
    else:
        with pytest.raises(IllegalTransition):
            transitions.move_task(task, new)
        assert events(run) == []
    stored = TaskRun.objects.get()
    assert stored.status == (new if new in TASK_MOVES[old] else old)
    assert (stored.ended_at is not None) == (new in TASK_MOVES[old] and new in FINISHED_TASK)
    assert (stored.started_at is not None) == (new in TASK_MOVES[old] and new == T.PROCESSING)


def test_a_run_that_somebody_else_moved_stays() -> None:
    run = make_run(status=R.PROCESSING)
    transitions.move_run(Run.objects.get(), R.ERROR, reason="First.")
    assert transitions.move_run(run, R.SUCCESS) is False
    assert (Run.objects.get().status, events(run)) == (
        R.ERROR,
        [("processing", "error", "First.", "")],
    )


def test_a_task_that_somebody_else_moved_stays() -> None:
    run = make_run()
    [task] = make_tasks(run, T.PROCESSING)
    transitions.move_task(TaskRun.objects.get(), T.TERMINATING)
    assert transitions.move_task(task, T.SUCCESS) is False
    assert TaskRun.objects.get().status == T.TERMINATING


def test_many_tasks_move_together_with_an_event_each() -> None:
    run = make_run()
    tasks = make_tasks(run, T.CREATED, T.WAITING, T.CREATED)
    transitions.move_tasks(tasks, T.CANCELLED, reason="Stop.")
    assert list(TaskRun.objects.values_list("status", flat=True)) == [T.CANCELLED] * 3
    assert sorted(events(run)) == sorted(
        [("created", "cancelled", "Stop.", "")] * 2 + [("waiting", "cancelled", "Stop.", "")]
    )
    assert set(RunEvent.objects.values_list("task_run", flat=True)) == {t.pk for t in tasks}


def test_many_tasks_of_which_one_was_moved_are_an_error() -> None:
    run = make_run()
    tasks = make_tasks(run, T.CREATED, T.CREATED)
    transitions.move_task(TaskRun.objects.get(key="t1"), T.SKIPPED)
    with pytest.raises(IllegalTransition):
        transitions.move_tasks(tasks, T.WAITING)


def test_a_long_reason_is_cut() -> None:
    run = make_run(status=R.PROCESSING)
    transitions.move_run(run, R.ERROR, reason="x" * 600)
    assert Run.objects.get().reason == "x" * 500


@pytest.fixture
def queue() -> Callable[..., list[Run]]:
    orchestration = make_empty_orchestration()

    def make(*statuses: RunStatus) -> list[Run]:
        return [make_run(orchestration, status=status) for status in statuses]

    return make


def test_the_oldest_run_is_claimed(queue: Callable[..., list[Run]]) -> None:
    first, second = queue(R.CREATED, R.CREATED)
    assert transitions.claim_run(second) is False
    assert (second.status, second.reason) == (
        R.WAITING,
        f"Waiting for run {first.pk} of this orchestration.",
    )
    assert transitions.claim_run(first) is True
    assert transitions.claim_run(second) is False
    first.refresh_from_db()
    assert first.started_at is not None
    assert first.started_at > timezone.now() - timedelta(seconds=10)
    assert events(first) == [("created", "processing", "", "")]
    assert events(second) == [
        ("created", "waiting", f"Waiting for run {first.pk} of this orchestration.", "")
    ]


@pytest.mark.parametrize("ended", FINISHED_RUN)
def test_ended_runs_are_not_waited_for(queue: Callable[..., list[Run]], ended: RunStatus) -> None:
    _, run = queue(ended, R.WAITING)
    assert transitions.claim_run(run) is True


def test_runs_of_other_orchestrations_are_not_waited_for() -> None:
    make_run(status=R.PROCESSING)
    assert transitions.claim_run(make_run()) is True


def test_the_index_refuses_a_second_active_run(queue: Callable[..., list[Run]]) -> None:
    """A younger run began while the older one was not committed yet."""
    older, younger = queue(R.CREATED, R.PROCESSING)
    assert transitions.claim_run(older) is False
    assert (older.status, older.reason) == (
        R.WAITING,
        f"Waiting for run {younger.pk} of this orchestration.",
    )


def test_a_waiting_run_says_what_it_waits_for_now(queue: Callable[..., list[Run]]) -> None:
    first, second, third = queue(R.PROCESSING, R.WAITING, R.WAITING)
    transitions.claim_run(third)
    transitions.move_run(first, R.SUCCESS)
    assert transitions.claim_run(third) is False
    third.refresh_from_db()
    assert third.reason == f"Waiting for run {second.pk} of this orchestration."
    assert events(third) == []


def test_a_claimed_run_is_not_claimed_again(queue: Callable[..., list[Run]]) -> None:
    [run] = queue(R.CREATED)
    stale = Run.objects.get(pk=run.pk)
    assert transitions.claim_run(run) is True
    assert transitions.claim_run(stale) is False
    assert events(run) == [("created", "processing", "", "")]
