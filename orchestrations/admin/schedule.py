"""Schedules and their slots in the admin panel; and beat's own tables, where shadows are looked at.

A schedule is saved through its service, which keeps its next moment and its shadow in step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django_celery_beat import admin as beat
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from orchestrations.exceptions import OrchestrationsError
from orchestrations.models import Schedule, Slot
from orchestrations.queries.schedules import words
from orchestrations.scheduling.preview import check_timing
from orchestrations.scheduling.slots import PROJECTED
from orchestrations.services import schedules as services
from orchestrations.services.schedule_checks import option_errors
from orchestrator_site.lib.access import EDIT, OPERATE, person

if TYPE_CHECKING:  # generic for the type checker, plain classes for Python
    ScheduleForm = forms.ModelForm[Schedule]
    ScheduleBase = admin.ModelAdmin[Schedule]
    SlotBase = admin.ModelAdmin[Slot]
else:
    ScheduleForm = forms.ModelForm
    ScheduleBase = SlotBase = admin.ModelAdmin

# What people say; the rest of a schedule is written by the services alone.
SAID = (
    "name",
    "cron",
    "timezone",
    "overlap",
    "misfire",
    "misfire_limit",
    "misfire_window",
    "gap",
    "repeat",
    "calendar",
    "on_held",
    "confidence",
    "valid_from",
    "valid_to",
    "paused_until",
    "variables",
)


class ScheduleAdminForm(ScheduleForm):
    """What may be said of a schedule, checked as the service will check it."""

    class Meta:
        model = Schedule
        fields = ("orchestration", "is_enabled", *SAID)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("cron") and cleaned.get("timezone"):
            try:
                check_timing(cleaned["cron"], cleaned["timezone"])
            except OrchestrationsError as error:
                for name, text in getattr(error, "fields", {}).items():
                    self.add_error(name, text)
        said = {name: cleaned[name] for name in SAID if name in cleaned}
        for name, text in option_errors(said).items():
            if name not in self.errors:
                self.add_error(name, text)
        return cleaned


@admin.register(Schedule)
class ScheduleAdmin(ScheduleBase):
    """When orchestrations run; removed schedules stay in the list as history."""

    form = ScheduleAdminForm
    list_display = ("__str__", "orchestration", "in_words", "is_enabled", "next_fire_at", "removed")
    list_filter = (
        "is_enabled",
        ("deleted_at", admin.EmptyFieldListFilter),
        "overlap",
        "misfire",
        "timezone",
    )
    search_fields = ("name", "cron", "timezone", "orchestration__name")
    list_select_related = ("orchestration",)
    raw_id_fields = ("orchestration",)
    readonly_fields = (
        *(
            "lead",
            "next_fire_at",
            "off_since",
            "paused_by",
            "created_by",
            "created_at",
        ),
        "deleted_at",
    )
    actions = ("enable", "disable")

    @admin.display(description="Runs")
    def in_words(self, schedule: Schedule) -> str:
        return words(schedule)

    @admin.display(description="Removed", boolean=True)
    def removed(self, schedule: Schedule) -> bool:
        return schedule.deleted_at is not None

    def get_readonly_fields(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        """Leave a schedule with its orchestration, once it is made."""
        fixed = tuple(self.readonly_fields)
        return fixed if obj is None else (*fixed, "orchestration")

    def has_change_permission(self, request: HttpRequest, obj: Schedule | None = None) -> bool:
        """Let nobody change a schedule that was removed."""
        return super().has_change_permission(request, obj) and (obj is None or not obj.deleted_at)

    def has_delete_permission(self, request: HttpRequest, obj: Schedule | None = None) -> bool:
        """Let nobody delete the history; a schedule is removed on its orchestration's page."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Schedule, form: forms.ModelForm[Schedule], change: bool
    ) -> None:
        """Save through the service, as the pages do."""
        enabled = form.cleaned_data["is_enabled"]
        said: Any = {name: form.cleaned_data[name] for name in SAID}
        if not change:
            made = services.create_schedule(
                form.cleaned_data["orchestration"],
                user=person(request),
                enabled=enabled,
                **said,
            )
            obj.pk = made.pk
        else:
            stored = Schedule.objects.select_related("orchestration").get(pk=obj.pk)
            services.update_schedule(stored, user=person(request), enabled=enabled, **said)
        obj.refresh_from_db()

    @admin.action(description="Enable selected schedules", permissions=["operate"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._switch(request, queryset, enabled=True)

    @admin.action(description="Disable selected schedules", permissions=["operate"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        self._switch(request, queryset, enabled=False)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Tell whether the person may switch what runs, as on the pages."""
        return request.user.has_perm(OPERATE) or request.user.has_perm(EDIT)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Schedule], *, enabled: bool) -> None:
        chosen = list(queryset.filter(deleted_at=None).select_related("orchestration"))
        for schedule in chosen:
            services.set_enabled(schedule, enabled=enabled, user=person(request))
        noun = "schedule is" if len(chosen) == 1 else "schedules are"
        text = f"{len(chosen)} {noun} now {'on' if enabled else 'off'}."
        self.message_user(request, text, messages.SUCCESS if chosen else messages.WARNING)


@admin.register(Slot)
class SlotAdmin(SlotBase):
    """Due moments and what became of them: history, so only to be read."""

    list_display = ("due_at", "schedule", "outcome", "reason", "run", "decided_at")
    list_filter = ("outcome", "due_at")
    search_fields = ("schedule__name", "schedule__orchestration__name", "reason")
    list_select_related = ("schedule", "run")
    date_hierarchy = "due_at"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Slot | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Slot | None = None) -> bool:
        return False


class PeriodicTaskAdmin(beat.PeriodicTaskAdmin):  # type: ignore[misc]  # it ships no types
    """Beat's periodic tasks; the shadows of schedules are changed where they come from."""

    def has_change_permission(self, request: HttpRequest, obj: PeriodicTask | None = None) -> bool:
        """Let nobody change the shadow of a schedule."""
        return bool(super().has_change_permission(request, obj)) and not _is_shadow(obj)

    def has_delete_permission(self, request: HttpRequest, obj: PeriodicTask | None = None) -> bool:
        """Let nobody delete the shadow of a schedule."""
        return bool(super().has_delete_permission(request, obj)) and not _is_shadow(obj)

    def response_action(self, request: HttpRequest, queryset: QuerySet[PeriodicTask]) -> Any:
        """Keep every action, deletion too, away from the shadows of schedules."""
        return super().response_action(request, queryset.exclude(name__startswith=PROJECTED))


class CrontabScheduleAdmin(beat.CrontabScheduleAdmin):  # type: ignore[misc]  # it ships no types
    """Beat's crontabs; those of schedules can be seen, and are changed with the schedule."""

    def has_change_permission(
        self, request: HttpRequest, obj: CrontabSchedule | None = None
    ) -> bool:
        """Let nobody change the crontab of a schedule's shadow."""
        return bool(super().has_change_permission(request, obj)) and not _is_shadows(obj)

    def has_delete_permission(
        self, request: HttpRequest, obj: CrontabSchedule | None = None
    ) -> bool:
        """Let nobody delete the crontab of a schedule's shadow."""
        return bool(super().has_delete_permission(request, obj)) and not _is_shadows(obj)

    def response_action(self, request: HttpRequest, queryset: QuerySet[CrontabSchedule]) -> Any:
        """Keep deletion away from the crontabs of schedules."""
        theirs = PeriodicTask.objects.filter(name__startswith=PROJECTED, crontab__isnull=False)
        return super().response_action(request, queryset.exclude(pk__in=theirs.values("crontab")))


def _is_shadow(task: PeriodicTask | None) -> bool:
    return task is not None and task.name.startswith(PROJECTED)


def _is_shadows(crontab: CrontabSchedule | None) -> bool:
    return crontab is not None and (
        PeriodicTask.objects.filter(crontab=crontab, name__startswith=PROJECTED).exists()
    )


for model, shown_by in ((PeriodicTask, PeriodicTaskAdmin), (CrontabSchedule, CrontabScheduleAdmin)):
    admin.site.unregister(model)
    admin.site.register(model, shown_by)
