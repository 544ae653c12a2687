"""Configurations in the admin panel: found, renamed, run; each save is a version as elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.safestring import SafeString

from components.exceptions import ComponentsError
from components.models import Configuration, ConfigurationVersion
from components.services.configurations import (
    move_to_trash,
    restore_from_trash,
    update_configuration,
)
from components.services.jobs import create_job
from orchestrator_site.lib.access import EDIT, OPERATE, person
from orchestrator_site.lib.panel import as_json
from orchestrator_site.lib.secrets import hide_tree

if TYPE_CHECKING:  # generic for the type checker only
    Base = admin.ModelAdmin[Configuration]
    InlineBase = admin.TabularInline[ConfigurationVersion, Configuration]
    Form = ModelForm[Configuration]
else:
    Base, InlineBase, Form = admin.ModelAdmin, admin.TabularInline, ModelForm


class InTrash(admin.SimpleListFilter):
    """Configurations in use, or in the trash."""

    title = "place"
    parameter_name = "trash"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "In use"), ("yes", "In the trash")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Configuration]
    ) -> QuerySet[Configuration]:
        if self.value() in ("yes", "no"):
            return queryset.filter(deleted_at__isnull=self.value() == "no")
        return queryset


class VersionInline(InlineBase):
    """The history; never changed."""

    model = ConfigurationVersion
    fields = readonly_fields = ("number", "change", "created_by", "created_at")
    extra = 0
    can_delete = False
    verbose_name_plural = "versions"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Configuration)
class ConfigurationAdmin(Base):
    """Parameters are edited on the configuration's own page; secrets are not shown here."""

    list_display = ("name", "component", "version", "updated_at", "created_by", "deleted_at")
    list_filter = (InTrash, "component__type", "component")
    list_select_related = ("component", "created_by")
    search_fields = ("name", "description", "component__name", "component__key")
    date_hierarchy = "updated_at"
    fields = ("component", "name", "description", "version", "shown_parameters", "shown_mappings")
    readonly_fields = ("component", "version", "shown_parameters", "shown_mappings")
    inlines = (VersionInline,)
    actions = ("run_now", "to_trash", "from_trash")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a configuration begins on its component's page."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Configuration | None = None) -> bool:
        """Refuse: what is not needed goes to the trash."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Configuration | None = None) -> bool:
        return super().has_change_permission(request, obj) and not (obj and obj.deleted_at)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(OPERATE)

    def has_edit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(EDIT)

    @admin.display(description="Parameters")
    def shown_parameters(self, configuration: Configuration) -> SafeString:
        return as_json(hide_tree(configuration.parameters))

    @admin.display(description="Mappings")
    def shown_mappings(self, configuration: Configuration) -> SafeString:
        return as_json({"input": configuration.input, "output": configuration.output})

    def save_model(
        self,
        request: HttpRequest,
        obj: Configuration,
        form: Form,
        change: bool,
    ) -> None:
        """Save as a version, by the same service as the pages."""
        try:
            saved = update_configuration(
                obj, user=person(request), name=obj.name, description=obj.description
            )
        except ComponentsError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            obj.version = saved.version

    @admin.action(description="Run now", permissions=["operate"])
    def run_now(self, request: HttpRequest, chosen: QuerySet[Configuration]) -> None:
        self._each(request, chosen, lambda c: create_job(c, user=person(request)), "started")

    @admin.action(description="Move to trash", permissions=["edit"])
    def to_trash(self, request: HttpRequest, chosen: QuerySet[Configuration]) -> None:
        self._each(request, chosen, lambda c: move_to_trash(c, user=person(request)), "moved")

    @admin.action(description="Restore from trash", permissions=["edit"])
    def from_trash(self, request: HttpRequest, chosen: QuerySet[Configuration]) -> None:
        self._each(request, chosen, restore_from_trash, "restored")

    def _each(
        self, request: HttpRequest, chosen: QuerySet[Configuration], do: Any, what: str
    ) -> None:
        """Do it to each; one that cannot be done is named and stops none of the others."""
        count = 0
        for configuration in chosen:
            try:
                do(configuration)
            except ComponentsError as error:
                sentence = f"{configuration.name}: {error.message}"
                self.message_user(request, sentence, messages.ERROR)
            else:
                count += 1
        if count:
            noun = "configuration was" if count == 1 else "configurations were"
            self.message_user(request, f"{count} {noun} {what}.", messages.SUCCESS)
