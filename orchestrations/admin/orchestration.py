"""Orchestrations in the admin panel: a save makes a version, as on their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrations.enums import StartedBy
from orchestrations.exceptions import OrchestrationsError
from orchestrations.models import Orchestration, OrchestrationVersion, Phase, Task
from orchestrations.services import orchestrations as services
from orchestrations.services.runs import start_run
from orchestrations.validators import name_error
from orchestrator_site.lib.access import EDIT, person
from orchestrator_site.lib.panel import Operated, ReadOnly

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    FormBase = forms.ModelForm[Orchestration]
    OrchestrationBase = admin.ModelAdmin[Orchestration]
    VersionBase = admin.ModelAdmin[OrchestrationVersion]
    TaskBase = admin.ModelAdmin[Task]
    PhaseInlineBase = admin.TabularInline[Phase, Orchestration]
    VersionInlineBase = admin.TabularInline[OrchestrationVersion, Orchestration]
else:
    FormBase = forms.ModelForm
    OrchestrationBase = VersionBase = TaskBase = admin.ModelAdmin
    PhaseInlineBase = VersionInlineBase = admin.TabularInline


class PhaseInline(ReadOnly, PhaseInlineBase):
    """The phases; they are edited on the page of their orchestration."""

    model = Phase
    fields = ("position", "name", "key", "depends_on")
    extra = 0
    show_change_link = False


class VersionInline(ReadOnly, VersionInlineBase):
    """What each save changed."""

    model = OrchestrationVersion
    fields = ("number", "change", "created_by", "created_at")
    readonly_fields = fields
    extra = 0


class OrchestrationForm(FormBase):
    """Name and description, checked as the service will check them."""

    class Meta:
        model = Orchestration
        fields = ("name", "description")

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if wrong := name_error(name):
            raise forms.ValidationError(wrong)
        return name


@admin.register(Orchestration)
class OrchestrationAdmin(Operated, OrchestrationBase):
    """Pipelines; made and thrown away on their pages, run and switched here too."""

    form = OrchestrationForm
    fields = ("name", "description", "version", "is_enabled", "created_by", "created_at", "removed")
    readonly_fields = ("version", "is_enabled", "created_by", "created_at", "removed")
    list_display = ("name", "is_enabled", "version", "created_by", "updated_at", "removed")
    list_filter = ("is_enabled", ("deleted_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("created_by",)
    search_fields = ("name", "description")
    inlines = (PhaseInline, VersionInline)
    actions = ("run_now", "enable", "disable")

    @admin.display(description="In the trash", boolean=True)
    def removed(self, orchestration: Orchestration) -> bool:
        return orchestration.deleted_at is not None

    def has_add_permission(self, *_args: Any) -> bool:
        return False

    def has_delete_permission(self, *_args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Orchestration | None = None) -> bool:
        in_trash = obj is not None and obj.deleted_at is not None
        return request.user.has_perm(EDIT) and not in_trash

    def save_model(self, request: HttpRequest, obj: Orchestration, *_args: Any) -> None:
        """Save through the service, which makes a version."""
        saved = Orchestration.objects.get(pk=obj.pk)
        try:
            services.save_orchestration(
                saved,
                user=person(request),
                expected_version=saved.version,
                name=obj.name,
                description=obj.description,
            )
        except OrchestrationsError as error:
            self.message_user(request, error.message, messages.ERROR)

    @admin.action(description="Run now", permissions=["operate"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Orchestration]) -> None:
        started = 0
        for orchestration in queryset:
            try:
                start_run(orchestration, started_by=StartedBy.MANUAL, user=person(request))
            except OrchestrationsError as error:
                self.message_user(request, f"{orchestration}: {error.message}", messages.ERROR)
            else:
                started += 1
        if started:
            self.message_user(request, f"Runs started: {started}.", messages.SUCCESS)

    @admin.action(description="Enable", permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Orchestration]) -> None:
        self._switch(request, queryset, enabled=True)

    @admin.action(description="Disable", permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Orchestration]) -> None:
        self._switch(request, queryset, enabled=False)

    def _switch(
        self, request: HttpRequest, queryset: QuerySet[Orchestration], *, enabled: bool
    ) -> None:
        chosen = list(queryset.filter(deleted_at=None))
        for orchestration in chosen:
            services.set_enabled(orchestration, enabled=enabled, user=person(request))
        text = f"Switched {'on' if enabled else 'off'}: {len(chosen)}."
        self.message_user(request, text, messages.SUCCESS if chosen else messages.WARNING)


@admin.register(OrchestrationVersion)
class OrchestrationVersionAdmin(ReadOnly, VersionBase):
    """What orchestrations were after each save: history, so only to be read."""

    list_display = ("orchestration", "number", "change", "created_by", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("orchestration", "created_by")
    search_fields = ("orchestration__name", "change", "created_by__username")
    date_hierarchy = "created_at"


@admin.register(Task)
class TaskAdmin(ReadOnly, TaskBase):
    """The tasks of all orchestrations; they are edited on the page of their orchestration."""

    list_display = ("__str__", "phase", "orchestration_name", "is_active", "continue_on_failure")
    list_filter = ("is_active", "continue_on_failure", "configuration__component")
    list_select_related = ("phase__orchestration", "configuration", "orchestration")
    search_fields = ("configuration__name", "orchestration__name", "phase__orchestration__name")

    @admin.display(description="Orchestration")
    def orchestration_name(self, task: Task) -> str:
        return task.phase.orchestration.name
