"""The groups that give people their rights."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from orchestrator_site.lib.access import ADMIN_ROLE, ROLES


@transaction.atomic
def sync_roles() -> None:
    """Create the groups Viewer, Operator, Editor and Admin; safe to call twice.

    What an administrator gave a group besides stays. Admin has every permission, for the admin.
    """
    everything = Permission.objects.select_related("content_type")
    by_name = {f"{p.content_type.app_label}.{p.codename}": p for p in everything}
    for role, names in ROLES.items():
        Group.objects.get_or_create(name=role)[0].permissions.add(*(by_name[n] for n in names))
    Group.objects.get_or_create(name=ADMIN_ROLE)[0].permissions.add(*by_name.values())
