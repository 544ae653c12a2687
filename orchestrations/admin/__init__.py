"""The admin panel, one module per noun; this file imports them all."""

from __future__ import annotations

from orchestrations.admin import orchestration, run, schedule

__all__ = ["orchestration", "run", "schedule"]
