"""Schedules: make, change, switch, remove, bring back; and what is done every now and then.

Locks are taken in the order orchestration, schedule, runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Unpack

from django.contrib.auth.models import User
from django.db import transaction
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from orchestrations.enums import Misfire
from orchestrations.exceptions import InvalidSchedule, NotAllowed
from orchestrations.models import Calendar, Orchestration, Schedule
from orchestrations.models.orchestration import ScheduleDesign
from orchestrations.queries.change_words import schedule_sentence
from orchestrations.scheduling.preview import Preview, PreviewMoment, preview
from orchestrations.scheduling.slots import fire_due
from orchestrations.services.arming import CatchUp, arm, is_on, rouse, settle, switch
from orchestrations.services.projection import project, withdraw
from orchestrations.services.schedule_checks import MOMENTS, Options, check_schedule
from orchestrations.services.versions import record_version, schedule_design
from orchestrator_site.lib import cron as crons
from orchestrator_site.lib.cron_words import describe_cron
from orchestrator_site.lib.database_clock import database_now

__all__ = [
    "Changes",
    "Options",
    "Preview",
    "PreviewMoment",
    "create_schedule",
    "delete_schedule",
    "ensure_housekeeping",
    "fire_schedule",
    "on_calendar_changed",
    "on_orchestration_changed",
    "preview",
    "remove_schedules",
    "restore_schedules",
    "rouse_schedule",
    "set_enabled",
    "title",
    "update_schedule",
]

TIMING = (
    *("cron", "timezone", "gap", "repeat", "calendar_id", "on_held", "confidence"),
    *("valid_from", "valid_to"),
)
HOUSEKEEPING = (
    ("components.tasks.recover_jobs", 10, IntervalSchedule.SECONDS),
    ("orchestrations.tasks.recover_runs", 10, IntervalSchedule.SECONDS),
    ("orchestrations.tasks.sweep_triggers", 10, IntervalSchedule.SECONDS),
    ("orchestrations.tasks.watch_files", 10, IntervalSchedule.SECONDS),
    ("orchestrations.tasks.deliver_messages", 15, IntervalSchedule.SECONDS),
    ("orchestrations.tasks.watch_runs", 60, IntervalSchedule.SECONDS),
    ("components.tasks.compact_tables", 1, IntervalSchedule.HOURS),
    ("components.tasks.sweep_storage", 1, IntervalSchedule.HOURS),
    ("orchestrations.tasks.apply_retention", 24, IntervalSchedule.HOURS),
    ("orchestrations.tasks.check_slots", 24, IntervalSchedule.HOURS),
)
# Seconds after which an unread message is dropped: a later one does the same work.
EXPIRE = {IntervalSchedule.SECONDS: 60, IntervalSchedule.HOURS: 3600}


class Changes(Options, total=False):
    """What can be changed in a schedule; what is left out stays."""

    name: str
    cron: str
    timezone: str


@transaction.atomic
def create_schedule(  # noqa: PLR0913  # keyword-only: one for each thing people give
    orchestration: Orchestration,
    *,
    cron: str,
    timezone: str,
    user: User | None,
    name: str = "",
    enabled: bool = True,
    amend: bool = False,
    **options: Unpack[Options],
) -> Schedule:
    """Add a schedule; its first due moment comes after now. Raises InvalidSchedule.

    `amend` counts it to the version that this same transaction made.
    """
    _lock(orchestration)
    schedule = Schedule(
        orchestration=orchestration,
        is_enabled=enabled,
        created_by=user,
        cron=cron,
        timezone=timezone,
        name=name,
        **options,
    )
    check_schedule(schedule)
    schedule.paused_by = user if schedule.paused_until else None
    now = database_now()
    arm(schedule, now)
    schedule.save()
    project(schedule, enabled=is_on(schedule))
    sentence = f"Added schedule “{title(schedule)}”."
    record_version(orchestration, user=user, change=sentence, amend=amend)
    return schedule


@transaction.atomic
def update_schedule(
    schedule: Schedule,
    *,
    user: User | None = None,
    enabled: bool | None = None,
    catch_up: CatchUp | None = None,
    **changes: Unpack[Changes],
) -> Schedule:
    """Change a schedule and return it; what was due before now is decided as it was until now.

    A change of the time counts from now on; `enabled` switches it last, so that the switch acts on
    what was just said. Raises InvalidSchedule, and NotAllowed where it was
    removed meanwhile.
    """
    schedule, now = _locked(schedule), database_now()
    settle(schedule.pk, now)
    schedule.refresh_from_db(fields=["next_fire_at", "off_since", "off_by"])
    before = schedule_design(schedule)
    timing, paused_until = _timing(schedule), schedule.paused_until
    for field, value in changes.items():
        setattr(schedule, field, value)
    if schedule.paused_until != paused_until:
        schedule.paused_by = user if schedule.paused_until else None
    check_schedule(schedule)
    is_changed = timing != _timing(schedule)
    # One that could not be read before may be readable now.
    if is_changed or (is_on(schedule) and schedule.next_fire_at is None):
        arm(schedule, now, was_on=schedule.next_fire_at is not None)
    schedule.save()
    project(schedule, enabled=is_on(schedule))
    if enabled is not None and enabled != schedule.is_enabled:
        schedule.is_enabled = enabled
        switch(schedule, user=user, catch_up=catch_up)
    sentence = schedule_sentence(before, schedule_design(schedule))
    record_version(schedule.orchestration, user=user, change=sentence)
    return schedule


@transaction.atomic
def set_enabled(
    schedule: Schedule,
    *,
    enabled: bool,
    user: User | None = None,
    catch_up: CatchUp | None = None,
) -> Schedule:
    """Switch a schedule on or off and return it; safe to call twice.

    Switched on, it looks back to when it was switched off, as `catch_up` says, or its own misfire
    policy. Switched off, it starts nothing more, not even a moment that is due already. Raises
    NotAllowed where it was removed meanwhile.
    """
    locked = _locked(schedule)
    if locked.is_enabled == enabled:
        return locked
    locked.is_enabled = enabled
    switch(locked, user=user, catch_up=catch_up)
    sentence = f"Switched schedule “{title(locked)}” {'on' if enabled else 'off'}."
    record_version(locked.orchestration, user=user, change=sentence)
    return locked


@transaction.atomic
def delete_schedule(schedule: Schedule, *, user: User | None = None, amend: bool = False) -> None:
    """Remove a schedule; its row and slots stay, so that past runs are explained. Safe twice.

    `amend` counts it to the version that this same transaction made.
    """
    _lock(schedule.orchestration)
    locked = Schedule.objects.select_for_update(no_key=True).get(pk=schedule.pk)
    if locked.deleted_at is None:
        locked.deleted_at = database_now()
        switch(locked, user=user)
        sentence = f"Removed schedule “{title(locked)}”."
        record_version(schedule.orchestration, user=user, change=sentence, amend=amend)


@transaction.atomic
def restore_schedules(
    orchestration: Orchestration, wanted: Sequence[ScheduleDesign], *, user: User | None
) -> None:
    """Make the schedules what a version holds; counts to the version that this transaction made.

    Those that it does not hold are removed, removed ones come back under their old numbers. What
    comes back, is switched on or fires at other times goes on from now: nothing is made up for, and
    the moments of the time off get slots that say so. Raises InvalidSchedule.
    """
    _lock(orchestration)
    rows = orchestration.schedules.select_for_update(of=("self",), no_key=True)
    known = {row.pk: row for row in rows.select_related("orchestration").order_by("pk")}
    kept = {design["id"] for design in wanted}
    for row in known.values():
        if row.deleted_at is None and row.pk not in kept:
            delete_schedule(row, user=user, amend=True)
    for design in wanted:
        old = known.get(design["id"])
        if old is not None:
            settle(old.pk, database_now())
            old.refresh_from_db(fields=["next_fire_at", "off_since", "off_by"])
            _restore(old, design, user=user, is_new=old.deleted_at is not None)
        else:
            new = Schedule(orchestration=orchestration, created_by=user)
            _restore(new, design, user=user, is_new=True)
    record_version(orchestration, user=user, change="Restored schedules.", amend=True)


@transaction.atomic
def on_orchestration_changed(
    orchestration: Orchestration,
    *,
    user: User | None = None,
    catch_up: CatchUp | None = None,
    is_back: bool = False,
) -> None:
    """Wake or rest the schedules of an orchestration that was switched, trashed or restored.

    Call it in the same transaction, after saving the orchestration. One that `is_back` from the
    trash goes on from now; switched on, it looks back as in `set_enabled`. Safe to call twice.
    """
    _lock(orchestration)
    schedules = orchestration.schedules.filter(deleted_at=None).select_for_update(no_key=True)
    for schedule in schedules.order_by("pk"):
        schedule.orchestration = orchestration
        if is_back:
            schedule.off_since = schedule.off_since and database_now()
        switch(schedule, user=user, catch_up=catch_up)


@transaction.atomic
def remove_schedules(orchestration: Orchestration) -> None:
    """Take the shadows of an orchestration's schedules away, before its rows are deleted."""
    for schedule in orchestration.schedules.all():
        withdraw(schedule.pk)


@transaction.atomic
def on_calendar_changed(calendar: Calendar) -> None:
    """Compute anew when the schedules that use a calendar are due; what is past stays decided.

    Call it in the same transaction, after saving the calendar.
    """
    # Also those that are on and never due: until now it may have held all, or been unreadable.
    found = calendar.schedules.filter(
        deleted_at=None,
        is_enabled=True,
        orchestration__is_enabled=True,
        orchestration__deleted_at=None,
    )
    for row in found.select_related("orchestration").order_by("orchestration_id", "pk"):
        schedule, now = _locked(row), database_now()
        settle(schedule.pk, now)
        schedule.refresh_from_db()
        arm(schedule, now, was_on=schedule.next_fire_at is not None)
        schedule.save(update_fields=["next_fire_at", "lead", "off_since", "off_by", "updated_at"])


@transaction.atomic
def rouse_schedule(schedule: Schedule) -> None:
    """Let a schedule go on that sleeps since one of its moments was rejected.

    Raises CronError and ZoneError where it still cannot be read, and NotAllowed where it was
    removed meanwhile.
    """
    rouse(_locked(schedule), database_now())


def fire_schedule(schedule_id: int) -> None:
    """Fire what is due of one schedule: what the projected periodic task calls."""
    while _fire_part(schedule_id):
        pass


def ensure_housekeeping() -> None:
    """Make the periodic tasks that keep the house; what an administrator changed in them stays."""
    for task, every, period in HOUSEKEEPING:
        if not PeriodicTask.objects.filter(name=task).exists():
            interval = IntervalSchedule.objects.filter(every=every, period=period).first()
            PeriodicTask.objects.create(
                name=task,
                task=task,
                interval=interval or IntervalSchedule.objects.create(every=every, period=period),
                expire_seconds=EXPIRE[period],
            )


def title(schedule: Schedule) -> str:
    """Return what a sentence calls a schedule: its name, or when it fires."""
    if schedule.name:
        return schedule.name
    try:
        words = describe_cron(crons.parse(schedule.cron))
    except crons.CronError:
        words = schedule.cron
    return f"{words}, {schedule.timezone}"


@transaction.atomic
def _fire_part(schedule_id: int) -> bool:
    schedule = Schedule.objects.select_related("orchestration").filter(pk=schedule_id).first()
    if schedule is None:
        withdraw(schedule_id)
        return False
    _lock(schedule.orchestration)
    return fire_due(database_now(), only=schedule_id).more


def _lock(orchestration: Orchestration) -> None:
    Orchestration.objects.select_for_update(no_key=True).get(pk=orchestration.pk)


def _locked(schedule: Schedule) -> Schedule:
    _lock(schedule.orchestration)
    found = Schedule.objects.select_related("orchestration").select_for_update(
        of=("self",), no_key=True
    )
    try:
        return found.get(pk=schedule.pk, deleted_at=None)
    except Schedule.DoesNotExist:
        raise NotAllowed("This schedule was removed meanwhile.") from None


def _restore(
    schedule: Schedule, design: ScheduleDesign, *, user: User | None, is_new: bool
) -> None:
    was_on = not is_new and is_on(schedule)
    timing, paused_until = _timing(schedule), schedule.paused_until
    _take_over(schedule, design)
    if schedule.paused_until != paused_until:
        schedule.paused_by = user if schedule.paused_until else None
    check_schedule(schedule)
    turned = was_on != is_on(schedule)
    if not is_new and turned and timing == _timing(schedule):
        switch(schedule, user=user, catch_up=CatchUp(Misfire.SKIP))
        return
    now = database_now()
    if is_new:
        schedule.off_since = schedule.off_by = None
    elif was_on and turned:
        schedule.off_since, schedule.off_by = now, user
    if is_new or timing != _timing(schedule):
        arm(schedule, now, was_on=was_on)
    schedule.save()
    project(schedule, enabled=is_on(schedule))


def _take_over(schedule: Schedule, design: ScheduleDesign) -> None:
    for field, value in design.items():
        if field in MOMENTS:
            value = datetime.fromisoformat(str(value)) if value else None  # noqa: PLW2901
        if field == "calendar":
            schedule.calendar = _calendar(design)
        elif field != "id":
            setattr(schedule, field, value)
    schedule.deleted_at = None


def _timing(schedule: Schedule) -> list[object]:
    return [getattr(schedule, field) for field in TIMING]


def _calendar(design: ScheduleDesign) -> Calendar | None:
    """Return the calendar of a version's schedule; raises InvalidSchedule where it is gone."""
    if design["calendar"] is None:
        return None
    found = Calendar.objects.filter(name=design["calendar"]).first()
    if found is None:
        text = f"There is no calendar “{design['calendar']}” any more; make it again first."
        raise InvalidSchedule(text, fields={"calendar": text})
    return found
