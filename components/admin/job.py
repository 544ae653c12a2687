"""Jobs in the admin panel: to be looked at, and terminated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from components.exceptions import NotAllowed
from components.models import Job, JobEvent, JobLog
from components.services.jobs import terminate_job
from orchestrator_site.lib.access import person
from orchestrator_site.lib.panel import Operated, ReadOnly, as_json
from orchestrator_site.lib.secrets import hide_tree

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    JobBase = admin.ModelAdmin[Job]
    LogBase = admin.ModelAdmin[JobLog]
    EventInlineBase = admin.TabularInline[JobEvent, Job]
else:
    JobBase = LogBase = admin.ModelAdmin
    EventInlineBase = admin.TabularInline


class EventInline(ReadOnly, EventInlineBase):
    """What happened to the job."""

    model = JobEvent
    extra = 0
    fields = ("at", "old_status", "new_status", "reason", "actor")
    readonly_fields = fields


@admin.register(Job)
class JobAdmin(Operated, ReadOnly, JobBase):
    """Every execution of a configuration."""

    list_display = (
        "id",
        "configuration_name",
        "component",
        "status",
        "origin",
        "created_by",
        "created_at",
        "started_at",
        "ended_at",
    )
    list_filter = ("status", "origin", "error_type", "component", "created_at")
    list_select_related = ("component", "created_by")
    search_fields = ("=id", "configuration_name", "error", "error_reference", "worker")
    show_full_result_count = False
    inlines = (EventInline,)
    actions = ("terminate",)
    # The fencing token is nobody's business; parameters are shown with their secrets hidden.
    fields = (
        ("component", "configuration", "configuration_name", "configuration_version"),
        ("status", "waiting_for", "origin", "created_by"),
        ("created_at", "not_before", "rung_at", "started_at", "ended_at"),
        ("terminate_at", "terminated_by"),
        ("worker", "lease_until", "time_limit", "peak_memory"),
        ("error", "error_type", "error_reference"),
        "shown_parameters",
        "shown_result",
        "shown_tables_in",
        "shown_tables_out",
    )
    readonly_fields = ("shown_parameters", "shown_result", "shown_tables_in", "shown_tables_out")

    @admin.display(description="Parameters for this job only")
    def shown_parameters(self, job: Job) -> str:
        return as_json(hide_tree(job.parameters))

    @admin.display(description="Result")
    def shown_result(self, job: Job) -> str:
        return as_json(job.result)

    @admin.display(description="Tables read")
    def shown_tables_in(self, job: Job) -> str:
        return as_json(job.tables_in)

    @admin.display(description="Tables written")
    def shown_tables_out(self, job: Job) -> str:
        return as_json(job.tables_out)

    @admin.action(description="Terminate selected jobs", permissions=["operate"])
    def terminate(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        stopped, ended = 0, 0
        for job in queryset:
            if job.is_finished:
                ended += 1
                continue
            try:
                terminate_job(job, user=person(request))
                stopped += 1
            except NotAllowed as error:
                self.message_user(request, error.message, messages.ERROR)
        said = f"Termination of {stopped} jobs was asked for; {ended} had ended already."
        self.message_user(request, said, messages.SUCCESS if stopped else messages.INFO)


@admin.register(JobLog)
class JobLogAdmin(ReadOnly, LogBase):
    """What jobs wrote; secrets are masked before a line is stored."""

    list_display = ("job_id", "seq", "at", "level", "message")
    list_filter = ("level",)
    search_fields = ("=job__id",)
    search_help_text = "The number of a job."
    ordering = ("-job_id", "seq")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobLog]:
        """Read the lines alone: their job's row is not shown."""
        return super().get_queryset(request).select_related(None)

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        """Lead from the number of the line to the line."""
        return ("seq",)
