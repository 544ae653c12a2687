"""Django's entry point of the upper app."""

from __future__ import annotations

from django.apps import AppConfig


class OrchestrationsConfig(AppConfig):
    """Orchestrations, schedules and runs."""

    name = "orchestrations"
    verbose_name = "Orchestrations"
