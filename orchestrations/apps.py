"""Django's entry point of the upper app."""

from __future__ import annotations

from django.apps import AppConfig


class OrchestrationsConfig(AppConfig):
    """Orchestrations, schedules and runs."""

    name = "orchestrations"
    verbose_name = "Orchestrations"

    def ready(self) -> None:
        """Connect the receivers."""
        from orchestrations.receivers import watch_changes  # noqa: PLC0415  # needs the models

        watch_changes()
