"""Delete old history: in small transactions, as long as it may take, and never what is needed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import CharField, F, Model, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat, Left, Trim
from django.utils import timezone

from components.models import Job
from orchestrations.enums import FINISHED_RUN
from orchestrations.models import Retention, Run, Slot
from orchestrations.queries.retention import (
    BATCH,
    Limits,
    batches,
    deletable,
    needed_jobs_among,
    old_audit_entries,
    old_deliveries,
    old_events,
    old_jobs,
    old_runs,
    old_slots,
)
from orchestrations.tasks import apply_retention as apply_task
from orchestrator_site.lib.bell import ring

SLICE = 5.0  # seconds of work for each message, so that short work does not wait behind it
LONGEST = timedelta(hours=1)  # of one night
LONGEST_REASON = 500
LARGE_PACK = 2000  # slots are many and small


def current_retention() -> Retention:
    """Return what is set, or what is usual where nobody has set anything."""
    return Retention.objects.order_by("pk").first() or Retention()


@transaction.atomic
def save_retention(retention: Retention) -> Retention:
    """Keep what is set; there is one row."""
    retention.pk = current_retention().pk
    retention.save()
    return retention


def apply_retention(*, goes_on: bool = False, seconds: float = SLICE) -> Retention | None:
    """Delete for some seconds what is old, and ring for the rest; None where it is switched off.

    `goes_on` counts it to what was begun before. Safe to call twice, and at once.
    """
    retention = current_retention()
    if not retention.is_enabled:
        return None
    now = timezone.now()
    goes_on = goes_on and retention.began_at is not None
    began = retention.began_at if goes_on and retention.began_at else now
    counts = Counter(retention.result if goes_on else {})
    is_done = _delete(Limits.of(retention), now, counts, until=time.monotonic() + seconds)
    Retention.objects.filter(pk=retention.pk).update(
        began_at=began, ended_at=timezone.now(), result={**counts, "done": int(is_done)}
    )
    retention.refresh_from_db()
    if not is_done and now - began < LONGEST:
        ring(apply_task, 1, countdown=1)
    return retention


def _delete(limits: Limits, now: datetime, counts: Counter[str], *, until: float) -> bool:
    """Delete pack by pack; return whether all of it is gone before the time was over."""
    for kind, deleted in _packs(limits, now):
        counts[kind] += deleted
        if time.monotonic() > until:
            return False
    return True


def _packs(limits: Limits, now: datetime) -> Iterator[tuple[str, int]]:
    for _, runs in old_runs(limits, now):
        for pack in batches(runs):
            yield "runs", _delete_runs(pack, limits, now)
    for jobs in old_jobs(limits, now):
        for pack in batches(jobs):
            yield "jobs", _delete_rows(jobs.filter(pk__in=pack), Job)
    for kind, rows, size in (
        ("deliveries", old_deliveries(limits, now), BATCH),
        ("audit_entries", old_audit_entries(limits, now), BATCH),
        ("slots", old_slots(limits, now), LARGE_PACK),
        ("events", old_events(limits, now), BATCH),
    ):
        for pack in batches(rows, size=size):
            yield kind, _delete_rows(rows.filter(pk__in=pack), rows.model)


@transaction.atomic
def _delete_runs(ids: Collection[int], limits: Limits, now: datetime) -> int:
    """Delete those of some runs that nothing refers to, with their jobs; their slots say so."""
    going = deletable(ids, limits, now)
    locked = Run.objects.select_for_update().filter(pk__in=going, status__in=FINISHED_RUN)
    found = set(locked.order_by("pk").values_list("pk", flat=True))
    if found != going:  # somebody else deletes, too
        return 0
    _explain(found, now)
    jobs = set(Job.objects.filter(attempt__task_run__run__in=found).values_list("pk", flat=True))
    Run.objects.filter(pk__in=found).delete()
    Job.objects.filter(pk__in=jobs - needed_jobs_among(jobs)).delete()
    return len(found)


def _explain(runs: Collection[int], now: datetime) -> None:
    """Write into the slots of runs that are about to go what becomes of them."""
    number = Cast("run_id", CharField())
    tail = Value(f" was deleted by the retention on {now:%Y-%m-%d}.")
    sentence = Concat(F("reason"), Value(" Run "), number, tail, output_field=TextField())
    Slot.objects.filter(run__in=runs).update(reason=Left(Trim(sentence), LONGEST_REASON))


@transaction.atomic
def _delete_rows(rows: QuerySet[Any], model: type[Model]) -> int:
    """Delete rows with what hangs on them; return how many of the model itself."""
    _, by_model = rows.delete()
    return by_model.get(model._meta.label, 0)  # noqa: SLF001  # as Django's own answer has it
