"""What the lower app does when Django tells of something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import AbstractUser, Group, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import connections
from django.db.models.signals import post_save, pre_delete

from components.enums import AuditAction, VersionKind
from components.models import Component, TableVersion
from components.services import audit
from components.services.audit import Side, Subject, Watched, watch, watch_members
from components.services.catalogue import sync_components
from components.services.roles import sync_roles
from orchestrator_site.lib.actor import acting, current, vanish

NAME_LENGTH = 150  # of a user; what is typed at the door may be longer
IN_TRASH = frozenset({"deleted_at"})


def fill_catalogue(sender: AppConfig, *, using: str, **_: Any) -> None:
    """Write the components and roles after a migrate, once every app has its permissions."""
    told = [app for app in apps.get_app_configs() if app.models_module]  # in this order
    if sender != told[-1]:
        return
    if Component._meta.db_table not in connections[using].introspection.table_names():  # noqa: SLF001
        return  # migrated back to nothing
    create_permissions(sender, verbosity=0, using=using)  # Django's own turn may come after ours
    with audit.silence():  # they come with the code
        sync_roles()
        sync_components()


def watch_changes() -> None:
    """Record each change of what people make with this app, and of who may do what."""
    _watch_components()
    _watch_storage()
    _watch_people()
    post_save.connect(record_restored_table, sender=TableVersion, dispatch_uid="audit restored")
    pre_delete.connect(forget_person, sender=User, dispatch_uid="audit vanish")
    user_logged_in.connect(record_login, dispatch_uid="audit login")
    user_logged_out.connect(record_logout, dispatch_uid="audit logout")
    user_login_failed.connect(record_failed_login, dispatch_uid="audit failed login")


def _watch_components() -> None:
    limits = {
        "is_active": "Offered",
        "time_limit": "Time limit (seconds)",
        "memory_limit_mb": "Memory limit (MB)",
        "max_parallel": "Jobs at once",
    }
    watch("components.Component", Watched("component", {"name": "Name", **limits}))
    content = {
        "component": "Component",
        "name": "Name",
        "description": "Description",
        "parameters": "Parameters",
        "input": "Input mapping",
        "output": "Output mapping",
        "deleted_at": "In the trash",
    }
    watch("components.Configuration", Watched("configuration", content, flags=IN_TRASH))


def _watch_storage() -> None:
    fields = {"key": "Name", "description": "Description"}
    watch("components.Bucket", Watched("bucket", fields))
    watch("components.Table", Watched("table", fields))


def _watch_people() -> None:
    token = {
        "name": "Name",
        "user": "Acts as",
        "scope": "Scope",
        "digest": "Text",
        "expires_at": "Expires",
    }
    watch("components.ApiToken", Watched("token", token, secret=frozenset({"digest"})))
    person = {
        "username": "Name",
        "first_name": "First name",
        "last_name": "Last name",
        "email": "E-mail",
        "password": "Password",
        "is_active": "Active",
        "is_staff": "Administration",
        "is_superuser": "May do everything",
    }
    watch("auth.User", Watched("user", person, secret=frozenset({"password"})))
    watch("auth.Group", Watched("group", {"name": "Name"}))
    in_group = {
        User: Side("user", "Groups", "groups", "name"),
        Group: Side("group", "Members", "user_set", "username"),
    }
    watch_members(User.groups.through, in_group)
    watch_members(
        User.user_permissions.through,
        {User: Side("user", "Permissions", "user_permissions", "codename")},
    )
    watch_members(
        Group.permissions.through,
        {Group: Side("group", "Permissions", "permissions", "codename")},
    )


def record_restored_table(instance: TableVersion, *, created: bool, **_: Any) -> None:
    """Record that an older version of a table was made the current one."""
    if created and instance.kind == VersionKind.RESTORE:
        table = instance.table
        audit.record(
            AuditAction.CHANGED,
            Subject("table", str(table.pk), table.key),
            {"Version": (instance.number - 1, f"{instance.number}, an older one restored")},
        )


def forget_person(instance: User, **_: Any) -> None:
    """Let entries name somebody who deletes their own account, and refer to nobody."""
    vanish(instance)


def record_login(user: AbstractUser, **_: Any) -> None:
    """Record that somebody logged in, who was nobody until now."""
    with acting(replace(current(), user=user)):
        audit.record(AuditAction.LOGGED_IN, _person(user))


def record_logout(user: AbstractUser | None, **_: Any) -> None:
    """Record that somebody logged out; a session that had ended already is nobody's."""
    if user is not None:
        audit.record(AuditAction.LOGGED_OUT, _person(user))


def record_failed_login(credentials: dict[str, Any], **_: Any) -> None:
    """Record under which name somebody failed to log in; never the password."""
    typed = str(credentials.get("username", ""))[:NAME_LENGTH]
    found = User.objects.filter(username=typed).first()
    audit.record(AuditAction.LOGIN_FAILED, _person(found) if found else Subject("user", "", typed))


def _person(user: AbstractUser) -> Subject:
    return Subject("user", str(user.pk), user.get_username())
