"""Versions of an orchestration, as lines that people read and compare."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import Definition, TaskDesign

DEFAULTS = {"retries": 0, "delay": 0, "timeout": None}


@dataclass(frozen=True)
class DiffLine:
    """One line of a comparison."""

    kind: Literal["same", "add", "del"]
    text: str


def compare(old: Definition, new: Definition) -> list[DiffLine]:
    """Return both definitions as one text, with the lines that only one of them has marked."""
    names = _names([old, new])
    before, after = _lines(old, names), _lines(new, names)
    found: list[DiffLine] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            found += [DiffLine("same", line) for line in before[start:end]]
            continue
        found += [DiffLine("del", line) for line in before[start:end]]
        found += [DiffLine("add", line) for line in after[new_start:new_end]]
    return found


def _lines(definition: Definition, names: dict[tuple[str, int], str]) -> list[str]:
    lines = [f"Name: {definition['name']}"]
    lines += [f"Description: {text}" for text in definition["description"].splitlines()]
    keys = {phase["key"]: phase["name"] for phase in definition["phases"]}
    for phase in definition["phases"]:
        after = ""
        if phase["depends_on"] is not None:
            waits = [keys.get(key, key) for key in phase["depends_on"]]
            after = f" (after {', '.join(waits)})" if waits else " (at once)"
        lines.append(f"Phase: {phase['name']}{after}")
        lines += [f"    {_task(task, names)}" for task in phase["tasks"]]
    return lines


def _task(task: TaskDesign, names: dict[tuple[str, int], str]) -> str:
    said = []
    if not task["is_active"]:
        said.append("inactive")
    if task["continue_on_failure"]:
        said.append("continues on failure")
    said += [
        f"{name.replace('_', ' ')} {task[name]}"  # type: ignore[literal-required]
        for name, usual in DEFAULTS.items()
        if task.get(name) != usual
    ]
    if task["parameters"]:
        said.append("own parameters")
    name = names.get(_target(task), "deleted")
    return f"{name} ({', '.join(said)})" if said else name


def _target(task: TaskDesign) -> tuple[str, int]:
    configuration = task.get("configuration")
    if configuration:
        return "configuration", configuration
    return "orchestration", task.get("orchestration") or 0


def _names(definitions: Sequence[Definition]) -> dict[tuple[str, int], str]:
    targets = {_target(task) for d in definitions for p in d["phases"] for task in p["tasks"]}
    ids = {
        kind: [pk for name, pk in targets if name == kind]
        for kind in ("configuration", "orchestration")
    }
    configurations = Configuration.objects.filter(pk__in=ids["configuration"])
    orchestrations = Orchestration.objects.filter(pk__in=ids["orchestration"])
    named = {("configuration", pk): n for pk, n in configurations.values_list("pk", "name")}
    return named | {("orchestration", pk): n for pk, n in orchestrations.values_list("pk", "name")}


def definitions(orchestration: Orchestration, numbers: Sequence[int]) -> dict[int, Definition]:
    """Return what some versions of an orchestration hold, by number; those that exist."""
    found = orchestration.versions.filter(number__in=numbers)
    return dict(found.values_list("number", "definition"))
