"""The shadows of schedules in django-celery-beat.

Each schedule is projected to a PeriodicTask with a CrontabSchedule of its own, so that beat's admin
shows it and the stock scheduler could fire it. SlotScheduler leaves the projections out.
"""

from __future__ import annotations

import json
from typing import Any

from celery.schedules import ParseException, crontab_parser
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from components.services import audit
from orchestrations.enums import HeldPolicy
from orchestrations.models import Schedule
from orchestrations.scheduling.slots import PROJECTED
from orchestrator_site.lib import cron as crons

CRONTAB = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
SHORT_FIELD = 60  # characters; the shortest column holds 64


def project(schedule: Schedule, *, enabled: bool) -> None:
    """Bring the shadow of a schedule in step with it; writes only what differs."""
    if schedule.deleted_at is not None:
        withdraw(schedule.pk)
        return
    name = f"{PROJECTED}{schedule.pk}"
    task = PeriodicTask.objects.select_related("crontab").filter(name=name).first()
    if task is None:
        task = PeriodicTask(name=name, crontab=CrontabSchedule())
    try:
        crontab = _crontab_of(schedule) | {"timezone": schedule.timezone}
    except crons.CronError:
        crontab = {}
    if not crontab or not crons.is_zone(schedule.timezone):  # never due
        withdraw(schedule.pk)
        return
    with audit.silence():  # the entry of the schedule tells of it
        _save(schedule, task, crontab, enabled=enabled)


def _save(
    schedule: Schedule, task: PeriodicTask, crontab: dict[str, str], *, enabled: bool
) -> None:
    if _differs(task.crontab, crontab):
        task.crontab.save()
        task.crontab = task.crontab
    fields = {
        "task": "orchestrations.tasks.fire_schedule",
        "args": json.dumps([schedule.pk]),
        "enabled": enabled,
        "description": f"Schedule of “{schedule.orchestration}”. Change it there, not here.",
    }
    if _differs(task, fields):
        task.save()


def _differs(row: Any, fields: dict[str, Any]) -> bool:
    """Set the fields of a row and tell whether it has to be saved."""
    differs = row.pk is None or any(str(getattr(row, f)) != str(v) for f, v in fields.items())
    for field, value in fields.items():
        setattr(row, field, value)
    return differs


def withdraw(schedule_id: int) -> None:
    """Take the shadow of a schedule away; safe to call twice."""
    task = PeriodicTask.objects.filter(name=f"{PROJECTED}{schedule_id}").first()
    if task is not None:
        with audit.silence():
            task.crontab.delete()  # it is its own, and takes it along


def _crontab_of(schedule: Schedule) -> dict[str, str]:
    """Return a crontab that fires at least whenever the schedule does.

    Every minute where its moments are no longer those of an expression: counted from a moment,
    moved by a calendar, or started ahead.
    """
    cron = crons.parse_cron(schedule.cron)
    is_moved = schedule.calendar_id is not None and schedule.on_held == HeldPolicy.MOVE
    if cron is None or is_moved or schedule.confidence is not None:
        return dict.fromkeys(CRONTAB, "*")
    return _crontab_fields(cron)


def _crontab_fields(cron: crons.Cron) -> dict[str, str]:
    """Return celery's crontab for an expression, which fires at least whenever the schedule does.

    Celery knows neither L nor # and joins day and weekday with "and" where cron says "or". Then
    every day is named: on the wrong ones the task finds nothing due. Minutes, hours and months
    are exact.
    """
    minute, hour, day, month, weekday = cron.fields
    if not cron.both_days or "L" in day.upper() + weekday.upper() or "#" in weekday:
        day = weekday = "*"
    weekdays = {value for value in cron.weekdays if isinstance(value, int)}
    return {
        "minute": _celery_field(minute, set(cron.minutes), crontab_parser(60)),
        "hour": _celery_field(hour, set(cron.hours), crontab_parser(24)),
        "day_of_month": _celery_field(day, set(cron.days), crontab_parser(31, 1)),
        "month_of_year": _celery_field(month, set(cron.months), crontab_parser(12, 1)),
        "day_of_week": _celery_field(weekday, weekdays, crontab_parser(7)),
    }


def _celery_field(text: str, values: set[int], parser: crontab_parser) -> str:
    """Return the field as it was written where celery reads the same from it, else as a list."""
    if text == "*":
        return text
    try:
        if set(parser.parse(text)) == values and len(text) <= SHORT_FIELD:
            return text
    except (ParseException, ValueError):
        pass
    return ",".join(str(value) for value in sorted(values))
