"""What earlier runs tell about an unfinished one: how long each phase usually takes."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

from django.db.models import Max, Min

from orchestrations.models import Run, TaskRun
from orchestrations.queries.durations import FINISHED, USUAL_OF, mean


def usual_phases(orchestration_id: int) -> dict[str, float]:
    """Return the mean seconds of each phase, by key, in the last 20 finished runs; two queries.

    Runs of chosen tasks do not count: their phases were not whole.
    """
    runs = Run.objects.filter(
        orchestration=orchestration_id, status__in=FINISHED, selected__isnull=True
    )
    ids = list(runs.order_by("-pk").values_list("pk", flat=True)[:USUAL_OF])
    spans: defaultdict[str, list[timedelta]] = defaultdict(list)
    rows = (
        TaskRun.objects.filter(run__in=ids, started_at__isnull=False, ended_at__isnull=False)
        .order_by()
        .values_list("run", "phase_key")
        .annotate(Min("started_at"), Max("ended_at"))
    )
    for _, key, begin, end in rows:
        spans[key].append(end - begin)
    return {key: mean(found).total_seconds() for key, found in spans.items()}
