"""How long history is kept; for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Router, Schema
from pydantic import ConfigDict

from components.api.base import ERRORS, needs
from orchestrations.models import Retention
from orchestrations.queries.retention import Limits, preview
from orchestrations.services.retention import current_retention, save_retention
from orchestrator_site.lib.access import EDIT, VIEW

router = Router(tags=["Retention"])
Amount = Annotated[int, Field(ge=1, le=2_000_000)]
LIMITS: dict[str, Any] = {
    "is_enabled": True,
    "runs": 100,
    "days": 90,
    "failed_days": 365,
    "delivery_days": 90,
    "audit_days": None,
    "slot_days": None,
}


class RetentionIn(Schema):
    """How long history is kept; null is for ever."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": LIMITS})
    is_enabled: bool
    runs: Amount
    days: Amount
    failed_days: Amount
    delivery_days: Amount | None = None
    audit_days: Amount | None = None
    slot_days: Annotated[int, Field(ge=2, le=2_000_000)] | None = None


class RetentionOut(RetentionIn):
    """What is set, and how many of each kind were deleted the last time."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **LIMITS,
                "began_at": "2026-11-22T02:00:00Z",
                "ended_at": "2026-11-22T02:00:04Z",
                "result": {"runs": 120, "done": 1},
            }
        }
    )
    began_at: datetime | None
    ended_at: datetime | None
    result: dict[str, int]


class AmountOut(Schema):
    """How many go and stay."""

    goes: int
    stays: int


class OrchestrationAmountOut(AmountOut):
    """How many runs of one orchestration go and stay."""

    orchestration: int
    name: str


class PreviewOut(Schema):
    """What would be deleted now; `held` runs are old, but something kept refers to them."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "runs": {"goes": 120, "stays": 800},
                "jobs": {"goes": 4, "stays": 90},
                "deliveries": {"goes": 0, "stays": 12},
                "audit_entries": {"goes": 0, "stays": 340},
                "slots": {"goes": 0, "stays": 9000},
                "events": {"goes": 0, "stays": 20},
                "held": 2,
                "orchestrations": [
                    {"orchestration": 7, "name": "Nightly", "goes": 120, "stays": 100}
                ],
            }
        }
    )
    runs: AmountOut
    jobs: AmountOut
    deliveries: AmountOut
    audit_entries: AmountOut
    slots: AmountOut
    events: AmountOut
    held: int
    orchestrations: list[OrchestrationAmountOut]


@router.get("/retention", response={200: RetentionOut, **ERRORS}, auth=needs(VIEW, staff=True))
def get_retention(request: HttpRequest) -> Retention:
    """Show how long history is kept."""
    return current_retention()


@router.put("/retention", response={200: RetentionOut, **ERRORS}, auth=needs(EDIT, staff=True))
def put_retention(request: HttpRequest, body: RetentionIn) -> Retention:
    """Set how long history is kept; it is applied every night while it is enabled."""
    retention = current_retention()
    for name, value in body.dict().items():
        setattr(retention, name, value)
    return save_retention(retention)


@router.post(
    "/retention/preview", response={200: PreviewOut, **ERRORS}, auth=needs(VIEW, staff=True)
)
def preview_retention(request: HttpRequest, body: RetentionIn) -> dict[str, Any]:
    """Count what would be deleted now with these limits; nothing is deleted or saved."""
    limits = Limits(**{k: v for k, v in body.dict().items() if k != "is_enabled"})
    return preview(limits, timezone.now()).as_dict
