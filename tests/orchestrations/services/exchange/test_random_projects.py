"""Random projects: what is exported makes the same project elsewhere, and changes nothing here."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from components.models import Component, ConfigurationVersion
from components.services.configurations import create_configuration
from orchestrations.enums import Misfire, Overlap, TriggerKind
from orchestrations.models import Orchestration, OrchestrationVersion
from orchestrations.services.exchange.references import Sources
from orchestrations.services.exchange.references import body as place_of
from orchestrations.services.orchestrations import create_orchestration, set_enabled
from orchestrations.services.schedules import create_schedule
from orchestrations.services.triggers import create_trigger
from tests.builders import make_component
from tests.orchestrations.services.exchange.conftest import apply_text, exported

pytestmark = pytest.mark.django_db
WORDS = [
    "Orders",
    "orders",
    "Účty 2026",
    "数据",
    "no",
    "a: b",
    "…",
    "Line\nbreak",
    "x" * 120,
    "0123",
]


def some(chance: random.Random, depth: int = 2) -> Any:
    """Return a random JSON value."""
    if depth and chance.random() < 0.4:
        keys = chance.sample(["a", "B", "č", "n", "on", "1", "x y"], 3)
        return {key: some(chance, depth - 1) for key in keys}
    if depth and chance.random() < 0.3:
        return [some(chance, depth - 1) for _ in range(chance.randrange(3))]
    return chance.choice(
        [None, True, 0, -7, 1.5, 1e30, "", "yes", "SELECT 1\nFROM x\n", " a ", "#"]
    )


def make(chance: random.Random, component: Component) -> None:
    configurations = [
        create_configuration(
            component,
            user=None,
            name=chance.choice(WORDS).replace("\n", " "),
            description=chance.choice(WORDS),
            parameters={"url": "u", "v": some(chance), "#secret": f"secret-{n}"},
        )
        for n in range(chance.randrange(1, 5))
    ]
    made: list[Orchestration] = []
    for _ in range(chance.randrange(1, 4)):
        targets: list[dict[str, Any]] = [{"configuration": c.pk} for c in configurations]
        targets += [{"orchestration": row.pk} for row in made[:1] if chance.random() < 0.5]
        made.append(_orchestration(chance, targets))
        if chance.random() < 0.3:
            set_enabled(made[-1], enabled=False)


def _orchestration(chance: random.Random, targets: list[dict[str, Any]]) -> Orchestration:
    phases = [
        {
            "key": f"p{n}" if chance.random() < 0.5 else "",
            "name": chance.choice(WORDS[:5]),
            "tasks": [
                {
                    **chance.choice(targets),
                    "retries": chance.randrange(3),
                    "is_active": chance.random() < 0.8,
                    "parameters": {"v": some(chance, 1)},
                    "timeout": chance.choice([None, 60]),
                }
                for _ in range(chance.randrange(1, 4))
            ],
        }
        for n in range(chance.randrange(4))
    ]
    found = create_orchestration(
        name=chance.choice(WORDS).replace("\n", " "),
        user=None,
        variables={name: chance.choice(WORDS) for name in chance.sample(["a", "b", "c"], 2)},
        phases=phases,  # type: ignore[arg-type]  # plain dicts
    )
    for _ in range(chance.randrange(3)):
        create_schedule(
            found,
            cron=chance.choice(["0 6 * * *", "*/5 * * * 1-5", "0 0 L * *"]),
            timezone=chance.choice(["UTC", "Europe/Prague"]),
            user=None,
            name=chance.choice(["", "Same", "Účty"]),
            enabled=chance.random() < 0.7,
            overlap=chance.choice(list(Overlap)),
            misfire=chance.choice(list(Misfire)),
        )
    for _ in range(chance.randrange(3)):
        tables = chance.sample(["in.c-a.b", "in.c-a.B_c", "out.c-x.y"], 2)
        create_trigger(found, tables=tables, user=None, cooldown=chance.randrange(1, 9))
    if chance.random() < 0.3:
        create_trigger(found, user=None, kind=TriggerKind.WEBHOOK)
    before = Orchestration.objects.filter(deleted_at=None).exclude(pk=found.pk).order_by("pk")
    if before and chance.random() < 0.5:
        create_trigger(
            found,
            user=None,
            kind=TriggerKind.ORCHESTRATION,
            source_id=chance.choice(list(before)).pk,
            outcomes=chance.sample(["success", "warning", "error"], chance.randrange(3)),
        )
    return found


def secrets_of() -> Sources:
    """Return a value for every place that may be asked for."""
    return Sources(
        {
            place_of(("configurations", str(key), "#secret")): "given"
            for key in ConfigurationVersion.objects.values_list("configuration__key", flat=True)
        }
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_project_comes_back_as_it_was(seed: int, empty: Callable[[], None]) -> None:
    chance, component = random.Random(seed), make_component("ex-test")  # no secret
    make(chance, component)
    text = exported()
    assert "secret-0" not in text
    versions = OrchestrationVersion.objects.count()
    assert apply_text(text) == []
    assert OrchestrationVersion.objects.count() == versions
    given = secrets_of()
    empty()
    made = apply_text(text, sources=given)
    assert {action for action, _, _ in made} == {"create"}
    assert exported() == text
    assert apply_text(text, sources=given) == []
    assert set(OrchestrationVersion.objects.values_list("number", flat=True)) <= {1}
