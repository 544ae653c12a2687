"""Every kind of object, changed by every way there is: each leaves an entry, and no secret."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

import manage
from components.enums import TokenScope
from components.models import AuditEntry, Component, Job
from components.services.job_transitions import claim
from components.services.jobs import create_job
from components.services.storage import delete_bucket, delete_table, restore_version
from components.services.tokens import create_token
from orchestrations.services.orchestrations import create_orchestration
from orchestrations.services.schedules import create_schedule
from orchestrations.services.triggers import create_trigger
from orchestrator_site.lib import actor
from orchestrator_site.lib.actor import acting
from tests.builders import finish_job, make_configuration, make_user
from tests.storage_tables import load

pytestmark = pytest.mark.django_db
SECRET = "hunter2-never-to-be-seen"
HOOK = f"https://hooks.example.com/{SECRET}"


class World:
    """One object of each kind, and an administrator with a session and a token."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.user = make_user(role="Admin", name="root")
        self.user.is_superuser = True
        self.user.save()
        _, self.token = create_token(self.user, name="script", scope=TokenScope.WRITE)
        self.configuration = make_configuration("ex-http", name="Orders")
        self.orchestration = create_orchestration(
            name="Shop",
            user=self.user,
            phases=[{"name": "One", "tasks": [{"configuration": self.configuration.pk}]}],
        )
        said = {"cron": "0 6 * * *", "timezone": "UTC", "user": None}
        self.schedule = create_schedule(self.orchestration, **said)  # type: ignore[arg-type]
        self.trigger = create_trigger(self.orchestration, tables=["in.c-a.b"], user=None)
        client.force_login(self.user)
        AuditEntry.objects.all().delete()

    def page(self, view: str, /, *args: Any, **data: Any) -> int:
        return self.client.post(reverse(view, args=args), data).status_code

    def api(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.generic(
            method,
            f"/api/v1{path}",
            b"" if body is None else self.client._encode_json(body, "application/json"),  # type: ignore[attr-defined]  # noqa: SLF001
            content_type="application/json",
            headers={"authorization": f"Bearer {self.token}"},
        )
        assert answer.status_code < 300, answer.content
        return answer.json() if answer.content else None

    def told(self) -> list[tuple[str, str, str]]:
        """The entries: channel, action and kind of object, oldest first."""
        rows = AuditEntry.objects.order_by("pk")
        assert {(e.actor, e.address) for e in rows if e.channel != "command"} <= {
            ("root", "127.0.0.1")
        }
        return [(e.channel, e.action, e.object_type) for e in rows]


@pytest.fixture
def world(client: Client) -> World:
    return World(client)


PAGES: list[tuple[str, Callable[[World], Any], list[tuple[str, str]]]] = [
    (
        "configuration",
        lambda w: (
            w.page("configuration-text", w.configuration.pk, "name", text="New"),
            w.page("configuration-copy", w.configuration.pk),
        ),
        [("changed", "configuration"), ("created", "configuration")],
    ),
    (
        "orchestration",
        lambda w: (
            w.page("orchestration-enabled", w.orchestration.pk),
            w.page("orchestration-details", w.orchestration.pk, name="X", description="", version=1)
            and w.page("orchestration-trash", w.orchestration.pk),
        ),
        [("changed", "orchestration"), ("changed", "orchestration"), ("changed", "orchestration")],
    ),
    (
        "schedule",
        lambda w: (
            w.page("schedule-switch", w.schedule.pk),
            w.page("schedule-delete", w.schedule.pk),
        ),
        [("changed", "schedule"), ("deleted", "schedule")],
    ),
    (
        "trigger",
        lambda w: (w.page("trigger-switch", w.trigger.pk), w.page("trigger-delete", w.trigger.pk)),
        [("changed", "trigger"), ("deleted", "trigger")],
    ),
    (
        "token",
        lambda w: (
            w.page("token-new", name="n", scope="read", expires="never"),
            w.page("token-refresh", w.orchestration.pk),
        ),
        [("created", "token"), ("changed", "orchestration")],
    ),
    (
        "password",
        lambda w: w.page(
            "password_change",
            old_password="correct horse battery staple",
            new_password1=SECRET,
            new_password2=SECRET,
        ),
        [("changed", "user")],
    ),
]


@pytest.mark.parametrize(("do", "expected"), [p[1:] for p in PAGES], ids=[p[0] for p in PAGES])
def test_pages(world: World, do: Callable[[World], Any], expected: list[tuple[str, str]]) -> None:
    do(world)
    assert world.told() == [("page", *row) for row in expected]


def test_calls_of_the_api(world: World) -> None:
    made = world.api(
        "POST",
        "/configurations",
        {
            "component": "ex-http",
            "name": "New",
            "parameters": {
                "url": "http://127.0.0.1/",
                "authentication": {"type": "bearer", "#token": SECRET},
            },
        },
    )
    world.api("PATCH", f"/configurations/{made['id']}", {"name": "Newer"})
    world.api("DELETE", f"/configurations/{made['id']}")
    pk = world.orchestration.pk
    world.api("PUT", f"/orchestrations/{pk}", {"name": "Store", "version": 3, "phases": []})
    schedule = world.api("POST", f"/orchestrations/{pk}/schedules", {"cron": "1 1 * * *"})
    world.api("PATCH", f"/schedules/{schedule['id']}", {"cron": "2 2 * * *"})
    world.api("DELETE", f"/schedules/{schedule['id']}")
    trigger = world.api("POST", f"/orchestrations/{pk}/triggers", {"tables": ["in.c-a.c"]})
    world.api("DELETE", f"/triggers/{trigger['id']}")
    rows = [{"event": "error", "address": HOOK}]
    world.api("PUT", f"/orchestrations/{pk}/notifications", {"notifications": rows})
    world.api("POST", f"/orchestrations/{pk}/token")
    world.api("DELETE", f"/orchestrations/{pk}")
    assert world.told() == [
        ("api", action, word)
        for action, word in (
            ("created", "configuration"),
            ("changed", "configuration"),
            ("changed", "configuration"),
            ("changed", "orchestration"),
            ("created", "schedule"),
            ("changed", "schedule"),
            ("deleted", "schedule"),
            ("created", "trigger"),
            ("deleted", "trigger"),
            ("created", "notification"),
            ("changed", "orchestration"),
            ("changed", "orchestration"),
        )
    ]
    assert set(AuditEntry.objects.values_list("token_name", flat=True)) == {"script"}
    assert_no_secret()


def test_the_admin_panel(world: World) -> None:
    component = Component.objects.get(key="ex-http")
    limits = {"is_active": "on", "max_parallel": 3}
    world.page("admin:components_component_change", component.pk, **limits)
    users = {"username": "ada", "password1": SECRET, "password2": SECRET}
    world.page("admin:auth_user_add", **users, usable_password="true")
    world.page("admin:auth_group_add", name="Night shift")
    group = Group.objects.get(name="Night shift")
    world.page("admin:auth_group_delete", group.pk, post="yes")
    none = {"periodictask_set-TOTAL_FORMS": 0, "periodictask_set-INITIAL_FORMS": 0}
    interval = {"every": 7, "period": "hours", **none}
    world.page("admin:django_celery_beat_intervalschedule_add", **interval)
    row = IntervalSchedule.objects.get(every=7)
    world.page("admin:django_celery_beat_intervalschedule_delete", row.pk, post="yes")
    assert world.told() == [
        ("admin", action, word)
        for action, word in (
            ("changed", "component"),
            ("created", "user"),
            ("created", "group"),
            ("deleted", "group"),
            ("created", "interval schedule"),
            ("deleted", "interval schedule"),
        )
    ]
    assert_no_secret()


def test_a_change_of_a_periodic_task_in_the_panel_and_none_of_a_shadow(world: World) -> None:
    task = PeriodicTask.objects.get(name="components.tasks.sweep_storage")
    task.enabled = False
    with acting(actor.Actor("admin", user=world.user, address="127.0.0.1")):
        task.save()
        world.schedule.refresh_from_db()
        create_schedule(world.orchestration, cron="5 5 * * *", timezone="UTC", user=world.user)
    assert world.told() == [("admin", "changed", "periodic task"), ("admin", "created", "schedule")]
    assert CrontabSchedule.objects.filter(minute="5").exists()
    task.last_run_at = None
    with connection.execute_wrapper(_no_select):
        task.save()  # by beat itself: nothing is read or recorded


def _no_select(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
    assert not sql.startswith('SELECT "django_celery_beat_periodictask"."name"'), sql
    return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)  # a command closes its connections at the end
@pytest.mark.usefixtures("world")
def test_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", "create_token", "nightly", "--user", "root"])
    with acting(actor.SYSTEM):  # what the command becomes ends here
        manage.main()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.channel, entry.action, entry.object_type, entry.object_name) == (
        *("manage.py create_token", "command", "created", "token", "nightly"),
    )
    assert capsys.readouterr().out.strip() not in str(AuditEntry.objects.values())


def test_storage(world: World) -> None:
    version = load("SELECT 1 AS id", table="in.c-new.orders")
    load("SELECT 2 AS id", table="in.c-new.orders")
    rows = AuditEntry.objects.order_by("pk")
    assert [(e.action, e.object_type, e.object_name) for e in rows] == [
        ("created", "bucket", "in.c-new"),
        ("created", "table", "in.c-new.orders"),
    ]
    AuditEntry.objects.all().delete()
    with acting(actor.Actor("page", user=world.user, address="127.0.0.1")):
        table = version.table
        restore_version(version, user=world.user)
        table.refresh_from_db()
        table.description = "All"
        table.save()
        delete_table(table)
        delete_bucket(table.bucket)
    assert [(e.action, e.object_type, e.changes) for e in rows.all()] == [
        ("changed", "table", {"Version": ["2", "3, an older one restored"]}),
        ("changed", "table", {"Description": ["", "All"]}),
        ("deleted", "table", {"Name": ["in.c-new.orders", None], "Description": ["All", None]}),
        ("deleted", "bucket", {"Name": ["in.c-new", None]}),
    ]


def test_a_job_from_its_start_to_its_end_touches_the_record_with_no_query(world: World) -> None:
    statements: list[str] = []

    def listen(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        job = create_job(world.configuration, user=world.user)
        assert claim(job.pk, worker="test") is not None
        finish_job(Job.objects.get(pk=job.pk))
    assert len(statements) > 5
    assert [sql for sql in statements if "auditentry" in sql] == []
    assert world.told() == []


def assert_no_secret() -> None:
    everything = str(list(AuditEntry.objects.values()))
    assert "a secret" in everything
    for text in (SECRET, "enc::", "pbkdf2", "md5$", "orc_", "whsec_"):
        assert text not in everything
