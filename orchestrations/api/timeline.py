"""What is expected: the coming starts replayed by the rules of running."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema
from pydantic import ConfigDict

from components.api.base import ERRORS, needs
from orchestrations.insights.forecast import Fate
from orchestrations.services.timeline import forecast
from orchestrator_site.lib.access import VIEW

router = Router(tags=["Timeline"])
ITEM: dict[str, Any] = {
    "at": "2026-11-27T05:00:00Z",
    "orchestration": 7,
    "schedule": 4,
    "fate": "waits",
    "begins_at": "2026-11-27T05:12:00Z",
    "ends_at": "2026-11-27T06:10:00Z",
    "late_at": "2026-11-27T06:31:00Z",
}


class ForecastQuery(Schema):
    """How far ahead, and of which orchestration."""

    hours: Annotated[int, Query(ge=1, le=168, description="1 to 168.")] = 24
    orchestration: int | None = None
    limit: Annotated[int, Query(ge=1, le=1000, description="Starts, 1 to 1000.")] = 200


class ExpectedOut(Schema):
    """One coming start; `late_at` is when it has ended in nine of ten cases."""

    model_config = ConfigDict(json_schema_extra={"example": ITEM})
    at: datetime
    orchestration: int
    schedule: int
    fate: Fate
    begins_at: datetime | None
    ends_at: datetime | None
    late_at: datetime | None


class ForecastOut(Schema):
    """What is expected until a moment; earlier than asked for where too much is due."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"until": "2026-11-28T05:00:00Z", "items": [ITEM]}}
    )
    until: Annotated[datetime, Field(description="Up to where the forecast reaches.")]
    items: list[ExpectedOut]


@router.get("/forecast", response={200: ForecastOut, **ERRORS}, auth=needs(VIEW))
def get_forecast(request: HttpRequest, query: Query[ForecastQuery]) -> dict[str, Any]:
    """Tell what schedules will start, when each run will end, and which starts will be skipped."""
    now = timezone.now()
    found = forecast(now, now + timedelta(hours=query.hours))
    wanted = [
        each for each in found.expected if query.orchestration in {None, each.start.orchestration}
    ]
    return {
        "until": found.until,
        "items": [
            {
                "at": each.start.at,
                "orchestration": each.start.orchestration,
                "schedule": each.start.schedule,
                "fate": each.fate,
                "begins_at": each.begins_at,
                "ends_at": each.ends_at,
                "late_at": each.late_at,
            }
            for each in wanted[: query.limit]
        ],
    }
