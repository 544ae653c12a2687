"""What the upper app does when the lower one tells that something happened.

Receivers run inside the sender's transaction: they write rows, and queue on commit.
"""

from __future__ import annotations

import re
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from django.apps import AppConfig
from django.db.models.signals import post_migrate, post_save, pre_delete, pre_save
from django.dispatch import receiver

from components.models import Job, Table, TableVersion
from components.services import audit
from components.services.audit import Watched, watch
from components.signals import job_finished, job_started, table_updated
from orchestrations.models import Orchestration, OrchestrationVersion, Run, TokenGrant
from orchestrations.services import followers, ready_by
from orchestrations.services.audit_changes import record_end, record_version_change
from orchestrations.services.notices import tell_of_end
from orchestrations.services.runs import on_job_finished, on_job_started
from orchestrations.services.schedules import ensure_housekeeping
from orchestrations.services.triggers import on_table_updated
from orchestrations.services.watching import Watcher, kind_of
from orchestrations.signals import run_ended

BEFORE = "_before"
# What people may change, and what the audit calls it.
LIMITS = {
    "is_enabled": "On",
    "runs": "Runs kept",
    "days": "Days kept",
    "failed_days": "Days kept after a failure",
    "delivery_days": "Days messages are kept",
    "audit_days": "Days the audit is kept",
    "slot_days": "Days slots are kept",
}
CALENDAR = {
    "name": "Name",
    "country": "Country",
    "subdivision": "Part",
    "weekdays": "Days off",
    "dates": "Dates",
    "windows": "Windows",
}
# Beat's models, for what people change in the admin panel; the shadows of schedules are silent.
CRON = {
    name: name.replace("_", " ").capitalize()
    for name in ("minute", "hour", "day_of_week", "day_of_month", "month_of_year", "timezone")
}
BEAT = {
    "PeriodicTask": {
        "name": "Name",
        "task": "Task",
        "enabled": "Enabled",
        "interval": "Interval",
        "crontab": "Crontab",
        "args": "Arguments",
        "kwargs": "Keyword arguments",
        "queue": "Queue",
        "expires": "Expires",
        "expire_seconds": "Expires after (seconds)",
        "one_off": "Once only",
        "start_time": "From",
    },
    "CrontabSchedule": CRON,
    "IntervalSchedule": {"every": "Every", "period": "Period"},
}


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


@receiver(run_ended)
def tell_people(run: Run, **_: Any) -> None:
    """Write the messages to those who are to be told of a run's end."""
    tell_of_end(run)


@receiver(run_ended)
def retime_schedules(run: Run, **_: Any) -> None:
    """Let schedules that must be ready by a time learn from how long the run took."""
    ready_by.on_run_ended(run)


@receiver(run_ended)
def tell_followers(run: Run, **_: Any) -> None:
    """Note the end of a run at the triggers that wait for it."""
    followers.on_run_ended(run)


@worker_ready.connect
def begin_watching(sender: Any, **_: Any) -> None:
    """Let a worker say that it is there."""
    sender.watcher = Watcher(kind_of(set(sender.app.amqp.queues.consume_from)))
    sender.watcher.start()


@worker_shutdown.connect
def end_watching(sender: Any, **_: Any) -> None:
    """Let a worker say that it stops."""
    watcher = getattr(getattr(sender, "consumer", None), "watcher", None)
    if watcher is not None:
        watcher.end()


@receiver(post_migrate)
def make_housekeeping(sender: AppConfig, **_: Any) -> None:
    """Make the periodic tasks that keep the house, once django-celery-beat's tables are there."""
    if sender.name == "django_celery_beat":
        with audit.silence():  # they come with the code
            ensure_housekeeping()


@receiver(pre_save, sender=OrchestrationVersion)
def remember_definition(instance: OrchestrationVersion, *, update_fields: Any, **_: Any) -> None:
    """Read what was there before a version that is made, or amended, by a save."""
    amends = instance.pk is not None
    if amends and update_fields is not None and "definition" not in update_fields:
        return
    rows = OrchestrationVersion.objects.filter(orchestration=instance.orchestration_id)
    number = instance.number if amends else instance.number - 1
    found = rows.filter(number=number).values_list("definition", flat=True) if number else []
    instance.__dict__[BEFORE] = next(iter(found), None)


@receiver(post_save, sender=OrchestrationVersion)
def tell_of_version(instance: OrchestrationVersion, **_: Any) -> None:
    """Record what a version changed."""
    if BEFORE in instance.__dict__:
        record_version_change(instance, instance.__dict__.pop(BEFORE))


@receiver(pre_delete, sender=Orchestration)
def record_purge(instance: Orchestration, **_: Any) -> None:
    """Record what an orchestration was that is deleted for good."""
    record_end(instance)


def watch_changes() -> None:
    """Record each change of what people make with this app; the rest is told by its versions."""
    watch(
        "orchestrations.Orchestration",
        Watched(
            "orchestration",
            {"is_enabled": "Enabled", "deleted_at": "In the trash"},
            flags=frozenset({"deleted_at"}),
            skips_new=True,
            skips_end=True,
        ),
    )
    watch(
        "orchestrations.TokenGrant",
        Watched(
            "grant",
            {"token": "Token", "orchestration": "May start"},
            name=_grant_name,
            about=lambda grant: f"orchestration:{grant.orchestration_id}",
            skips=lambda grant: grant.is_own,
        ),
    )
    watch(
        "orchestrations.SigningSecret",
        Watched(
            "signing secret",
            {"cipher": "Text"},
            secret=frozenset({"cipher"}),
            name=lambda secret: secret.orchestration.name,
            about=lambda secret: f"orchestration:{secret.orchestration_id}",
            skips_new=True,
            skips_end=True,
        ),
    )
    watch("orchestrations.Retention", Watched("retention", LIMITS))
    watch("orchestrations.Calendar", Watched("calendar", CALENDAR))
    for name, fields in BEAT.items():
        watch(f"django_celery_beat.{name}", Watched(_words(name), fields, only_people=True))


def _grant_name(grant: TokenGrant) -> str:
    return f"{grant.token} may start {grant.orchestration}"


def _words(name: str) -> str:
    """Return a model's name as words: PeriodicTask is a periodic task."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()
