"""Triggers in the admin panel: looked at, switched and run here, changed on their pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrations.exceptions import OrchestrationsError
from orchestrations.models import Trigger, TriggerEvent, TriggerFile, TriggerTable
from orchestrations.services import triggers as services
from orchestrator_site.lib.access import person
from orchestrator_site.lib.panel import Operated, ReadOnly

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    TriggerBase = admin.ModelAdmin[Trigger]
    TableBase = admin.ModelAdmin[TriggerTable]
    EventBase = admin.ModelAdmin[TriggerEvent]
    FileBase = admin.ModelAdmin[TriggerFile]
    TableInlineBase = admin.TabularInline[TriggerTable, Trigger]
else:
    TriggerBase = TableBase = EventBase = FileBase = admin.ModelAdmin
    TableInlineBase = admin.TabularInline


class TableInline(ReadOnly, TableInlineBase):
    """The tables with the updates that no run has used."""

    model = TriggerTable
    fields = ("table_key", "updated_at", "version")
    extra = 0


@admin.register(Trigger)
class TriggerAdmin(Operated, ReadOnly, TriggerBase):
    """What starts runs when tables were updated; removed ones stay in the list as history."""

    list_display = (
        "__str__",
        "orchestration",
        "kind",
        "is_enabled",
        "cooldown",
        "last_run_at",
        "removed",
    )
    list_filter = ("is_enabled", "kind", ("deleted_at", admin.EmptyFieldListFilter), "last_run_at")
    list_select_related = ("orchestration",)
    search_fields = ("name", "orchestration__name", "tables__table_key")
    exclude = ("hook_secret",)  # cipher text says nothing to anybody
    inlines = (TableInline,)
    actions = ("run_now", "enable", "disable")

    @admin.display(description="Removed", boolean=True)
    def removed(self, trigger: Trigger) -> bool:
        return trigger.deleted_at is not None

    @admin.action(description="Run now with what is there", permissions=["operate"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        started = 0
        for trigger in queryset:
            try:
                services.run_now(trigger, user=person(request))
            except OrchestrationsError as error:
                self.message_user(request, f"{trigger}: {error.message}", messages.ERROR)
            else:
                started += 1
        level = messages.SUCCESS if started else messages.WARNING
        noun = "run has" if started == 1 else "runs have"
        self.message_user(request, f"{started} {noun} been started.", level)

    @admin.action(description="Enable selected triggers", permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        self._switch(request, queryset, enabled=True)

    @admin.action(description="Disable selected triggers", permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        self._switch(request, queryset, enabled=False)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Trigger], *, enabled: bool) -> None:
        chosen = list(queryset.filter(deleted_at=None))
        for trigger in chosen:
            services.set_enabled(trigger, enabled=enabled, user=person(request))
        noun = "trigger is" if len(chosen) == 1 else "triggers are"
        text = f"{len(chosen)} {noun} now {'on' if enabled else 'off'}."
        self.message_user(request, text, messages.SUCCESS if chosen else messages.WARNING)


@admin.register(TriggerTable)
class TriggerTableAdmin(ReadOnly, TableBase):
    """Which table is watched by which trigger."""

    list_display = ("table_key", "trigger", "updated_at", "version", "waits_since")
    list_filter = (("updated_at", admin.EmptyFieldListFilter),)
    list_select_related = ("trigger",)
    search_fields = ("table_key", "trigger__name", "trigger__orchestration__name")


@admin.register(TriggerFile)
class TriggerFileAdmin(ReadOnly, FileBase):
    """Which files triggers have seen."""

    list_display = ("name", "trigger", "stamp", "seen_at", "is_noted")
    list_filter = ("is_noted",)
    list_select_related = ("trigger",)
    search_fields = ("name", "trigger__name", "trigger__orchestration__name")


@admin.register(TriggerEvent)
class TriggerEventAdmin(ReadOnly, EventBase):
    """What came of what triggers wait for, and which run used it."""

    list_display = ("key", "trigger", "at", "run", "used_at")
    list_filter = (("used_at", admin.EmptyFieldListFilter), "trigger__kind", "at")
    list_select_related = ("trigger", "run")
    search_fields = ("key", "trigger__name", "trigger__orchestration__name")
