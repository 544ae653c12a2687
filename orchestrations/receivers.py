"""What the upper app does when the lower one tells that something happened.

Receivers run inside the sender's transaction: they write rows, and queue on commit.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.dispatch import receiver

from components.models import Job, Table, TableVersion
from components.signals import job_finished, job_started, table_updated
from orchestrations.services.runs import on_job_finished, on_job_started
from orchestrations.services.schedules import ensure_housekeeping
from orchestrations.services.triggers import on_table_updated


@receiver(job_started)
def show_task_processing(job: Job, **_: Any) -> None:
    """Show the task of a claimed job as Processing."""
    on_job_started(job)


@receiver(job_finished)
def settle_task(job: Job, **_: Any) -> None:
    """Give a finished job's status to its task, and advance the run after the commit."""
    on_job_finished(job)


@receiver(table_updated)
def note_update(table: Table, version: TableVersion, **_: Any) -> None:
    """Note the update at the triggers that watch the table; they are looked at after the commit."""
    on_table_updated(table, version)


@receiver(post_migrate)
def make_housekeeping(sender: AppConfig, **_: Any) -> None:
    """Make the periodic tasks that keep the house, once django-celery-beat's tables are there."""
    if sender.name == "django_celery_beat":
        ensure_housekeeping()
