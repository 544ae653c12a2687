"""Processes, outages and counts of slots in the admin panel: to be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from orchestrations.models import Outage, Process, SlotCheck
from orchestrator_site.lib.panel import ReadOnly

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    ProcessBase = admin.ModelAdmin[Process]
    OutageBase = admin.ModelAdmin[Outage]
    CheckBase = admin.ModelAdmin[SlotCheck]
else:
    ProcessBase = OutageBase = CheckBase = admin.ModelAdmin


@admin.register(Process)
class ProcessAdmin(ReadOnly, ProcessBase):
    """Schedulers, workers and web servers of the last day."""

    list_display = (
        *("kind", "host", "pid", "version"),
        *("started_at", "seen_at", "stopped_at", "clock_off"),
    )
    list_filter = ("kind", "host")
    search_fields = ("host", "=pid")


@admin.register(Outage)
class OutageAdmin(ReadOnly, OutageBase):
    """When nothing fired, and jumps of clocks."""

    list_display = ("kind", "began_at", "ended_at", "reason", "told_at")
    list_filter = ("kind", "began_at")
    search_fields = ("reason",)
    date_hierarchy = "began_at"


@admin.register(SlotCheck)
class SlotCheckAdmin(ReadOnly, CheckBase):
    """Counts of slots against the rule of time."""

    list_display = ("began_at", "ended_at", "schedules", "moments", "missing")
    date_hierarchy = "began_at"
