"""Count all slots against the rule of time: every due moment has one (invariant I2)."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from orchestrations.enums import SlotOutcome
from orchestrations.exceptions import NotAllowed
from orchestrations.models import SlotCheck
from orchestrations.queries.schedules import active_schedules, slot_count
from orchestrations.services.schedules import rouse_schedule
from orchestrator_site.lib.cron import CronError, ZoneError

BACK = timedelta(days=1, hours=1)  # each night, and an hour more
EXAMPLES = 100
KEPT = 90

logger = logging.getLogger(__name__)


def check_slots(now: datetime | None = None, *, back: timedelta = BACK) -> SlotCheck:
    """Count the slots of the last `back` of every schedule that is on; write down the result.

    A schedule is counted from its last change at most, since it may have said something else. One
    that sleeps since its last moment was rejected misses one, and goes on now if it can be read.
    """
    now = now or timezone.now()
    schedules = moments = missing = 0
    examples: list[dict[str, Any]] = []
    ready = active_schedules().filter(next_fire_at__isnull=False).select_related("calendar")
    for schedule in ready.order_by("pk").iterator():
        schedules += 1
        try:
            counted = slot_count(schedule, now, back=back)
        except (CronError, ZoneError) as error:
            missing += 1
            examples.append({"schedule": schedule.pk, "error": str(error)})
            continue
        moments += counted.due
        missing += len(counted.missing)
        examples += [
            {"schedule": schedule.pk, "due_at": moment.isoformat()} for moment in counted.missing
        ]
    sleeping = active_schedules().filter(
        next_fire_at__isnull=True, is_enabled=True, orchestration__is_enabled=True
    )
    for schedule in list(sleeping.order_by("pk")):  # some of them are changed on the way
        last = schedule.slots.order_by("-due_at").first()
        if last is not None and last.outcome == SlotOutcome.REJECTED:
            schedules += 1
            missing += 1
            examples.append({"schedule": schedule.pk, "error": last.reason})
            with suppress(CronError, ZoneError, NotAllowed):
                rouse_schedule(schedule)
    if missing:
        logger.error("%d of %d due moments have no slot.", missing, moments)
    check = SlotCheck.objects.create(
        began_at=now,
        ended_at=max(timezone.now(), now),
        since=now - back,
        schedules=schedules,
        moments=moments,
        missing=missing,
        examples=examples[:EXAMPLES],
    )
    old = SlotCheck.objects.order_by("-pk").values_list("pk", flat=True)[KEPT:]
    SlotCheck.objects.filter(pk__in=list(old)).delete()
    return check
