"""Django's entry point of the lower app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ComponentsConfig(AppConfig):
    """Components, configurations, jobs and Storage."""

    name = "components"
    verbose_name = "Components and Storage"

    def ready(self) -> None:
        """Connect the receivers."""
        from components.receivers import (  # noqa: PLC0415  # needs the models
            fill_catalogue,
            watch_changes,
        )

        watch_changes()
        post_migrate.connect(fill_catalogue, dispatch_uid="components.fill_catalogue")
