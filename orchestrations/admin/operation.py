"""Whether the scheduler was at work, in the admin panel: history, so only to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from orchestrations.models import Beat, Outage, SlotCheck
from orchestrator_site.lib.panel import ReadOnly, as_json

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    BeatBase = admin.ModelAdmin[Beat]
    OutageBase = admin.ModelAdmin[Outage]
    CheckBase = admin.ModelAdmin[SlotCheck]
else:
    BeatBase = OutageBase = CheckBase = admin.ModelAdmin


@admin.register(Beat)
class BeatAdmin(ReadOnly, BeatBase):
    """Which processes fire schedules, or did."""

    list_display = ("name", "started_at", "ticked_at", "stopped_at", "fired")
    list_filter = (("stopped_at", admin.EmptyFieldListFilter), "ticked_at")
    search_fields = ("name",)


@admin.register(Outage)
class OutageAdmin(ReadOnly, OutageBase):
    """When nothing fired, and why."""

    list_display = ("began_at", "ended_at", "cause", "noticed_at", "told_at")
    list_filter = ("is_over", "began_at")
    search_fields = ("cause",)


@admin.register(SlotCheck)
class SlotCheckAdmin(ReadOnly, CheckBase):
    """What each nightly comparison of the slots with the schedules found."""

    list_display = ("began_at", "since", "schedules", "expected", "found", "missing", "extra")
    list_filter = ("began_at",)
    exclude = ("details",)
    readonly_fields = ("problems",)

    @admin.display(description="Problems")
    def problems(self, check: SlotCheck) -> str:
        return as_json(check.details)
