"""The retention in the admin panel: to be seen; its own page counts before it saves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from orchestrations.models import Retention
from orchestrator_site.lib.panel import ReadOnly

if TYPE_CHECKING:  # generic for the type checker, a plain class for Python
    Base = admin.ModelAdmin[Retention]
else:
    Base = admin.ModelAdmin


@admin.register(Retention)
class RetentionAdmin(ReadOnly, Base):
    """How long history is kept, and what went the last time."""

    list_display = ("__str__", "is_enabled", "runs", "days", "failed_days", "ended_at")
