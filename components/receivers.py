"""What the lower app does when Django tells of something."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.db import connections

from components.models import Component
from components.services.catalogue import sync_components
from components.services.roles import sync_roles


def fill_catalogue(sender: AppConfig, *, using: str, **_: Any) -> None:
    """Write the components and roles after a migrate, once every app has its permissions."""
    told = [app for app in apps.get_app_configs() if app.models_module]  # in this order
    if sender != told[-1]:
        return
    if Component._meta.db_table not in connections[using].introspection.table_names():  # noqa: SLF001
        return  # migrated back to nothing
    create_permissions(sender, verbosity=0, using=using)  # Django's own turn may come after ours
    sync_roles()
    sync_components()
