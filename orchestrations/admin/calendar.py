"""Calendars in the admin panel: made and changed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from orchestrations.models import Calendar
from orchestrations.services.schedules import on_calendar_changed

if TYPE_CHECKING:  # generic for the type checker, a plain class for Python
    Base = admin.ModelAdmin[Calendar]
else:
    Base = admin.ModelAdmin


@admin.register(Calendar)
class CalendarAdmin(Base):
    """Days and hours on which schedules do not fire; one that is in use cannot be deleted."""

    list_display = ("name", "country", "subdivision", "weekdays", "updated_at")
    list_filter = ("country",)
    search_fields = ("name",)
    fields = ("name", "country", "subdivision", "weekdays", "dates", "windows")

    @transaction.atomic
    def save_model(
        self, request: HttpRequest, obj: Calendar, form: forms.ModelForm[Calendar], change: bool
    ) -> None:
        """Save, and let the schedules that use it be due as it now says."""
        super().save_model(request, obj, form, change)
        on_calendar_changed(obj)
