from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrations.services.changes import CHANGE_LENGTH
from orchestrations.services.orchestrations import save_orchestration
from tests.builders import make_configuration, make_orchestration

pytestmark = pytest.mark.django_db
Phases = list[dict[str, Any]]
Change = Callable[[Phases], dict[str, Any]]


def at(task: str, **fields: Any) -> Change:
    """A change of one task's fields."""

    def change(phases: Phases) -> dict[str, Any]:
        return {
            "phases": [
                {
                    **phase,
                    "tasks": [
                        {**t, **(fields if t["key"] == task else {})} for t in phase["tasks"]
                    ],
                }
                for phase in phases
            ]
        }

    return change


def all_tasks(phases: Phases, **fields: Any) -> list[Any]:
    return [{**task, **fields} for phase in phases for task in phase["tasks"]]


CHANGES: dict[str, tuple[Change, str]] = {
    "description": (lambda _: {"description": "New"}, "Changed the description."),
    "a variable added": (
        lambda _: {"variables": {"city": "Brno", "year": "2026"}},
        "Added variable “year”.",
    ),
    "variables": (
        lambda _: {"variables": {"city": "Praha"}},
        "Changed variable “city”.",
    ),
    "no variables": (lambda _: {"variables": {}}, "Removed variable “city”."),
    "order of tasks": (
        lambda p: {"phases": [{**p[0], "tasks": p[0]["tasks"][::-1]}, *p[1:]]},
        "Changed the order of the tasks in “Phase 1”.",
    ),
    "order of phases": (lambda p: {"phases": [p[2], *p[:2]]}, "Moved phase “Phase 3”."),
    "depends on": (
        lambda p: {"phases": [p[0], {**p[1], "depends_on": []}, p[2]]},
        "Changed what must end before phase “Phase 2”.",
    ),
    "to another phase": (
        lambda p: {
            "phases": [
                {**p[0], "tasks": p[0]["tasks"][:1]},
                {**p[1], "tasks": [*p[1]["tasks"], p[0]["tasks"][1]]},
                p[2],
            ]
        },
        "Moved task “clients” to “Phase 2”.",
    ),
    "merged": (
        lambda p: {"phases": [{**p[0], "tasks": all_tasks(p)}]},
        "Merged phases “Phase 2”, “Phase 3” into “Phase 1”.",
    ),
    "regrouped": (
        lambda p: {
            "phases": [
                {"name": "Extractors", "tasks": all_tasks(p)[:3]},
                {"name": "Writers", "tasks": all_tasks(p)[3:]},
            ]
        },
        "Regrouped the tasks into phases “Extractors”, “Writers”.",
    ),
    "all removed": (
        lambda _: {"phases": []},
        (
            "Removed phases “Phase 1”, “Phase 2”, “Phase 3”; removed tasks “orders”, “clients”, "
            "“report” and 1 more."
        ),
    ),
    "renamed": (
        lambda p: {"phases": [{**p[0], "name": "Extract"}, *p[1:]]},
        "Renamed phase “Phase 1” to “Extract”.",
    ),
    "deactivated": (at("t1", is_active=False), "Deactivated task “orders”."),
    "activated": (at("t4", is_active=True), "Activated task “mail”."),
    "goes on": (
        at("t2", continue_on_failure=True),
        "Let the run go on when task “clients” fails.",
    ),
    "many go on": (
        lambda p: {
            "phases": [{**p[0], "tasks": all_tasks(p[:1], continue_on_failure=True)}, *p[1:]]
        },
        "Let the run go on when one of tasks “orders”, “clients” fails.",
    ),
    "retries": (at("t1", retries=3), "Set the retries of task “orders” to 3."),
    "other pauses": (
        at("t4", retry_delay=5),
        "Changed the pauses of retries of task “mail”.",
    ),
    "parameters, delay and limit": (
        at("t3", parameters={"x": 1}, delay=5, timeout=60),
        (
            "Changed the delay of task “report”; changed the time limit of task “report”; "
            "changed the parameters of task “report”."
        ),
    ),
}


@pytest.mark.parametrize(("change", "sentence"), CHANGES.values(), ids=CHANGES.keys())
def test_sentences(change: Change, sentence: str) -> None:
    component = make_configuration(name="orders")
    others = [make_configuration(name=name) for name in ("clients", "report", "mail")]
    clients, report, mail = others
    orchestration = make_orchestration(
        [[component, clients], [report], [{"configuration": mail.pk, "is_active": False}]],
        variables={"city": "Brno"},
    )
    definition = orchestration.versions.get().definition
    version = save_orchestration(
        orchestration, user=None, expected_version=1, **change(definition["phases"])
    )
    assert version.change == sentence


def test_what_does_not_fit_is_counted() -> None:
    configurations = [make_configuration(name=f"{n} {'x' * 190}") for n in range(9)]
    orchestration = make_orchestration([configurations])
    [phase] = orchestration.versions.get().definition["phases"]
    tasks = [{**task, "retries": n, "delay": n} for n, task in enumerate(phase["tasks"])]
    phases: list[Any] = [{**phase, "tasks": tasks}]
    version = save_orchestration(orchestration, user=None, expected_version=1, phases=phases)
    assert version.change.endswith("; and 7 more changes.")
    assert version.change.startswith("Set the retries of task “1 xxx")
    assert len(version.change) <= CHANGE_LENGTH
