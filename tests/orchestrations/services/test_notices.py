from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, transaction
from pytest_django import DjangoAssertNumQueries, Settings

from components.enums import JobStatus
from components.models import Configuration
from components.services import job_transitions
from components.services.jobs import terminate_job
from orchestrations.enums import RunStatus, StartedBy
from orchestrations.models import Delivery, Notification, Orchestration, Run
from orchestrations.services import notices
from orchestrations.services.notices import watch_runs
from orchestrations.services.notifications import save_notifications
from orchestrations.services.runs import start_run, terminate_run
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_orchestration,
    make_run,
    make_user,
)
from tests.control import Control

pytestmark = pytest.mark.django_db
J, R = JobStatus, RunStatus
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALL = ("error", "warning", "success")
OWN = "https://example.com/hooks/0123456789abcdef"


def told_of(*events: str, address: str = "ann@example.com", **more: Any) -> list[Any]:
    return [{"event": event, "address": address, **more} for event in events]


def tell(orchestration: Orchestration, *wanted: Any) -> None:
    save_notifications(orchestration, wanted, user=None)


def messages() -> list[tuple[str, str]]:
    return list(Delivery.objects.order_by("pk").values_list("event", "recipient"))


def run_to(
    control: Control,
    orchestration: Orchestration,
    status: JobStatus = J.SUCCESS,
    started_by: StartedBy = StartedBy.API,
    **fields: Any,
) -> Run:
    with control.capture(execute=True):
        run = start_run(orchestration, started_by=started_by, **fields)
    control.deliver()
    control.end(run, "t1", status, error="It broke." if status == J.ERROR else "")
    run.refresh_from_db()
    return run


@pytest.fixture
def configuration() -> Configuration:
    return make_configuration(name="Orders")


@pytest.mark.parametrize(
    ("status", "goes_on", "expected"),
    [
        (J.SUCCESS, False, [("success", "ann@example.com")]),
        (J.WARNING, True, [("warning", "ann@example.com")]),
        (J.WARNING, False, [("error", "ann@example.com")]),
        (J.ERROR, True, [("warning", "ann@example.com")]),
        (J.ERROR, False, [("error", "ann@example.com")]),
    ],
)
def test_the_end_of_a_run_is_told_as_the_settings_say(
    control: Control,
    configuration: Configuration,
    status: JobStatus,
    goes_on: bool,  # noqa: FBT001
    expected: list[tuple[str, str]],
) -> None:
    task: Any = {"configuration": configuration.pk, "continue_on_failure": goes_on}
    orchestration = make_orchestration([[task]])
    tell(orchestration, *told_of(*ALL))
    run = run_to(control, orchestration, status)
    assert run.is_finished
    assert messages() == expected


@pytest.mark.parametrize("started_by", [StartedBy.SCHEDULE, StartedBy.TRIGGER, StartedBy.API])
def test_runs_that_nobody_started_by_hand_follow_the_settings(
    control: Control, configuration: Configuration, started_by: StartedBy
) -> None:
    orchestration = make_orchestration([[configuration]])
    tell(orchestration, *told_of("error"), *told_of("error", address=OWN))
    run = run_to(control, orchestration, J.ERROR, started_by)
    found = list(Delivery.objects.order_by("pk"))
    assert [(m.event, m.channel, m.recipient, m.run) for m in found] == [
        ("error", "email", "ann@example.com", run),
        ("error", "webhook", "https://example.com/…cdef", run),
    ]
    assert found[1].address.startswith("enc::")
    assert found[0].subject == f"[Orchestrator] {orchestration.name}: Error"
    assert found[0].payload["tasks"][0]["reason"] == "It broke."


@pytest.mark.parametrize("status", [J.SUCCESS, J.ERROR])
def test_a_run_by_hand_tells_only_who_started_it(
    control: Control, configuration: Configuration, settings: Settings, status: JobStatus
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    bob = make_user()
    bob.email = "bob@example.com"
    bob.save()
    orchestration = make_orchestration([[configuration]])
    tell(orchestration, *told_of(*ALL))
    run_to(control, orchestration, status, StartedBy.MANUAL, user=bob)
    assert messages() == [(str(status), "bob@example.com")]


def test_a_retry_by_hand_tells_only_who_asked_for_it(
    control: Control, configuration: Configuration
) -> None:
    bob = make_user()
    bob.email = "bob@example.com"
    bob.save()
    orchestration = make_orchestration([[configuration]])
    failed = run_to(control, orchestration, J.ERROR)
    tell(orchestration, *told_of(*ALL))
    run_to(control, orchestration, J.SUCCESS, StartedBy.RETRY, user=bob, retry_of=failed)
    assert messages() == [("success", "bob@example.com")]


@pytest.mark.parametrize("email", ["", "nobody at all"])
def test_a_starter_without_an_address_is_told_nothing(
    control: Control, configuration: Configuration, email: str
) -> None:
    bob = make_user()
    bob.email = email
    bob.save()
    orchestration = make_orchestration([[configuration]])
    tell(orchestration, *told_of(*ALL))
    run_to(control, orchestration, J.ERROR, StartedBy.MANUAL, user=bob)
    assert messages() == []


def test_a_starter_is_told_nothing_where_no_mail_leaves(
    control: Control, configuration: Configuration, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    bob = make_user()
    bob.email = "bob@example.com"
    bob.save()
    run_to(control, make_orchestration([[configuration]]), J.ERROR, StartedBy.MANUAL, user=bob)
    assert messages() == []


def test_a_run_that_a_person_terminates_is_told_to_nobody(
    control: Control, configuration: Configuration
) -> None:
    orchestration = make_orchestration([[configuration]])
    tell(orchestration, *told_of(*ALL))
    with control.capture(execute=True):
        run = start_run(orchestration, started_by=StartedBy.API)
    control.deliver()
    with control.capture(execute=True):
        terminate_run(run, user=make_user())
    control.deliver()
    run.refresh_from_db()
    assert run.status == R.TERMINATED
    assert messages() == []


@pytest.mark.parametrize("is_claimed", [False, True])
@pytest.mark.parametrize(("goes_on", "ends"), [(True, R.WARNING), (False, R.TERMINATED)])
def test_a_task_that_a_person_terminates_is_no_failure(
    control: Control,
    configuration: Configuration,
    is_claimed: bool,  # noqa: FBT001
    goes_on: bool,  # noqa: FBT001
    ends: RunStatus,
) -> None:
    task: Any = {"configuration": configuration.pk, "continue_on_failure": goes_on}
    orchestration = make_orchestration([[task]])
    tell(orchestration, *told_of(*ALL))
    with control.capture(execute=True):
        run = start_run(orchestration, started_by=StartedBy.API)
    control.deliver()
    job = control.job(run, "t1")
    with control.capture(execute=True):
        claim = job_transitions.claim(job.pk, worker="test") if is_claimed else None
        terminate_job(job, user=make_user())
    if claim:
        with control.capture(execute=True):
            job_transitions.end(claim, J.TERMINATED, fields={})
    control.deliver()
    run.refresh_from_db()
    assert run.status == ends
    assert messages() == []


def test_a_run_inside_another_one_tells_nobody_itself(
    control: Control, configuration: Configuration
) -> None:
    child = make_orchestration([[configuration]])
    tell(child, *told_of(*ALL, address="child@example.com"))
    parent = make_orchestration([[child]])
    tell(parent, *told_of(*ALL, address="parent@example.com"))
    with control.capture(execute=True):
        run = start_run(parent, started_by=StartedBy.SCHEDULE)
    control.deliver()
    inner = Run.objects.get(orchestration=child)
    control.end(inner, "t1", J.ERROR)
    run.refresh_from_db()
    assert run.status == R.ERROR
    assert messages() == [("error", "parent@example.com")]


def test_a_fault_in_telling_never_touches_the_run(
    control: Control,
    configuration: Configuration,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    orchestration = make_orchestration([[configuration]])
    tell(orchestration, *told_of("success"))
    begun = []

    def broken(*_: Any, **__: Any) -> Any:
        begun.append(
            Notification.objects.create(
                orchestration=orchestration, key="half", event="error", recipient="", address=""
            )
        )
        raise DatabaseError("Something is wrong here.")

    monkeypatch.setattr(notices, "payload_of", broken)
    run = run_to(control, orchestration)
    assert len(begun) == 1
    assert run.status == R.SUCCESS
    assert messages() == []
    assert not orchestration.notifications.filter(key="half").exists()
    assert "could not be written" in caplog.text


def test_a_run_that_is_rolled_back_tells_nobody(configuration: Configuration) -> None:
    orchestration = make_orchestration([[configuration]])
    tell(orchestration, *told_of("error"))
    run = make_run(orchestration, started_by=StartedBy.API, status=R.ERROR)
    with transaction.atomic():
        notices.tell_of_end(run)
        assert messages() == [("error", "ann@example.com")]
        transaction.set_rollback(True)
    assert messages() == []


def finished(orchestration: Orchestration, *seconds: float, status: RunStatus = R.SUCCESS) -> None:
    for lasted in seconds:
        make_run(
            orchestration,
            status=status,
            started_by=StartedBy.API,
            started_at=NOON - timedelta(days=1),
            ended_at=NOON - timedelta(days=1) + timedelta(seconds=lasted),
        )


def processing(orchestration: Orchestration, seconds: float, **fields: Any) -> Run:
    return make_run(
        orchestration,
        status=R.PROCESSING,
        started_at=NOON - timedelta(seconds=seconds),
        **{"started_by": StartedBy.API, **fields},
    )


@pytest.mark.parametrize(
    ("seconds", "expected"), [(119, []), (120, []), (121, [("processing", "ann@example.com")])]
)
def test_a_run_is_told_once_it_processes_longer_than_usual(
    seconds: float, expected: list[tuple[str, str]]
) -> None:
    orchestration = make_empty_orchestration()
    tell(orchestration, *told_of("processing"))  # 20 %
    finished(orchestration, 50, 150)
    processing(orchestration, seconds)
    watch_runs(NOON)
    assert messages() == expected


def test_usual_is_the_mean_of_the_last_twenty_that_finished() -> None:
    orchestration = make_empty_orchestration()
    tell(orchestration, *told_of("processing", threshold=100))
    finished(orchestration, 10_000)  # the 21st: no longer counted
    finished(orchestration, *[10] * 19)
    finished(orchestration, 210, status=R.ERROR)  # counted: the mean is 20
    finished(orchestration, 90_000, status=R.TERMINATED)  # stopped by a person: says nothing
    run = processing(orchestration, 40)
    watch_runs(NOON)
    assert messages() == []
    Run.objects.filter(pk=run.pk).update(started_at=NOON - timedelta(seconds=41))
    watch_runs(NOON)
    (message,) = Delivery.objects.all()
    assert (message.payload["usual_seconds"], message.payload["threshold"]) == (20, 100)
    assert message.payload["text"].endswith(
        "has been processing for 41 sec; usually it takes 20 sec."
    )


def test_without_a_history_nothing_is_longer_than_usual() -> None:
    orchestration = make_empty_orchestration()
    tell(orchestration, *told_of("processing", threshold=1))
    processing(orchestration, 1_000_000)
    finished(orchestration, 5, status=R.CANCELLED)
    watch_runs(NOON)
    assert messages() == []


@pytest.mark.parametrize("status", [R.CREATED, R.WAITING])
def test_a_run_is_told_once_it_waits_longer_than_so_many_minutes(status: RunStatus) -> None:
    orchestration = make_empty_orchestration()
    tell(
        orchestration,
        *told_of("waiting", threshold=5),
        *told_of("waiting", threshold=50, address="bob@example.com"),
    )
    run = make_run(orchestration, status=status, started_by=StartedBy.SCHEDULE)
    Run.objects.filter(pk=run.pk).update(created_at=NOON)
    watch_runs(NOON + timedelta(minutes=5))
    assert messages() == []
    watch_runs(NOON + timedelta(minutes=6))
    assert messages() == [("waiting", "ann@example.com")]
    watch_runs(NOON + timedelta(minutes=51))
    assert messages() == [("waiting", "ann@example.com"), ("waiting", "bob@example.com")]


def test_each_run_and_recipient_is_told_once() -> None:
    orchestration = make_empty_orchestration()
    tell(orchestration, *told_of("processing"))
    finished(orchestration, 10)
    processing(orchestration, 100)
    assert [watch_runs(NOON + timedelta(minutes=n)) for n in range(3)] == [1, 0, 0]
    assert messages() == [("processing", "ann@example.com")]


def test_a_run_by_hand_that_is_over_the_settings_tells_its_starter() -> None:
    bob = make_user()
    bob.email = "bob@example.com"
    bob.save()
    orchestration = make_empty_orchestration()
    tell(orchestration, *told_of("processing"))
    finished(orchestration, 10)
    processing(orchestration, 100, started_by=StartedBy.MANUAL, created_by=bob)
    watch_runs(NOON)
    assert messages() == [("processing", "bob@example.com")]


@pytest.mark.parametrize("fields", [{"terminate_at": NOON}, {"started_by": StartedBy.NESTED}])
def test_runs_that_are_not_watched(fields: dict[str, Any]) -> None:
    orchestration = make_empty_orchestration()
    tell(orchestration, *told_of("processing"))
    finished(orchestration, 10)
    run = processing(orchestration, 100, **fields)
    watch_runs(NOON)
    assert messages() == []
    Run.objects.filter(pk=run.pk).update(terminate_at=None, started_by=StartedBy.API)
    watch_runs(NOON)
    assert messages() == [("processing", "ann@example.com")]


@pytest.mark.parametrize("count", [1, 3])
@time_machine.travel(NOON, tick=False)
def test_watching_asks_as_much_for_one_run_as_for_three(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        orchestration = make_empty_orchestration()
        tell(orchestration, *told_of("processing", "waiting"))
        finished(orchestration, 10)
        processing(orchestration, 100)
    # runs, notifications, oldest of twenty, durations, known messages, insert and savepoint
    with django_assert_num_queries(8):
        assert watch_runs(NOON) == count
