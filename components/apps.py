"""Django's entry point of the lower app."""

from __future__ import annotations

from django.apps import AppConfig


class ComponentsConfig(AppConfig):
    """Components, configurations, jobs and Storage."""

    name = "components"
    verbose_name = "Components and Storage"
