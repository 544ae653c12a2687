"""One run of an orchestration and one job of a configuration at a time, whoever asked for them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from components.enums import ACTIVE_JOB, JobStatus
from components.models import Configuration, Job
from components.services.jobs import create_job
from orchestrations.enums import ACTIVE_RUN, Overlap, RunStatus, StartedBy
from orchestrations.models import Orchestration, Run
from orchestrations.scheduling.slots import fire_due
from orchestrations.services.runs import start_run
from orchestrations.services.triggers import fire_ready
from tests.builders import (
    finish_job,
    make_component,
    make_configuration,
    make_orchestration,
    make_schedule,
    make_trigger,
    make_user,
    update_table,
)
from tests.control import Control

pytestmark = pytest.mark.django_db
TABLE = "in.c-shop.orders"
Ask = Callable[[Orchestration], None]


@pytest.fixture
def caller(client: Client) -> Client:
    client.force_login(make_user(role="Operator"))
    return client


def by_hand(orchestration: Orchestration) -> None:
    start_run(orchestration, started_by=StartedBy.MANUAL, user=make_user())


def by_schedule(orchestration: Orchestration) -> None:
    due = timezone.now().replace(second=0, microsecond=0)
    make_schedule(due, orchestration=orchestration, cron="* * * * *", overlap=Overlap.QUEUE_ALL)
    fire_due(due + timedelta(seconds=1))


def by_trigger(orchestration: Orchestration) -> None:
    trigger = make_trigger(TABLE, orchestration=orchestration)
    update_table(TABLE)
    fire_ready([trigger.pk])


def as_a_task(orchestration: Orchestration) -> None:
    start_run(make_orchestration([[orchestration]]), started_by=StartedBy.API)


def by_api(client: Client) -> Ask:
    def ask(orchestration: Orchestration) -> None:
        answer = client.post(
            f"/api/v1/orchestrations/{orchestration.pk}/runs", {}, content_type="application/json"
        )
        assert answer.status_code == 202, answer.content

    return ask


ORDERS = list(itertools.permutations(range(4)))[::5]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join(map(str, order)))
def test_runs_of_one_orchestration_go_first_in_first_out(
    control: Control, caller: Client, order: tuple[int, ...]
) -> None:
    orchestration = make_orchestration([[make_configuration(make_component())]])
    ways = [by_hand, by_schedule, by_trigger, by_api(caller)]
    for way in order:
        with control.capture(execute=True):
            ways[way](orchestration)
    runs = list(orchestration.runs.order_by("pk"))
    kinds = (StartedBy.MANUAL, StartedBy.SCHEDULE, StartedBy.TRIGGER, StartedBy.API)
    assert [run.started_by for run in runs] == [kinds[way] for way in order]
    control.rung.extendleft(run.pk for run in runs)  # the youngest is heard first
    control.deliver()
    for number, run in enumerate(runs):
        statuses = list(orchestration.runs.order_by("pk").values_list("status", flat=True))
        assert statuses == [
            *[RunStatus.SUCCESS] * number,
            RunStatus.PROCESSING,
            *[RunStatus.WAITING] * (len(runs) - number - 1),
        ]
        assert Run.objects.filter(status__in=ACTIVE_RUN).count() == 1
        control.end(run, "t1")
    assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.SUCCESS}


def test_a_run_as_a_task_stands_in_the_same_line(control: Control, caller: Client) -> None:
    orchestration = make_orchestration([[make_configuration(make_component())]])
    for way in (by_hand, as_a_task, by_api(caller)):
        with control.capture(execute=True):
            way(orchestration)
        control.deliver()
    first, task, last = orchestration.runs.order_by("pk")
    assert (task.started_by, task.parent.status) == (StartedBy.NESTED, "waiting")
    for run in (first, task, last):
        run.refresh_from_db()
        assert run.status == RunStatus.PROCESSING
        control.end(run, "t1")
    assert set(Run.objects.values_list("status", flat=True)) == {RunStatus.SUCCESS}


def ask_for_jobs(control: Control, caller: Client, configuration: Configuration) -> list[Run]:
    """Ask for a job by hand, for a task, by API and for a task again; return the two runs."""
    runs = []
    for number in range(2):
        with control.capture(execute=True):
            if number:
                path = f"/api/v1/configurations/{configuration.pk}/jobs"
                answer = caller.post(path, {}, content_type="application/json")
                assert answer.status_code == 202, answer.content
            else:
                create_job(configuration, user=make_user())
            runs.append(
                start_run(make_orchestration([[configuration]]), started_by=StartedBy.SCHEDULE)
            )
        control.deliver()
    return runs


def test_jobs_of_one_configuration_go_first_in_first_out(control: Control, caller: Client) -> None:
    configuration = make_configuration(make_component())
    runs = ask_for_jobs(control, caller, configuration)
    jobs = list(Job.objects.order_by("pk"))
    assert [job.origin for job in jobs] == ["manual", "orchestration", "api", "orchestration"]
    for number, job in enumerate(jobs):
        for later in jobs[number + 1 :]:
            with pytest.raises(AssertionError, match="cannot be claimed"):
                finish_job(later)
        assert not Job.objects.filter(status__in=ACTIVE_JOB).exists()
        with control.capture(execute=True):
            finish_job(job)
        control.deliver()
    assert set(Job.objects.values_list("status", flat=True)) == {JobStatus.SUCCESS}
    assert [control.states(run) for run in runs] == ["success: success"] * 2
