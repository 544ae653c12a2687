"""A project with one of everything, and another installation: the same database, emptied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.models import Configuration
from components.services.configurations import create_configuration
from orchestrations.models import Orchestration, Run, Task
from orchestrations.services.exchange.applying import Options, apply, plan
from orchestrations.services.exchange.documents import project_document
from orchestrations.services.exchange.references import Sources
from orchestrations.services.exchange.writing import to_yaml
from orchestrations.services.notifications import save_notifications
from orchestrations.services.orchestrations import create_orchestration, purge, set_enabled
from orchestrations.services.schedules import create_schedule
from orchestrations.services.triggers import create_trigger
from tests.builders import make_component

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"url": {"type": "string"}, "pages": {"type": "integer"}},
    "additionalProperties": True,
}
WEBHOOK = "https://hooks.slack.com/services/T0/B0/very-secret-part"
SECRETS = {
    "configurations/shop-db/#password": "hunter2-and-more",
    "configurations/shop-db/servers/0/#token": "tok-abcdef",
    "orchestrations/nightly/tasks/shop-db/#key": "task-secret",
    "orchestrations/nightly/notifications/slack": WEBHOOK,
}


@pytest.fixture
def project() -> Orchestration:
    """Two orchestrations, one inside the other, with all that surrounds them."""
    component = make_component("ex-test", schema=SCHEMA)
    shop = create_configuration(
        component,
        user=None,
        name="Shop DB",
        description="From the shop.\nEvery night.",
        parameters={
            "url": "https://shop.example.com",
            "#password": "hunter2-and-more",
            "servers": [{"host": "a", "#token": "tok-abcdef"}],
            "sql": "SELECT *\n  FROM orders\n",
            "code": "0123",
            "pages": 5,
        },
        output=[{"source": "orders", "destination": "in.c-shop.orders"}],
    )
    other = create_configuration(component, user=None, name="Žluťoučký kůň", parameters={})
    inner = create_orchestration(
        name="Inner",
        user=None,
        phases=[
            {
                "name": "Only",
                "key": "only",
                "tasks": [{"configuration": other.pk, "key": "zlutoucky-kun"}],
            }
        ],
    )
    nightly = create_orchestration(
        name="Nightly",
        user=None,
        description="All of it",
        variables={"city": "Prague", "day": "1"},
        phases=[
            {
                "key": "a1b2",
                "name": "Extract",
                "tasks": [
                    {
                        "key": "shop-db",
                        "configuration": shop.pk,
                        "retries": 3,
                        "parameters": {"#key": "task-secret", "size": 1},
                    },
                    {"configuration": shop.pk, "key": "random", "is_active": False},
                ],
            },
            {"name": "Then", "key": "then", "tasks": [{"orchestration": inner.pk, "key": "inner"}]},
            {
                "name": "Then",
                "key": "then-2",
                "depends_on": ["a1b2"],
                "tasks": [{"configuration": other.pk, "key": "zlutoucky-kun"}],
            },
        ],
    )
    create_schedule(nightly, cron="0 6 * * 1-5", timezone="Europe/Prague", user=None, name="Early")
    create_schedule(nightly, cron="0 12 * * *", timezone="UTC", user=None, enabled=False)
    create_trigger(nightly, tables=["in.c-b.t", "in.c-a.t_1"], user=None, cooldown=20)
    save_notifications(
        nightly,
        [
            {"event": "error", "address": "ann@example.com"},
            {"event": "error", "address": WEBHOOK, "key": "slack"},
            {"event": "processing", "address": "bob@example.com", "threshold": 50},
        ],
        user=None,
    )
    set_enabled(inner, enabled=False)
    return nightly


def exported() -> str:
    return to_yaml(project_document())


@pytest.fixture
def empty() -> Callable[[], None]:
    """Empties the installation for good."""

    def do() -> None:
        Run.objects.all().delete()
        for pk in Orchestration.objects.order_by("-pk").values_list("pk", flat=True):
            Orchestration.objects.filter(pk=pk).update(deleted_at="2026-01-01T00:00:00Z")
        Task.objects.all().delete()
        for orchestration in Orchestration.objects.all():
            purge(orchestration)
        Configuration.objects.all().delete()

    return do


def apply_text(text: str, **options: Any) -> list[tuple[str, str, str]]:
    """Apply one file; return what it did to which objects."""
    report = apply({"p.yaml": text}, user=None, options=Options(**options))
    return [(change.action, change.kind, change.key) for change in report.changes]


def plan_text(text: str, **options: Any) -> str:
    return plan({"p.yaml": text}, user=None, options=Options(**options)).text()


WITH_SECRETS = Sources(SECRETS)
