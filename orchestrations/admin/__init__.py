"""The admin panel, one module per noun; this file imports them all."""

from __future__ import annotations

from orchestrations.admin import notification, orchestration, run, schedule, trigger

__all__ = ["notification", "orchestration", "run", "schedule", "trigger"]
