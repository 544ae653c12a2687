"""Who is told when something happens to a run: rows of messages, written where it happens.

A scheduled, triggered or API run follows the orchestration's settings; a run by hand, a retry too,
tells only who started it. A run inside another one tells nobody: it is a part of that one's run.
What a person stopped is never told as a failure.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from orchestrations.enums import (
    QUEUED_RUN,
    UNFINISHED_RUN,
    Channel,
    NotificationEvent,
    RunStatus,
    StartedBy,
    TaskStatus,
)
from orchestrations.models import Delivery, Notification, Run, TaskRun
from orchestrations.queries.durations import usual_durations
from orchestrations.services.forecasts import expected_end
from orchestrations.services.messages import Occasion, payload_of, subject_of
from orchestrations.services.ready_by import expected_delay, ready_by
from orchestrations.services.recipients import digest_of
from orchestrations.tasks import deliver_messages
from orchestrator_site.lib.bell import ring

E = NotificationEvent
BY_HAND = frozenset({StartedBy.MANUAL, StartedBy.RETRY})
EVENT_OF = {
    RunStatus.ERROR: E.ERROR,
    RunStatus.WARNING: E.WARNING,
    RunStatus.SUCCESS: E.SUCCESS,
}
FAILED = (TaskStatus.ERROR, TaskStatus.WARNING)
STOPPED = (TaskStatus.TERMINATED, TaskStatus.CANCELLED)
KEEP_TRYING = timedelta(hours=24)
MOST_FAILED = 1000
ONE_SWEEP = 1000

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receiver:
    """Somebody to be told; `threshold` is what their notification says, if it says any."""

    channel: str
    address: str
    digest: str
    shown: str
    threshold: int | None = None


def tell_of_end(run: Run) -> None:
    """Write the messages of a run that has just ended; call it in the transaction that ended it.

    Whatever goes wrong here is logged and undone by itself: it never touches the run.
    """
    try:
        with transaction.atomic():
            _tell_of_end(run)
    except Exception:  # a message is worth less than the run it tells of
        logger.exception("The messages of run %s could not be written.", run.pk)


def watch_runs(now: datetime | None = None) -> int:
    """Tell of runs that take long, wait for long or will be late; return how many messages.

    Each run and recipient is told once of either, however often and by how many this is called.
    A constant number of queries.
    """
    now = now or timezone.now()
    overdue = _overdue(_watched(now), now)
    found = [
        _delivery(occasion, receiver, now)
        for occasion, receivers in overdue
        for receiver in receivers
    ]
    return _write(found)


def is_mail_set_up() -> bool:
    """Tell whether e-mail leaves this installation; without EMAIL_HOST it only reaches the log."""
    return not settings.EMAIL_BACKEND.endswith("console.EmailBackend")


def _tell_of_end(run: Run) -> None:
    event = EVENT_OF.get(RunStatus(run.status))
    if event is None or run.started_by == StartedBy.NESTED:
        return
    receivers = _receivers(run, _settings(run, event))
    if not receivers:
        return
    tasks = _tasks_that_failed(run) if event != E.SUCCESS else []
    if event != E.SUCCESS and not tasks and _was_stopped(run):
        return
    now = timezone.now()
    occasion = Occasion(run, event, now, tasks)
    _write([_delivery(occasion, receiver, now) for receiver in receivers])


def _settings(run: Run, event: NotificationEvent) -> list[Notification]:
    if run.started_by in BY_HAND:
        return []  # the end is told to who started it, whatever the settings say
    return list(Notification.objects.filter(orchestration=run.orchestration_id, event=event))


def _receivers(run: Run, rows: Iterable[Notification]) -> list[Receiver]:
    """Return who is told: by hand only who started the run, otherwise as the settings say."""
    if run.started_by in BY_HAND:
        return _starter(run)
    return [
        Receiver(row.channel, row.address, row.address_digest, row.recipient, row.threshold)
        for row in rows
    ]


def _starter(run: Run, threshold: int | None = None) -> list[Receiver]:
    """Return who started a run, if an e-mail reaches them."""
    email = run.created_by.email.strip() if run.created_by else ""
    if not email or not is_mail_set_up():
        return []
    try:
        validate_email(email)
    except ValidationError:
        return []
    return [Receiver(Channel.EMAIL, email, digest_of(email.lower()), email, threshold)]


def _tasks_that_failed(run: Run) -> list[TaskRun]:
    tasks = run.task_runs.filter(status__in=FAILED).prefetch_related("attempts")
    return list(tasks.order_by("phase", "position")[:MOST_FAILED])


def _was_stopped(run: Run) -> bool:
    """Tell whether no task failed but a person stopped one: that is no failure."""
    return run.task_runs.filter(status__in=STOPPED).exists()


def _watched(now: datetime) -> QuerySet[Run]:
    """Return the runs that somebody may have to be told of, with what a message says of them."""
    rows = Notification.objects.filter(orchestration=OuterRef("orchestration"))
    processing = Exists(rows.filter(event=E.PROCESSING)) & Q(status=RunStatus.PROCESSING)
    waiting = Exists(rows.filter(event=E.WAITING)) & Q(
        status__in=QUEUED_RUN, created_at__lt=now - timedelta(minutes=1)
    )
    late = Exists(rows.filter(event=E.LATE)) & Q(slot__lead__gt=0, status__in=UNFINISHED_RUN)
    return (
        Run.objects.filter(processing | waiting | late, terminate_at=None)
        .exclude(started_by=StartedBy.NESTED)
        .select_related("orchestration", "created_by", "slot")
        .order_by("pk")[:ONE_SWEEP]
    )


def _overdue(runs: Iterable[Run], now: datetime) -> list[tuple[Occasion, list[Receiver]]]:
    """Return the runs that are over a number of the settings, and who is to be told."""
    runs = list(runs)
    if not runs:
        return []
    rows = _watchers(runs)
    usual = usual_durations(run.orchestration_id for run in runs)
    found = _late(runs, rows, usual, now)
    for run in runs:
        event = E.PROCESSING if run.status == RunStatus.PROCESSING else E.WAITING
        mean = usual.get(run.orchestration_id) if event == E.PROCESSING else None
        crossed = [
            row
            for row in rows[run.orchestration_id, event]
            if is_over(run, row.threshold, now=now, usual=mean)
        ]
        if crossed:
            receivers = _receivers(run, crossed)
            if run.started_by in BY_HAND:
                receivers = _starter(run, min(row.threshold or 0 for row in crossed))
            found.append((Occasion(run, event, now, [], usual=mean), receivers))
    return found


def _late(
    runs: Iterable[Run],
    rows: Mapping[tuple[int, str], list[Notification]],
    usual: Mapping[int, timedelta],
    now: datetime,
) -> list[tuple[Occasion, list[Receiver]]]:
    """Return the runs that will not be ready by their time, and who is to be told."""
    found = []
    for run in runs:
        watching = rows.get((run.orchestration_id, E.LATE), [])
        mean = usual.get(run.orchestration_id)
        if not watching or mean is None or ready_by(run) is None:
            continue
        ready_at = expected_end(run, mean, now)
        if expected_delay(run, ready_at) is not None:
            occasion = Occasion(run, E.LATE, now, [], usual=mean, ready_at=ready_at)
            found.append((occasion, _receivers(run, watching)))
    return found


def _watchers(runs: Iterable[Run]) -> dict[tuple[int, str], list[Notification]]:
    rows: dict[tuple[int, str], list[Notification]] = defaultdict(list)
    for row in Notification.objects.filter(
        orchestration__in={run.orchestration_id for run in runs},
        event__in=(E.PROCESSING, E.WAITING, E.LATE),
    ):
        rows[row.orchestration_id, row.event].append(row)
    return rows


def is_over(run: Run, threshold: int | None, *, now: datetime, usual: timedelta | None) -> bool:
    """Tell whether a run processes so many per cent longer than usual, or waits so many minutes.

    `usual` None means that no run has finished yet: then nothing is longer than usual.
    """
    if threshold is None:
        return False
    if run.status in QUEUED_RUN:
        return now - run.created_at > timedelta(minutes=threshold)
    if usual is None or run.started_at is None:
        return False
    return now - run.started_at > usual * (1 + threshold / 100)


def _delivery(occasion: Occasion, receiver: Receiver, now: datetime) -> Delivery:
    payload = payload_of(occasion, threshold=receiver.threshold)
    return Delivery(
        orchestration_id=occasion.run.orchestration_id,
        run=occasion.run,
        event=occasion.event,
        channel=receiver.channel,
        address=receiver.address,
        address_digest=receiver.digest,
        recipient=receiver.shown,
        subject=subject_of(payload),
        payload=payload,
        next_try_at=now,
        give_up_at=now + KEEP_TRYING,
    )


def _write(deliveries: Sequence[Delivery]) -> int:
    """Insert the messages that are not there yet and ring for them; return how many are new."""
    if not deliveries:
        return 0
    runs = {delivery.run_id for delivery in deliveries}
    with transaction.atomic():
        known = set(
            Delivery.objects.filter(run__in=runs).values_list(
                "run", "event", "channel", "address_digest"
            )
        )
        new = [
            d for d in deliveries if (d.run_id, d.event, d.channel, d.address_digest) not in known
        ]
        # two that look at the same time find the same: the constraint lets one of them insert
        Delivery.objects.bulk_create(new, ignore_conflicts=True)
        if new:
            ring(deliver_messages)
    return len(new)
