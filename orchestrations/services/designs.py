"""Phases as people and programs send them, made whole and checked."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, cast

from components.models import Configuration
from orchestrations.exceptions import InvalidOrchestration
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import Definition, PhaseDesign, TaskDesign
from orchestrations.services.nesting import nesting_errors
from orchestrations.validators import name_error, phase_errors, variable_errors
from orchestrator_site.lib.secrets import encrypt_tree, keep_hidden

DEFAULTS: dict[str, Any] = {
    "configuration": None,
    "orchestration": None,
    "is_active": True,
    "continue_on_failure": False,
    "retries": 0,
    "retry_delay": 60,
    "retry_backoff": 2.0,
    "retry_match": "",
    "delay": 0,
    "timeout": None,
}


class TaskInput(TypedDict, total=False):
    """A task as sent: a configuration or an orchestration, and what differs from the usual."""

    key: str
    configuration: int | None
    orchestration: int | None
    is_active: bool
    continue_on_failure: bool
    parameters: dict[str, Any]
    retries: int
    retry_delay: int  # seconds
    retry_backoff: float
    retry_match: str
    delay: int  # seconds
    timeout: int | None  # seconds


class PhaseInput(TypedDict, total=False):
    """A phase as sent: a name is made up where there is none, a key where it is new."""

    key: str
    name: str
    depends_on: list[str] | None
    tasks: Sequence[TaskInput | TaskDesign]


def check_definition(
    name: str,
    description: str,
    phases: Sequence[PhaseInput | PhaseDesign],
    *,
    variables: Mapping[str, str],
    orchestration: Orchestration | None = None,
    stored: Sequence[PhaseDesign] = (),
) -> Definition:
    """Return the whole definition: defaults filled in, keys given, empty phases dropped.

    What surrounds the design is left empty. `orchestration` is the one to be saved, None for a new
    one; `stored` are its phases now, for secrets that were sent back hidden. Raises
    InvalidOrchestration with a sentence for each wrong field, by paths such as
    `phases.0.tasks.1.retries`.
    """
    errors = {"name": wrong} if (wrong := name_error(name)) else {}
    if "\0" in description:
        errors["description"] = "A description cannot hold a NUL character."
    errors |= variable_errors(variables)
    whole = [_whole(number, phase) for number, phase in enumerate(phases, 1)]
    errors |= phase_errors(whole)
    errors = errors or _target_errors(whole, orchestration, name.strip())
    if errors:
        raise InvalidOrchestration("The orchestration was not saved.", fields=errors)
    return Definition(
        name=name.strip(),
        description=description,
        variables=dict(variables),
        phases=with_secrets(drop_empty(whole), stored),
        schedules=[],
        triggers=[],
        notifications=[],
    )


def with_secrets(phases: Sequence[PhaseDesign], stored: Sequence[PhaseDesign]) -> list[PhaseDesign]:
    """Return the phases with the tasks' secrets encrypted; hidden ones stay as they are stored."""
    before = {task["key"]: task["parameters"] for phase in stored for task in phase["tasks"]}

    def kept(task: TaskDesign) -> TaskDesign:
        parameters = keep_hidden(task["parameters"], before.get(task["key"], {}))
        return {**task, "parameters": encrypt_tree(parameters)}

    return [{**phase, "tasks": [kept(task) for task in phase["tasks"]]} for phase in phases]


def drop_empty(phases: Sequence[PhaseDesign]) -> list[PhaseDesign]:
    """Return the phases that have tasks; what waited for another waits for what that waited for."""
    kept: list[PhaseDesign] = []
    instead: dict[str, list[str]] = {}
    for number, phase in enumerate(phases):
        depends = phase["depends_on"]
        if depends is None:
            depends = [phases[number - 1]["key"]] if number else []
        if not phase["tasks"]:
            instead[phase["key"]] = depends
            continue
        kept.append({**phase, "depends_on": _resolve(depends, instead)})
        if phase["depends_on"] is None and kept[-1]["depends_on"] == [
            p["key"] for p in kept[-2:-1]
        ]:
            kept[-1]["depends_on"] = None
    for phase in kept:  # one that comes later in the list may have been dropped
        if phase["depends_on"] is not None:
            phase["depends_on"] = _resolve(phase["depends_on"], instead)
    return kept


def _resolve(keys: Iterable[str], instead: Mapping[str, list[str]]) -> list[str]:
    found: list[str] = []
    for key in keys:
        found += _resolve(instead[key], instead) if key in instead else [key]
    return list(dict.fromkeys(found))


def _whole(number: int, phase: PhaseInput | PhaseDesign) -> PhaseDesign:
    return {
        "key": phase.get("key") or secrets.token_hex(4),
        "name": phase.get("name") or f"Phase {number}",
        "depends_on": phase.get("depends_on"),
        "tasks": [_whole_task(task) for task in phase.get("tasks", [])],
    }


def _whole_task(task: TaskInput | TaskDesign) -> TaskDesign:
    given = {name: value for name, value in task.items() if name in TaskInput.__annotations__}
    key = task.get("key") or secrets.token_hex(4)
    return cast("TaskDesign", {**DEFAULTS, "parameters": {}, **given, "key": key})


def _target_errors(
    phases: Sequence[PhaseDesign], saved: Orchestration | None, name: str
) -> dict[str, str]:
    """Return errors for targets that do not exist, and for nesting in a circle or too deep."""
    tasks = [
        (f"phases.{number}.tasks.{place}", task)
        for number, phase in enumerate(phases)
        for place, task in enumerate(phase["tasks"])
    ]
    wanted = {f"{at}.configuration": t["configuration"] for at, t in tasks if t["configuration"]}
    known = set(Configuration.objects.filter(pk__in=wanted.values()).values_list("pk", flat=True))
    nested = {f"{at}.orchestration": t["orchestration"] for at, t in tasks if t["orchestration"]}
    missing = {
        path: "This configuration does not exist." for path, pk in wanted.items() if pk not in known
    }
    return missing | nesting_errors(
        {path: pk for path, pk in nested.items() if pk}, parent=saved, name=name
    )
