"""What the retention deletes, and above all what it leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from components.enums import AuditAction, AuditChannel, JobStatus
from components.models import AuditEntry, Bucket, Job, JobLog, Table, TableVersion
from orchestrations.enums import DeliveryStatus, RunStatus, SlotOutcome
from orchestrations.models import (
    Delivery,
    Orchestration,
    Retention,
    Run,
    Slot,
    TaskAttempt,
    TaskRun,
    TriggerEvent,
)
from orchestrations.queries.retention import Amount, Limits, OrchestrationAmount, preview
from orchestrations.services.retention import (
    apply_retention,
    current_retention,
    save_retention,
)
from tests.builders import (
    make_configuration,
    make_empty_orchestration,
    make_run,
    make_schedule,
    make_trigger,
)

pytestmark = pytest.mark.django_db
R = RunStatus
LIMITS = Limits(runs=1, days=10, failed_days=20, delivery_days=10, audit_days=10, slot_days=10)


def old_run(of: Orchestration, days: int, status: RunStatus = R.SUCCESS, **fields: Any) -> Run:
    run = make_run(of, status=status, **fields)
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(days=days))
    return run


def old_job(days: int, status: JobStatus = JobStatus.SUCCESS, **fields: Any) -> Job:
    configuration = fields.pop("configuration", None) or make_configuration()
    job = Job.objects.create(
        component=configuration.component,
        configuration=configuration,
        configuration_name=configuration.name,
        configuration_version=1,
        status=status,
    )
    JobLog.objects.create(job=job, seq=1, at=timezone.now(), message="x")
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(days=days))
    return job


def task_of(run: Run, *, child: Run | None = None, job: Job | None = None) -> TaskRun:
    task = TaskRun.objects.create(
        run=run, key=f"t{run.task_runs.count()}", phase=0, phase_key="p", position=0, child=child
    )
    if job:
        TaskAttempt.objects.create(task_run=task, number=1, job=job)
    return task


def apply(**limits: Any) -> Retention:
    fields = {name: getattr(LIMITS, name) for name in LIMITS.__dataclass_fields__}
    save_retention(Retention(is_enabled=True, **{**fields, **limits}))
    found = preview(Limits.of(current_retention()), timezone.now())
    retention = apply_retention(seconds=1e9)
    assert retention is not None
    amounts = (
        *(found.runs, found.jobs, found.deliveries),
        *(found.audit_entries, found.slots, found.events),
    )
    kinds = ("runs", "jobs", "deliveries", "audit_entries", "slots", "events")
    counted = {kind: amount.goes for kind, amount in zip(kinds, amounts, strict=True)}
    assert {kind: retention.result.get(kind, 0) for kind in kinds} == counted
    assert (Run.objects.count(), retention.result["done"]) == (found.runs.stays, 1)
    return retention


def kept() -> list[int]:
    return list(Run.objects.order_by("pk").values_list("pk", flat=True))


def test_a_run_goes_when_it_is_old_and_not_among_the_last() -> None:
    one, other = make_empty_orchestration(), make_empty_orchestration()
    old_run(one, 11)
    old_run(one, 21, R.ERROR)
    stay = [old_run(one, 9), old_run(one, 19, R.ERROR), old_run(one, 30, R.PROCESSING)]
    last = [old_run(one, 30), old_run(other, 30)]
    apply()
    assert kept() == [run.pk for run in [*stay, *last]]


def test_as_many_as_wanted_stay_whatever_their_age() -> None:
    one = make_empty_orchestration()
    runs = [old_run(one, 30) for _ in range(5)]
    apply(runs=3)
    assert kept() == [run.pk for run in runs[2:]]


def test_its_jobs_go_with_it_and_its_slot_says_so() -> None:
    schedule = make_schedule(None)
    now = timezone.now()
    run, job = old_run(schedule.orchestration, 30), old_job(30)
    task_of(run, job=job)
    slots = [
        Slot.objects.create(
            schedule=schedule, due_at=now - timedelta(days=n), outcome=SlotOutcome.FIRED,
            run=slot_run, reason=reason,
        )
        for n, slot_run, reason in (
            (1, run, ""),
            (2, old_run(schedule.orchestration, 30), "Late by 2 min."),
            (3, old_run(schedule.orchestration, 30), "Kept."),
        )
    ]  # fmt: skip
    numbers = [slot.run_id for slot in slots]
    apply()
    said = list(Slot.objects.order_by("-due_at").values_list("run", "reason"))
    on = f"was deleted by the retention on {now:%Y-%m-%d}."
    assert said == [
        (None, f"Run {numbers[0]} {on}"),
        (None, f"Late by 2 min. Run {numbers[1]} {on}"),
        (numbers[2], "Kept."),
    ]
    assert (Job.objects.count(), JobLog.objects.count()) == (0, 0)


def test_what_belongs_together_goes_together_or_not_at_all() -> None:
    one, other = make_empty_orchestration(), make_empty_orchestration()
    gone = old_run(one, 30)
    gone_retry = old_run(one, 30, retry_of=gone)
    kept_run = old_run(one, 30)
    kept_retry = old_run(one, 9, retry_of=kept_run)
    parent, child = old_run(one, 30), old_run(other, 9)
    task_of(parent, child=child)
    gone_parent, gone_child = old_run(one, 30), old_run(other, 30)
    task_of(gone_parent, child=gone_child)
    last = [old_run(one, 1), old_run(other, 1)]
    found = preview(LIMITS, timezone.now())
    assert (found.runs, found.held) == (Amount(4, 6), 2)
    apply()
    assert kept() == [run.pk for run in [kept_run, kept_retry, parent, child, *last]]
    assert gone_retry.pk not in kept()


def test_what_a_table_tells_of_stays() -> None:
    one = make_empty_orchestration()
    bucket = Bucket.objects.create(key="in.c-a", stage="in", name="a")
    jobs = [old_job(30) for _ in range(4)]
    table = Table.objects.create(bucket=bucket, key="in.c-a.t", name="t", last_job=jobs[0])
    TableVersion.objects.create(table=table, number=1, kind="full", rows=1, bytes=1, job=jobs[1])
    TableVersion.objects.create(table=table, number=2, kind="full", rows=1, bytes=1, job=jobs[3])
    runs = [old_run(one, 30) for _ in range(3)]
    for run, job in zip(runs, jobs, strict=False):
        task_of(run, job=job)
    old_run(one, 30)
    newest = old_job(1, configuration=jobs[3].configuration)
    apply()
    assert kept() == [runs[0].pk, runs[1].pk, runs[2].pk + 1]
    assert set(Job.objects.values_list("pk", flat=True)) == {
        jobs[0].pk, jobs[1].pk, jobs[3].pk, newest.pk,
    }  # fmt: skip


def test_jobs_without_a_run_go_by_configuration() -> None:
    configuration = make_configuration()
    old_job(11, configuration=configuration)
    stay = [
        old_job(19, JobStatus.ERROR, configuration=configuration),
        old_job(99, JobStatus.WAITING, configuration=configuration),
        old_job(30, configuration=configuration),
        old_job(30),
    ]
    gone = old_job(30)
    Job.objects.filter(pk=gone.pk).update(configuration=None)
    apply()
    assert list(Job.objects.order_by("pk").values_list("pk", flat=True)) == [j.pk for j in stay]


def test_messages_and_the_audit_go_by_age_alone() -> None:
    one, now = make_empty_orchestration(), timezone.now()
    for days, status in ((11, "sent"), (9, "sent"), (11, DeliveryStatus.PENDING)):
        made = Delivery.objects.create(
            orchestration=one, event="error", channel="email", address="a", recipient="a",
            subject=f"{status} {days}", status=status, give_up_at=now,
        )  # fmt: skip
        Delivery.objects.filter(pk=made.pk).update(created_at=now - timedelta(days=days))
    AuditEntry.objects.all().delete()
    for days in (11, 9):
        entry = AuditEntry.objects.create(
            actor="a", channel=AuditChannel.PAGE, action=AuditAction.CREATED, object_type="x",
            object_id="1", object_name=f"{days}",
        )  # fmt: skip
        AuditEntry.objects.filter(pk=entry.pk).update(at=now - timedelta(days=days))
    apply(delivery_days=None, audit_days=None)
    assert (Delivery.objects.count(), AuditEntry.objects.filter(object_type="x").count()) == (3, 2)
    apply()
    subjects = set(Delivery.objects.values_list("subject", flat=True))
    assert subjects == {"sent 9", "pending 11"}
    entries = AuditEntry.objects.filter(object_type="x")
    assert list(entries.values_list("object_name", flat=True)) == ["9"]


def test_slots_go_with_their_run_and_others_by_age_and_unused_events_stay() -> None:
    one, now = make_empty_orchestration(), timezone.now()
    schedule = make_schedule(None, orchestration=one)
    old, new = old_run(one, 30), old_run(one, 11)
    for days, run in ((30, old), (11, new), (12, None), (9, None)):
        due_at = now - timedelta(days=days)
        Slot.objects.create(schedule=schedule, due_at=due_at, outcome="fired", run=run)
    trigger = make_trigger("in.c-a.b", orchestration=one)
    for days, used in ((30, True), (9, True), (40, False)):
        at = now - timedelta(days=days)
        TriggerEvent.objects.create(
            trigger=trigger, key=f"{days}", at=at, used_at=at if used else None
        )
    apply(slot_days=None)
    assert (Slot.objects.count(), TriggerEvent.objects.count()) == (4, 3)
    apply()
    left = [(now - slot.due_at).days for slot in Slot.objects.order_by("due_at")]
    assert left == [11, 9]  # the last run is kept, and its slot with it
    assert set(TriggerEvent.objects.values_list("key", flat=True)) == {"9", "40"}


def test_what_came_long_ago_to_a_trigger_that_is_off_goes() -> None:
    """A webhook that is off goes on taking calls, and nobody may ever switch it on."""
    now = timezone.now()
    for key in ("trigger", "orchestration"):
        orchestration = make_empty_orchestration(name=f"{key} off")
        trigger = make_trigger("in.c-a.b", orchestration=orchestration)
        of = trigger if key == "trigger" else orchestration
        of.is_enabled = False
        of.save()
        for days in (11, 9):
            at = now - timedelta(days=days)
            TriggerEvent.objects.create(trigger=trigger, key=f"{key} {days}", at=at)
    apply()

    assert set(TriggerEvent.objects.values_list("key", flat=True)) == {
        "trigger 9",
        "orchestration 9",
    }


def test_a_preview_names_the_orchestrations_with_most_first() -> None:
    one, other = make_empty_orchestration(name="one"), make_empty_orchestration(name="other")
    for of, count in ((one, 2), (other, 4)):
        for _ in range(count):
            old_run(of, 30)
    found = preview(LIMITS, timezone.now())
    assert found.orchestrations == [
        OrchestrationAmount(3, 1, other.pk, "other"),
        OrchestrationAmount(1, 1, one.pk, "one"),
    ]
    assert Run.objects.count() == 6


def test_it_stops_after_its_time_and_the_next_goes_on(
    django_capture_on_commit_callbacks: Any,
) -> None:
    one = make_empty_orchestration()
    for _ in range(3):
        old_run(one, 30)
    assert apply_retention() is None
    assert Run.objects.count() == 3  # off until somebody switches it on
    save_retention(Retention(is_enabled=True, runs=1, days=10, failed_days=10))
    with django_capture_on_commit_callbacks() as rung:
        first = apply_retention(seconds=-1)
    assert first is not None
    assert (first.result, len(rung)) == ({"runs": 2, "done": 0}, 1)
    second = apply_retention(goes_on=True)
    assert second is not None
    assert (second.result, second.began_at) == ({"runs": 2, "done": 1}, first.began_at)
    third = apply_retention()
    assert third is not None
    assert third.result == {"done": 1}


def test_the_command_counts_and_deletes(capsys: Any) -> None:
    one = make_empty_orchestration()
    for _ in range(3):
        old_run(one, 400)
    with pytest.raises(CommandError, match="The retention is off"):
        call_command("retention")
    save_retention(Retention(is_enabled=True, runs=1))
    call_command("retention", "--dry-run")
    assert "Runs, with their jobs: 2 would go, 1 stay\n" in capsys.readouterr().out
    assert Run.objects.count() == 3
    call_command("retention")
    assert capsys.readouterr().out.startswith("runs: 2 deleted\njobs: 0 deleted\n")
    assert Run.objects.count() == 1
