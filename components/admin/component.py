"""Components in the admin panel: limits and the switch; what they are comes from the code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from components.models import Component
from components.services.job_transitions import ring_component

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Component]
else:
    Base = admin.ModelAdmin

EDITABLE = ("is_active", "time_limit", "memory_limit_mb", "max_parallel")
SHOWN = ("key", "name", "type", "summary", "has_input", "has_output", "can_test")


@admin.register(Component)
class ComponentAdmin(Base):
    """What is installed, with how much of the machine it may take."""

    list_display = ("name", "key", "type", "is_active", "max_parallel", "configuration_count")
    list_filter = ("type", "is_active", "has_input", "has_output")
    search_fields = ("name", "key", "summary")
    fields = (*SHOWN, *EDITABLE)
    readonly_fields = SHOWN

    def get_queryset(self, request: HttpRequest) -> QuerySet[Component]:
        live = Q(configurations__deleted_at=None, configurations__isnull=False)
        counted = Count("configurations", filter=live)
        return super().get_queryset(request).annotate(configuration_count=counted)

    @admin.display(description="Configurations", ordering="configuration_count")
    def configuration_count(self, component: Any) -> int:
        return int(component.configuration_count)

    def save_model(
        self, request: HttpRequest, obj: Component, form: Any, change: bool
    ) -> None:  # Django's signature
        """Save it; jobs that its limit kept waiting begin at once where it is a higher one now."""
        super().save_model(request, obj, form, change)
        if "max_parallel" in form.changed_data:
            ring_component(obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Components are installed with the code."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Component | None = None) -> bool:
        """One that is not installed any more keeps its configurations and history."""
        return False
