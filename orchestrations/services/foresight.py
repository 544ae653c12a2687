"""What a schedule will do, said in its dialog before it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone as clock

from orchestrations.enums import Overlap
from orchestrations.insights.advice import Load, Offer, advise, quiet_times
from orchestrations.models import Orchestration
from orchestrations.services.timeline import forecast, usual_of

# Quiet times are offered for what runs once or twice a day; of others they say nothing.
DAILY = timedelta(hours=11)
LOOKED_AT = timedelta(days=2)
MOST = 3000  # starts; a dialog asks after each change


@dataclass(frozen=True)
class Foresight:
    """A warning, if there is one, what would fit instead, and quiet times of the day."""

    warning: str
    offers: list[Offer]

    @property
    def is_quiet(self) -> bool:
        """Whether the offers are only quieter, and nothing is wrong."""
        return not self.warning


def foresee(
    orchestration: Orchestration,
    starts: Sequence[datetime],
    *,
    overlap: Overlap,
    zone: str,
    without: int | None = None,
) -> Foresight | None:
    """Return what is to be said of these next starts; None where nothing is known or wrong.

    Durations are those of the orchestration's last runs, the load that of all schedules but
    `without`, the one that is being edited.
    """
    usual = usual_of({orchestration.pk}).get(orchestration.pk)
    if usual is None or not starts:
        return None
    now = clock.now()
    others = [
        each
        for each in forecast(now, now + LOOKED_AT, without=without, most=MOST).expected
        if each.start.orchestration != orchestration.pk
    ]
    load = Load.of(others, ZoneInfo(zone))
    found = advise(starts, usual, overlap, load)
    if found is not None:
        return Foresight(found.text, found.offers)
    if not others or (len(starts) > 1 and starts[1] - starts[0] < DAILY):
        return None
    local = starts[0].astimezone(ZoneInfo(zone))
    minute = local.hour * 60 + local.minute
    here = load.cost([minute], usual.p50)
    quieter = [
        time
        for time in quiet_times(usual.p50, load, taken=[minute])
        if load.cost([time.hour * 60 + time.minute], usual.p50) < here
    ]
    offers = [Offer(f"{t:%H:%M}", f"{t.minute} {t.hour} * * *") for t in quieter]
    return Foresight("", offers) if offers else None
