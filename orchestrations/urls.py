"""The addresses of this app's pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from orchestrations.views import automate, schedules

urlpatterns: list[URLPattern] = [
    # The Automate button, and schedules
    path("configurations/<int:pk>/automate/", automate.automate, name="automate"),
    path("orchestrations/<int:pk>/schedules/", schedules.schedule_list, name="schedule-list"),
    path("orchestrations/<int:pk>/schedules/new/", schedules.schedule_new, name="schedule-new"),
    path("schedules/<int:pk>/", schedules.schedule_edit, name="schedule-edit"),
    path("schedules/<int:pk>/switch/", schedules.schedule_switch, name="schedule-switch"),
    path("schedules/<int:pk>/delete/", schedules.schedule_delete, name="schedule-delete"),
    path("schedules/<int:pk>/slots/", schedules.schedule_slots, name="schedule-slots"),
]
