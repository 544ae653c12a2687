"""Fire what is due: slots, runs and the next due moment in one transaction (invariants I1 and I2).

Any number of callers may fire at once. On PostgreSQL each takes rows that nobody else holds; SQLite
lets one transaction write at a time. The unique constraints on Slot and Run are the last guarantee.

A long backlog (a year of every minute) is written in parts. Each part holds the next moments after
`next_fire_at` and, besides, the latest moments up to now, so that what is to be run runs at once:
the rows between follow in the next calls, and `next_fire_at` stays in the past until they are done.
Schedules that are on time come before those with a backlog, and then the furthest behind.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Case, Count, F, Max, Min, When

from orchestrations import tasks
from orchestrations.enums import (
    UNFINISHED_RUN,
    Misfire,
    Overlap,
    RunStatus,
    SlotKind,
    SlotOutcome,
    StartedBy,
)
from orchestrations.models import OrchestrationVersion, Run, RunEvent, Schedule, Slot
from orchestrations.scheduling.decision import (
    ON_TIME,
    SLOW,
    Decision,
    Downtime,
    Policy,
    Unfinished,
    decide,
)
from orchestrations.scheduling.outages import downtimes
from orchestrator_site.lib import bell, cron
from orchestrator_site.lib.errors import new_reference

# Names of periodic tasks that are projections of schedules begin so.
PROJECTED = "orchestrations.schedule."
# The periodic task of every ten seconds, by which a beat is seen to be alive.
TICKING = "orchestrations.tasks.recover_runs"
BATCH = 500
# Slots that one transaction writes for all its schedules together.
SLOTS_AT_ONCE = 5_000
# Messages that one transaction sends for its runs at most: they share them out among the workers.
MESSAGES = 50
# A caller that stalls in the middle (stopped, its machine gone) loses its locks after so long.
STALL_LIMIT = "20s"
INSTANT = timedelta(microseconds=1)
# Characters. One reason that is too long would keep its whole batch from being written.
LONGEST_REASON = 500
MARK = re.compile(r"⟪(\d+) ([^⟫]+)⟫")
UNREADABLE = (cron.CronError, cron.ZoneError)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FireReport:
    """How many schedules were looked at, what was written, and whether more is due at once."""

    schedules: int = 0
    slots: int = 0
    runs: int = 0
    more: bool = False


@dataclass(frozen=True)
class SwitchedOn:
    """A schedule is being switched on: what to do about the time `off`, in place of its policies.

    `chosen_by` names who chose it; empty where nobody was asked. `window` is in minutes.
    """

    misfire: Misfire
    limit: int
    off: Downtime
    overlap: Overlap
    window: int | None = None
    chosen_by: str = ""


@dataclass(frozen=True)
class _Due:
    """The due moments of one schedule that this call decides, and where the next call goes on."""

    schedule: Schedule
    moments: Sequence[cron.Occurrence]
    next_due_at: datetime | None
    refusal: tuple[SlotOutcome, str] | None


@dataclass(frozen=True)
class _Known:
    """What the database says about a batch: slots, unfinished runs, latest versions, downtimes."""

    decided: dict[int, set[datetime]]
    unfinished: dict[int, Unfinished]
    versions: dict[int, int]
    downtimes: Sequence[Downtime]
    on_time: timedelta = ON_TIME
    chosen_by: str = ""


def fire_due(
    now: datetime,
    *,
    batch: int = BATCH,
    only: int | None = None,
    switched: SwitchedOn | None = None,
) -> FireReport:
    """Decide the due moments of up to `batch` schedules, make their runs, and ring for these.

    `only` names one schedule and waits for whoever holds it; otherwise held ones are left out.
    `switched` tells that this one is being switched on.
    Safe to call twice and from anywhere at once. Raises django.db.Error, having changed nothing.
    """
    try:
        return _fire(now, batch, only, switched)
    except IntegrityError:
        # Somebody wrote the same slot without holding the schedule: read again, it is known now.
        return _fire(now, batch, only, switched)


def next_wake() -> datetime | None:
    """Return the earliest moment at which anything is due; None while nothing is."""
    due = Schedule.objects.filter(next_fire_at__isnull=False).order_by("next_fire_at")
    return due.values_list("next_fire_at", flat=True).first()


def upcoming(schedule: Schedule, after: datetime) -> datetime | None:
    """Return the first due moment of `schedule` after `after`, within its valid from and to.

    None means never. Raises CronError and ZoneError.
    """
    if schedule.valid_from is not None:
        after = max(after, schedule.valid_from - INSTANT)
    found = cron.next_occurrence(schedule.cron, schedule.timezone, after, schedule.rules)
    if found is None or (schedule.valid_to is not None and found.at > schedule.valid_to):
        return None
    return found.at


def latest(schedule: Schedule, after: datetime, until: datetime, n: int) -> list[cron.Occurrence]:
    """Return the last `n` due moments in (after, until] that are not held, in order.

    Raises CronError and ZoneError.
    """
    moments: list[cron.Occurrence] = []
    while len(moments) < n:
        found = cron.last_occurrence(schedule.cron, schedule.timezone, after, until, schedule.rules)
        if found is None:
            break
        moments.append(found)
        until = found.at - INSTANT
    return moments[::-1]


@transaction.atomic
def _fire(now: datetime, batch: int, only: int | None, switched: SwitchedOn | None) -> FireReport:
    _limit_stall()
    schedules = _take(now, batch, only)
    if not schedules:
        return FireReport()
    if switched is not None:
        for schedule in schedules:  # never saved: only `next_fire_at` is
            schedule.misfire, schedule.misfire_limit = switched.misfire, switched.limit
            schedule.misfire_window, schedule.overlap = switched.window, switched.overlap
    part = max(1, SLOTS_AT_ONCE // len(schedules))
    dues = [_due_or_refused(schedule, now, part) for schedule in schedules]
    known = _known(dues, now)
    if switched is not None:
        known = replace(
            known,
            downtimes=[switched.off, *known.downtimes],
            on_time=timedelta(),
            chosen_by=switched.chosen_by,
        )
    decisions = [
        (due.schedule, decision) for due in dues for decision in _decide_or_refuse(due, known, now)
    ]
    stopped = _ask_to_terminate(decisions, now)
    runs = _write(decisions, known, now)
    _advance(dues, now)
    bell.ring_in_packs(tasks.advance_runs, [*stopped, *runs], messages=MESSAGES)
    behind = any(
        due.next_due_at is not None and due.next_due_at - due.schedule.ahead <= now for due in dues
    )
    return FireReport(
        len(schedules), len(decisions), len(runs), more=behind or len(schedules) == batch
    )


def _limit_stall() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{STALL_LIMIT}'")


def _take(now: datetime, batch: int, only: int | None) -> list[Schedule]:
    """Lock due schedules with their orchestrations, so that overlap is judged by one at a time.

    NO KEY: runs and slots of these rows may be inserted meanwhile by others. Calendars are read
    once the rows are held: somebody may have changed one while this waited for them.
    """
    due = Schedule.objects.filter(next_fire_at__lte=now)
    if only is not None:
        due = due.filter(pk=only)
    on_time_first = Case(When(next_fire_at__gte=now - ON_TIME, then=0), default=1)
    return list(
        due.select_related("orchestration", "paused_by", "off_by")
        .prefetch_related("calendar")
        .select_for_update(of=("self", "orchestration"), no_key=True, skip_locked=only is None)
        .order_by(on_time_first, "next_fire_at", "pk")[:batch]
    )


def _due_or_refused(schedule: Schedule, now: datetime, part: int) -> _Due:
    """Return what is due; an error of ours in one schedule leaves the others of its batch alone."""
    try:
        return _due(schedule, now, part)
    except Exception as error:  # noqa: BLE001  # it goes to the log
        since = schedule.next_due_at or now
        moments = [cron.Occurrence(since, since, "normal")]
        return _Due(schedule, moments, None, (SlotOutcome.REJECTED, _our_error(schedule, error)))


def _decide_or_refuse(due: _Due, known: _Known, now: datetime) -> list[Decision]:
    try:
        return _decide(due, known, now)
    except Exception as error:  # noqa: BLE001  # it goes to the log
        reason = _our_error(due.schedule, error)
        return [
            Decision(moment.at, SlotOutcome.REJECTED, reason, SlotKind(moment.kind))
            for moment in due.moments
            if moment.at not in known.decided[due.schedule.pk]
        ]


def _our_error(schedule: Schedule, error: Exception) -> str:
    """Return what people are told of an error of ours; those of the database go on."""
    if isinstance(error, DatabaseError):
        raise error
    reference = new_reference()
    logger.error("Schedule %d, error %s.", schedule.pk, reference, exc_info=error)
    return f"An error of ours kept this from being decided. Its reference: {reference}."


def _due(schedule: Schedule, now: datetime, part: int) -> _Due:
    since = schedule.next_due_at
    assert since is not None  # noqa: S101  # _take filters by it
    refusal = _refusal(schedule)
    horizon = now + schedule.ahead
    try:
        moments, following = _moments(schedule, since, horizon, part)
    except UNREADABLE as error:
        rejected = (SlotOutcome.REJECTED, f"The schedule cannot be read: {error}")
        return _Due(schedule, [cron.Occurrence(since, since, "normal")], None, rejected)
    if refusal is not None and following is not None and following > horizon:
        following = None
    return _Due(schedule, moments, following, refusal)


def _moments(
    schedule: Schedule, since: datetime, now: datetime, part: int
) -> tuple[list[cron.Occurrence], datetime | None]:
    """Return the due moments to decide now, and the next due moment after these.

    `now` is the horizon: a schedule with a lead looks ahead by it. Where there are more than
    `part`, the latest ones follow the first `part`, with a hole between.
    """
    until = now if schedule.valid_to is None else min(now, schedule.valid_to)
    moments = cron.occurrences_between(
        schedule.cron, schedule.timezone, since - INSTANT, until, part + 1, schedule.rules
    )
    if len(moments) <= part:
        return moments, upcoming(schedule, now)
    head, following = moments[:part], moments[part].at
    return head + latest(schedule, head[-1].at, until, _tail_length(schedule)), following


def _tail_length(schedule: Schedule) -> int:
    """Return how many of the latest moments may run: those to be made up for and two on time."""
    return 2 + (schedule.misfire_limit if schedule.misfire == Misfire.ALL else 0)


def _refusal(schedule: Schedule) -> tuple[SlotOutcome, str] | None:
    """Return why no moment can run; None while both the schedule and its orchestration are on."""
    orchestration = schedule.orchestration
    if schedule.deleted_at is not None:
        return SlotOutcome.PAUSED, "The schedule was removed before this could start."
    if orchestration.deleted_at is not None:
        return SlotOutcome.PAUSED, "The orchestration is in the trash."
    if not schedule.is_enabled:
        by = f" by {schedule.off_by.get_username()}" if schedule.off_by else ""
        return SlotOutcome.PAUSED, f"The schedule was switched off{by} before this could start."
    if not orchestration.is_enabled:
        return SlotOutcome.PAUSED, "The orchestration is switched off."
    return None


def _known(dues: Sequence[_Due], now: datetime) -> _Known:
    decided: dict[int, set[datetime]] = defaultdict(set)
    # A lead only makes the next due moment later than this: some more are read, none is left out.
    slots = Slot.objects.filter(
        schedule__in=[due.schedule.pk for due in dues], due_at__gte=F("schedule__next_fire_at")
    )
    for schedule, due_at in slots.values_list("schedule_id", "due_at"):
        decided[schedule].add(due_at)
    orchestrations = {due.schedule.orchestration_id for due in dues}
    runs = Run.objects.filter(orchestration__in=orchestrations, status__in=UNFINISHED_RUN)
    ends = runs.values("orchestration").annotate(count=Count("pk"), one=Min("pk"), last=Max("pk"))
    unfinished = {
        row["orchestration"]: Unfinished(row["count"], f"run {row['one']}", f"run {row['last']}")
        for row in ends.order_by()
    }
    versions = OrchestrationVersion.objects.filter(
        orchestration__in=orchestrations, number=F("orchestration__version")
    )
    return _Known(
        decided,
        unfinished,
        dict(versions.values_list("orchestration", "pk")),
        _why_late(dues, now),
    )


def _why_late(dues: Sequence[_Due], now: datetime) -> list[Downtime]:
    """Return the downtimes that late moments may tell of; asks nothing where none is."""
    starts = [due.moments[0].at - due.schedule.ahead for due in dues if due.moments]
    first = min(starts, default=now)
    return downtimes(first, now) if now - first >= SLOW else []


def _decide(due: _Due, known: _Known, now: datetime) -> list[Decision]:
    schedule = due.schedule
    refusal = due.refusal
    if refusal is None and schedule.orchestration_id not in known.versions:
        refusal = (SlotOutcome.REJECTED, "The orchestration has no saved version to run.")
    policy = Policy(
        timezone=schedule.timezone,
        overlap=Overlap(schedule.overlap),
        misfire=Misfire(schedule.misfire),
        misfire_limit=schedule.misfire_limit,
        misfire_window=schedule.misfire_window,
        lead=schedule.ahead,
        paused_until=schedule.paused_until,
        paused_by=schedule.paused_by.get_username() if schedule.paused_by else "",
        refusal=refusal,
        downtimes=known.downtimes,
        on_time=known.on_time,
        chosen_by=known.chosen_by,
        run_name=partial(_mark, schedule.pk),
    )
    unfinished = known.unfinished.get(schedule.orchestration_id, Unfinished())
    decisions = decide(
        policy,
        due.moments,
        now=now,
        unfinished=unfinished,
        decided=known.decided[schedule.pk],
    )
    for decision in decisions:
        if decision.make_run:
            unfinished = unfinished.plus(_mark(schedule.pk, decision.due_at))
    known.unfinished[schedule.orchestration_id] = unfinished
    return decisions


def _mark(schedule_id: int, due_at: datetime) -> str:
    """Name a run that has no number before it is written."""
    return f"run ⟪{schedule_id} {due_at.isoformat()}⟫"


def _numbered(reason: str, run_of: Mapping[tuple[int, datetime], Run]) -> str:
    """Put the numbers of runs for their marks."""

    def number(mark: re.Match[str]) -> str:
        return str(run_of[int(mark[1]), datetime.fromisoformat(mark[2])].pk)

    return MARK.sub(number, reason)


def _ask_to_terminate(decisions: Sequence[tuple[Schedule, Decision]], now: datetime) -> list[int]:
    """Mark the unfinished runs that make room for new ones; the engine ends what is marked."""
    orchestrations = {schedule.orchestration_id for schedule, d in decisions if d.terminate}
    if not orchestrations:
        return []
    runs = Run.objects.filter(
        orchestration__in=orchestrations, status__in=UNFINISHED_RUN, terminate_at__isnull=True
    )
    marked = list(runs.order_by("pk").values_list("pk", flat=True))
    runs.update(terminate_at=now)
    return marked


def _write(
    decisions: Sequence[tuple[Schedule, Decision]], known: _Known, now: datetime
) -> list[int]:
    """Insert the slots and, in the same transaction, the runs that some of them start.

    A run that is to make room for another of this batch is marked from the start.
    """
    ends = {
        schedule.orchestration_id: n for n, (schedule, d) in enumerate(decisions) if d.terminate
    }
    runs = Run.objects.bulk_create(
        Run(
            orchestration_id=schedule.orchestration_id,
            version_id=known.versions[schedule.orchestration_id],
            started_by=StartedBy.SCHEDULE,
            schedule=schedule,
            scheduled_for=decision.due_at,
            variables=schedule.variables,
            rung_at=now,
            terminate_at=now if n < ends.get(schedule.orchestration_id, 0) else None,
        )
        for n, (schedule, decision) in enumerate(decisions)
        if decision.make_run
    )
    RunEvent.objects.bulk_create(
        RunEvent(
            run=run,
            new_status=RunStatus.CREATED,
            reason=f"Due at {run.scheduled_for:%Y-%m-%d %H:%M} UTC.",
            actor=f"Schedule {run.schedule}"[:200],
        )
        for run in runs
    )
    run_of: dict[tuple[int, datetime], Run] = {
        (schedule.pk, decision.due_at): run
        for (schedule, decision), run in zip(
            ((each, d) for each, d in decisions if d.make_run), runs, strict=True
        )
    }
    Slot.objects.bulk_create(
        Slot(
            schedule=schedule,
            due_at=decision.due_at,
            outcome=decision.outcome,
            reason=_numbered(decision.reason, run_of)[:LONGEST_REASON],
            kind=decision.kind,
            lead=schedule.lead,
            run=run_of.get((schedule.pk, decision.due_at)),
            decided_at=now,
        )
        for schedule, decision in decisions
    )
    return [run.pk for run in runs]


def _advance(dues: Sequence[_Due], now: datetime) -> None:
    """Move every schedule to its next due moment; one that was found off sleeps.

    One statement for each different moment: schedules that are due together mostly stay together.
    """
    moments: dict[datetime | None, list[int]] = defaultdict(list)
    for due in dues:
        starts_at = due.next_due_at and due.next_due_at - due.schedule.ahead
        moments[starts_at].append(due.schedule.pk)
    for next_fire_at, ids in moments.items():
        Schedule.objects.filter(pk__in=ids).update(next_fire_at=next_fire_at)
    off = [
        due.schedule.pk
        for due in dues
        if due.next_due_at is None
        and due.refusal is not None
        and due.schedule.orchestration.deleted_at is None
    ]
    if off:
        Schedule.objects.filter(pk__in=off, off_since=None).update(off_since=now)
