"""Which history a retention would delete, and what it leaves: read before anything is deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, OuterRef, Q, QuerySet, Subquery

from components.enums import FINISHED_JOB, JobStatus
from components.models import AuditEntry, Configuration, Job, Table, TableVersion
from orchestrations.enums import FINISHED_RUN, DeliveryStatus, RunStatus
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

BATCH = 200
LARGE = 5000
MOST_SHOWN = 10
GOOD_RUN = (RunStatus.SUCCESS, RunStatus.WARNING)
GOOD_JOB = (JobStatus.SUCCESS, JobStatus.WARNING)


@dataclass(frozen=True)
class Limits:
    """How long history is kept; None is for ever."""

    runs: int
    days: int
    failed_days: int
    delivery_days: int | None = None
    audit_days: int | None = None
    slot_days: int | None = None

    @classmethod
    def of(cls, retention: Retention) -> Limits:
        """Return the limits that a row holds, saved or not."""
        return cls(
            retention.runs,
            retention.days,
            retention.failed_days,
            retention.delivery_days,
            retention.audit_days,
            retention.slot_days,
        )


@dataclass(frozen=True)
class Amount:
    """How many go and how many stay."""

    goes: int
    stays: int


@dataclass(frozen=True)
class OrchestrationAmount(Amount):
    """How many runs of one orchestration go and stay."""

    orchestration: int
    name: str


@dataclass(frozen=True)
class Preview:
    """What would go now; `held` runs are old enough, but what is kept refers to them."""

    runs: Amount
    jobs: Amount
    deliveries: Amount
    audit_entries: Amount
    slots: Amount
    events: Amount
    held: int
    orchestrations: list[OrchestrationAmount] = field(default_factory=list)  # most first

    @property
    def kinds(self) -> list[tuple[str, Amount]]:
        """Return each kind with its amounts, for a table."""
        return [
            ("Runs, with their jobs", self.runs),
            ("Jobs that belong to no run", self.jobs),
            ("Messages", self.deliveries),
            ("Audit entries", self.audit_entries),
            ("Slots", self.slots),
            ("Events of triggers", self.events),
        ]

    @property
    def as_dict(self) -> dict[str, Any]:
        """Return all of it as programs read it."""
        return asdict(self)


def old_runs(limits: Limits, now: datetime) -> Iterator[tuple[Orchestration, QuerySet[Run]]]:
    """Yield each orchestration that has more runs than are kept, with those of it that are old."""
    for orchestration in _with_last(Orchestration.objects.all(), limits):
        runs = Run.objects.filter(orchestration=orchestration, pk__lt=orchestration.last)
        yield orchestration, runs.filter(_old_run(limits, now))


def old_jobs(limits: Limits, now: datetime) -> Iterator[QuerySet[Job]]:
    """Yield the old jobs that belong to no run: those of each configuration, then of none."""
    old = _old(limits, now, FINISHED_JOB, GOOD_JOB)
    alone = Job.objects.filter(old & ~_needed("pk"), attempt=None)
    newest = Job.objects.filter(configuration=OuterRef("pk"), attempt=None).order_by("-pk")
    last = Subquery(newest.values("pk")[limits.runs - 1 : limits.runs])
    for configuration in Configuration.objects.annotate(last=last).exclude(last=None):
        yield alone.filter(configuration=configuration, pk__lt=configuration.last)
    yield alone.filter(configuration=None)


def old_deliveries(limits: Limits, now: datetime) -> QuerySet[Delivery]:
    """Return the messages that are old and not to be sent any more."""
    if limits.delivery_days is None:
        return Delivery.objects.none()
    before = now - timedelta(days=limits.delivery_days)
    return Delivery.objects.filter(created_at__lt=before).exclude(status=DeliveryStatus.PENDING)


def old_audit_entries(limits: Limits, now: datetime) -> QuerySet[AuditEntry]:
    """Return the entries of the audit that are old."""
    if limits.audit_days is None:
        return AuditEntry.objects.none()
    return AuditEntry.objects.filter(at__lt=now - timedelta(days=limits.audit_days))


def old_slots(limits: Limits, now: datetime) -> QuerySet[Slot]:
    """Return the slots that are old and have no run, or none any more."""
    if limits.slot_days is None:
        return Slot.objects.none()
    return Slot.objects.filter(due_at__lt=now - timedelta(days=limits.slot_days), run=None)


def old_events(limits: Limits, now: datetime) -> QuerySet[TriggerEvent]:
    """Return what triggers used long ago, and what came long ago to those that are off or removed.

    What a trigger that is on has not used yet stays.
    """
    if limits.slot_days is None:
        return TriggerEvent.objects.none()
    before = now - timedelta(days=limits.slot_days)
    is_on = Q(trigger__is_enabled=True, trigger__deleted_at=None) & Q(
        trigger__orchestration__is_enabled=True, trigger__orchestration__deleted_at=None
    )
    unused = Q(used_at=None, at__lt=before) & ~is_on
    return TriggerEvent.objects.filter(Q(used_at__lt=before) | unused)


def deletable(ids: Collection[int], limits: Limits, now: datetime) -> set[int]:
    """Return those of some old runs that nothing kept refers to, with what goes with them.

    A run, its retries and the runs nested in it go together: when all of them are old, and no
    table has a version that one of their jobs made.
    """
    families = _families(ids)
    members = {pk for family in families for pk in family}
    free = _old_among(members, limits, now)
    return {pk for family in families if family <= free for pk in family}


def preview(limits: Limits, now: datetime) -> Preview:
    """Return what would go now, counted as it would be deleted."""
    rows = []
    going: set[int] = set()
    old_count = 0
    for orchestration, runs in old_runs(limits, now):
        goes = 0
        for batch in batches(runs, size=LARGE):
            found = deletable(batch, limits, now)
            going |= found
            goes += len(found.intersection(batch))
            old_count += len(batch)
        if goes:
            total = Run.objects.filter(orchestration=orchestration).count()
            rows.append(
                OrchestrationAmount(goes, total - goes, orchestration.pk, orchestration.name)
            )
    rows.sort(key=lambda row: (-row.goes, row.name))
    alone = sum(jobs.count() for jobs in old_jobs(limits, now))
    return Preview(
        runs=Amount(len(going), Run.objects.count() - len(going)),
        jobs=Amount(alone, Job.objects.filter(attempt=None).count() - alone),
        deliveries=_amount(old_deliveries(limits, now)),
        audit_entries=_amount(old_audit_entries(limits, now)),
        slots=_slots(limits, now, going),
        events=_amount(old_events(limits, now)),
        held=old_count - len(going),
        orchestrations=rows[:MOST_SHOWN],
    )


def batches(rows: QuerySet[Any], *, size: int = BATCH) -> Iterator[list[int]]:
    """Yield the ids of rows in packs, oldest first; each row once, deleted meanwhile or not."""
    after = 0
    while True:
        found = rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
        pack = list(found[:size])
        if not pack:
            return
        yield pack
        after = pack[-1]


def needed_jobs_among(ids: Iterable[int]) -> set[int]:
    """Return those of some jobs that a table names as what made one of its versions."""
    needed = Job.objects.filter(_needed("pk"), pk__in=ids)
    return set(needed.values_list("pk", flat=True))


def _old_among(ids: Collection[int], limits: Limits, now: datetime) -> set[int]:
    """Return those of some runs that are old, not among the last ones, and no table's story."""
    found = Run.objects.filter(_old_run(limits, now), pk__in=ids)
    of = dict(found.values_list("pk", "orchestration"))
    orchestrations = Orchestration.objects.filter(pk__in=set(of.values()))
    last = dict(_with_last(orchestrations, limits).values_list("pk", "last"))
    attempts = TaskAttempt.objects.filter(_needed("job"), task_run__run__in=ids)
    told = set(attempts.values_list("task_run__run", flat=True))
    return {pk for pk, orchestration in of.items() if pk < last.get(orchestration, 0)} - told


def _families(ids: Collection[int]) -> list[frozenset[int]]:
    """Return the families of some runs: what retries and nesting tie together."""
    ties: dict[int, set[int]] = {pk: set() for pk in ids}
    frontier = set(ids)
    while frontier:
        found = _ties(frontier)
        frontier = {pk for pair in found for pk in pair} - ties.keys()
        for one, other in found:
            ties.setdefault(one, set()).add(other)
            ties.setdefault(other, set()).add(one)
    families, seen = [], set[int]()
    for pk in ties:
        if pk not in seen:
            family = _reach(pk, ties)
            seen |= family
            families.append(frozenset(family))
    return families


def _ties(ids: set[int]) -> set[tuple[int, int]]:
    retries = Run.objects.filter(Q(pk__in=ids) | Q(retry_of__in=ids), retry_of__isnull=False)
    nested = TaskRun.objects.filter(Q(run__in=ids) | Q(child__in=ids), child__isnull=False)
    return {*retries.values_list("pk", "retry_of"), *nested.values_list("run", "child")}  # type: ignore[arg-type]  # neither is empty


def _reach(start: int, ties: dict[int, set[int]]) -> set[int]:
    reached, todo = {start}, [start]
    while todo:
        for other in ties[todo.pop()] - reached:
            reached.add(other)
            todo.append(other)
    return reached


def _old_run(limits: Limits, now: datetime) -> Q:
    return _old(limits, now, FINISHED_RUN, GOOD_RUN)


def _old(limits: Limits, now: datetime, finished: Collection[str], good: Collection[str]) -> Q:
    days, failed_days = (now - timedelta(days=d) for d in (limits.days, limits.failed_days))
    bad = [status for status in finished if status not in good]
    return Q(status__in=good, created_at__lt=days) | Q(status__in=bad, created_at__lt=failed_days)


def _needed(path: str) -> Q:
    """Return the filter of jobs that tables name as what made them."""
    versions = TableVersion.objects.exclude(job=None).order_by().values("job")
    tables = Table.objects.exclude(last_job=None).order_by().values("last_job")
    return Q((f"{path}__in", versions)) | Q((f"{path}__in", tables))


def _with_last(orchestrations: QuerySet[Orchestration], limits: Limits) -> QuerySet[Any]:
    """Return those that have more runs than are kept, with the oldest kept one as `last`."""
    newest = Run.objects.filter(orchestration=OuterRef("pk")).order_by("-pk").values("pk")
    last = Subquery(newest[limits.runs - 1 : limits.runs])
    return orchestrations.annotate(last=last).exclude(last=None)


def _slots(limits: Limits, now: datetime, going: Collection[int]) -> Amount:
    """Return how many slots go, with those of runs that go in the same night."""
    goes = old_slots(limits, now).count()
    if limits.slot_days is not None:
        old = Slot.objects.filter(due_at__lt=now - timedelta(days=limits.slot_days))
        ids = sorted(going)
        for start in range(0, len(ids), LARGE):
            goes += old.filter(run__in=ids[start : start + LARGE]).count()
    return Amount(goes, Slot.objects.count() - goes)


def _amount(going: QuerySet[Any]) -> Amount:
    model: type[Model] = going.model
    goes = going.count()
    return Amount(goes, model._default_manager.count() - goes)  # noqa: SLF001  # the public name of it
