"""What the lower app does when Django tells of something."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db import connections

from components.models import Component
from components.services.catalogue import sync_components
from components.services.roles import sync_roles


def fill_catalogue(sender: AppConfig, *, using: str, **_: Any) -> None:
    """Write the components and roles after a migrate, once every app has its permissions."""
    if sender != list(apps.get_app_configs())[-1]:
        return
    if Component._meta.db_table not in connections[using].introspection.table_names():  # noqa: SLF001
        return  # migrated back to nothing
    sync_roles()
    sync_components()
