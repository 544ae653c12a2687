"""What a dead worker or a lost bell left behind: ended or started again, within a minute."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from components import tasks
from components.enums import ACTIVE_JOB
from components.models import Component, Job
from components.services import job_lines
from components.services import job_transitions as transitions
from components.services.job_specs import WORK_FOLDER
from orchestrator_site.lib.bell import ring

UNHEARD = timedelta(seconds=10)  # how long a bell may have been rung without anybody coming
SWEEP = 200  # dead jobs ended per call
FOLDER_AGE = 24 * 3600.0  # seconds after which a scratch folder is nobody's


def recover_jobs() -> None:
    """End jobs whose worker stopped and ring for those that nobody claimed; safe to call twice."""
    now = timezone.now()
    _end_dead(now)
    _ring_again(now)
    _remove_old_folders()


def _end_dead(now: datetime) -> None:
    dead = Job.objects.filter(status__in=ACTIVE_JOB, lease_until__lt=now).order_by("pk")
    for job in dead[:SWEEP]:
        seen = f"{(job.lease_until or now) - transitions.LEASE:%Y-%m-%d %H:%M:%S} UTC"
        name = job.worker or "unknown"
        transitions.declare_dead(
            job, error=f"The worker stopped. It ran as {name} and was last heard of at {seen}."
        )


def _ring_again(now: datetime) -> None:
    """Ring for the oldest jobs that may run, as many as there are free places.

    Those of a component at its limit are left out, or they would stand in the way of all others.
    """
    busy = Counter(Job.objects.filter(status__in=ACTIVE_JOB).values_list("component", flat=True))
    free = settings.JOB_LIMIT - busy.total()
    if free <= 0:
        return
    limits = Component.objects.exclude(max_parallel=None).values_list("pk", "max_parallel")
    full = [pk for pk, limit in limits if limit is not None and busy[pk] >= limit]
    with transaction.atomic():
        unheard = job_lines.claimable(now).exclude(rung_at__gt=now - UNHEARD)
        unheard = unheard.exclude(component__in=full)
        ids = list(unheard.values_list("pk", flat=True)[:free])
        Job.objects.filter(pk__in=ids).update(rung_at=now)
        for pk in ids:
            ring(tasks.run_job, pk)


def _remove_old_folders() -> None:
    """Remove scratch folders that a killed worker could not remove itself."""
    root = Path(settings.HOME, WORK_FOLDER)
    if not root.is_dir():
        return
    for folder in root.iterdir():
        try:
            age = time.time() - folder.stat().st_mtime
        except FileNotFoundError:
            continue
        if age > FOLDER_AGE:
            shutil.rmtree(folder, ignore_errors=True)
