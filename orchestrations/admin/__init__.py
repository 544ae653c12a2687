"""The admin panel, one module per noun; this file imports them all."""

from __future__ import annotations

from orchestrations.admin import (
    access,
    calendar,
    notification,
    operation,
    orchestration,
    retention,
    run,
    schedule,
    trigger,
)

__all__ = [
    "access",
    "calendar",
    "notification",
    "operation",
    "orchestration",
    "retention",
    "run",
    "schedule",
    "trigger",
]
