"""Runs, their tasks and events in the admin panel: history, and the way to stop what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrations.exceptions import NotAllowed
from orchestrations.models import Run, RunEvent, TaskRun
from orchestrations.services.runs import terminate_run
from orchestrator_site.lib.access import person
from orchestrator_site.lib.panel import Operated, ReadOnly

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    RunBase = admin.ModelAdmin[Run]
    TaskRunBase = admin.ModelAdmin[TaskRun]
    EventBase = admin.ModelAdmin[RunEvent]
    TaskRunInlineBase = admin.TabularInline[TaskRun, Run]
else:
    RunBase = TaskRunBase = EventBase = admin.ModelAdmin
    TaskRunInlineBase = admin.TabularInline


class TaskRunInline(ReadOnly, TaskRunInlineBase):
    """The tasks of a run, in order."""

    model = TaskRun
    fk_name = "run"
    fields = ("phase_name", "name", "status", "reason", "attempt", "started_at", "ended_at")
    extra = 0
    show_change_link = True


@admin.register(Run)
class RunAdmin(Operated, ReadOnly, RunBase):
    """What ran and what runs."""

    list_display = ("pk", "orchestration", "status", "started_by", "created_by", "created_at")
    list_filter = ("status", "started_by", "created_at")
    list_select_related = ("orchestration", "created_by")
    search_fields = ("=id", "orchestration__name", "reason", "created_by__username")
    date_hierarchy = "created_at"
    show_full_result_count = False
    inlines = (TaskRunInline,)
    actions = ("terminate",)

    @admin.action(description="Terminate", permissions=["operate"])
    def terminate(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        stopped = 0
        for run in queryset:
            try:
                terminate_run(run, user=person(request))
            except NotAllowed as error:
                self.message_user(request, error.message, messages.WARNING)
            else:
                stopped += 1
        if stopped:
            self.message_user(request, f"Runs being terminated: {stopped}.", messages.SUCCESS)


@admin.register(TaskRun)
class TaskRunAdmin(ReadOnly, TaskRunBase):
    """Tasks of runs: history, so only to be read."""

    list_display = ("name", "run", "phase_name", "status", "reason", "started_at", "ended_at")
    list_filter = ("status", "component_key")
    list_select_related = ("run",)
    search_fields = ("name", "=run__id", "reason")
    show_full_result_count = False


@admin.register(RunEvent)
class RunEventAdmin(ReadOnly, EventBase):
    """Every change of a status, with who or what caused it."""

    list_display = ("at", "run", "task_run", "old_status", "new_status", "reason", "actor")
    list_filter = ("new_status", "at")
    list_select_related = ("run", "task_run")
    search_fields = ("=run__id", "reason", "actor")
    show_full_result_count = False
