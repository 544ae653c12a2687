"""What is wrong with an orchestration's phases, said at the field that has it.

Pure functions over plain data: what needs the database is checked by the service.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from components.validators import json_problem

MAX_NAME = 200
SHOWN_NAME = 60  # characters of a name among others
MAX_KEY = 40
MAX_PHASES = 500
MAX_TASKS = 5000
MAX_ID = 2**63 - 1
MAX_VARIABLES = 100
MAX_VALUE = 10_000
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
UNSTORABLE = re.compile(r"[\0\ud800-\udfff]")  # NUL, and half surrogate pairs
MAX_SECONDS = 30 * 24 * 3600

Item = Mapping[str, Any]
Found = Iterator[tuple[str, str]]


def _whole(low: int, high: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if good else f"Use a whole number from {low} to {high}."

    return check


def _backoff(value: Any) -> str:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 10  # noqa: PLR2004
    return "" if good else "Use a number from 1 to 10."


def _switch(value: Any) -> str:
    return "" if isinstance(value, bool) else "Use true or false."


def _timeout(value: Any) -> str:
    return "" if value is None else _whole(1, MAX_SECONDS)(value)


def _match(value: Any) -> str:
    good = isinstance(value, str) and len(value) <= MAX_NAME and "\0" not in value
    return "" if good else f"Use a text of {MAX_NAME} characters or fewer."


def _object(value: Any) -> str:
    if not isinstance(value, dict):
        return "Use a JSON object, such as {}."
    return json_problem(value)


TASK_RULES: dict[str, Callable[[Any], str]] = {
    "is_active": _switch,
    "continue_on_failure": _switch,
    "parameters": _object,
    "retries": _whole(0, 20),
    "retry_delay": _whole(0, MAX_SECONDS),
    "retry_backoff": _backoff,
    "retry_match": _match,
    "delay": _whole(0, MAX_SECONDS),
    "timeout": _timeout,
}


def name_error(name: Any) -> str:
    """Return what is wrong with a name, or an empty text."""
    if not isinstance(name, str) or not name.strip():
        return "Give it a name."
    if len(name) > MAX_NAME:
        return f"Use {MAX_NAME} characters or fewer."
    return "A name cannot hold a NUL character." if "\0" in name else ""


def variable_errors(variables: Any) -> dict[str, str]:
    """Return a sentence for each wrong variable, by paths such as `variables.city`."""
    if not isinstance(variables, Mapping):
        return {"variables": "Use a JSON object of names and texts, such as {}."}
    if len(variables) > MAX_VARIABLES:
        return {"variables": f"Use at most {MAX_VARIABLES} variables."}
    errors = {}
    for name, value in variables.items():
        if not VARIABLE.fullmatch(str(name)):
            errors[f"variables.{name}"] = (
                "A name is a letter and then letters, digits, _, - or ., 64 characters at most."
            )
        elif not isinstance(value, str) or len(value) > MAX_VALUE or UNSTORABLE.search(value):
            errors[f"variables.{name}"] = f"Use a text of {MAX_VALUE} characters or fewer."
    return errors


def inside_itself(names: Sequence[str]) -> str:
    """Say that orchestrations, each a task of the one before, would come back to the first."""
    return f"{_chain(names)} would run inside itself."


def too_deep(names: Sequence[str], limit: int) -> str:
    """Say that orchestrations, each a task of the one before, are more than is allowed."""
    return f"{_chain(names)}: orchestrations may be nested {limit} deep at most."


def _chain(names: Sequence[str]) -> str:
    short = (n if len(n) <= SHOWN_NAME else f"{n[: SHOWN_NAME - 1]}…" for n in names)
    return " → ".join(short)


def phase_errors(phases: Sequence[Item]) -> dict[str, str]:
    """Return a sentence for each wrong field, by paths such as `phases.0.tasks.1.retries`.

    Takes phases whose missing fields were filled in; empty where all is well.
    """
    tasks = [task for phase in phases for task in phase["tasks"]]
    if len(phases) > MAX_PHASES or len(tasks) > MAX_TASKS:
        return {"phases": f"Use at most {MAX_PHASES} phases and {MAX_TASKS} tasks."}
    phase_keys = Counter(str(phase["key"]) for phase in phases)
    task_keys = Counter(str(task["key"]) for task in tasks)
    errors: dict[str, str] = {}
    for number, phase in enumerate(phases):
        at = f"phases.{number}"
        errors |= dict(_phase(at, phase, phase_keys))
        for place, task in enumerate(phase["tasks"]):
            errors |= dict(_task(f"{at}.tasks.{place}", task, task_keys))
    return errors or dict(_circle(phases))


def _phase(at: str, phase: Item, keys: Counter[str]) -> Found:
    if wrong := name_error(phase["name"]):
        yield f"{at}.name", wrong
    if wrong := _key(phase["key"], keys):
        yield f"{at}.key", wrong
    depends = phase["depends_on"]
    if depends is None:
        return
    if not isinstance(depends, list) or not all(isinstance(key, str) for key in depends):
        yield f"{at}.depends_on", "Use a list of keys of phases."
    elif unknown := [key for key in depends if key not in keys]:
        yield f"{at}.depends_on", f"There is no phase “{unknown[0]}”."


def _task(at: str, task: Item, keys: Counter[str]) -> Found:
    if wrong := _key(task["key"], keys):
        yield f"{at}.key", wrong
    targets = [task[kind] for kind in ("configuration", "orchestration") if task[kind] is not None]
    if len(targets) != 1:
        yield f"{at}.configuration", "Choose one configuration, or one orchestration."
    elif _whole(1, MAX_ID)(targets[0]):
        kind = "configuration" if task["configuration"] is not None else "orchestration"
        yield f"{at}.{kind}", "Use its number."
    for field, rule in TASK_RULES.items():
        if wrong := rule(task[field]):
            yield f"{at}.{field}", wrong


def _key(key: Any, keys: Counter[str]) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
        return f"Use a key of 1 to {MAX_KEY} characters."
    return "Another one has this key." if keys[key] > 1 else ""


def waits_of(phases: Sequence[Item]) -> dict[str, list[str]]:
    """Return the keys of the phases that each phase waits for, by its key."""
    return {
        phase["key"]: [key for key in phase["depends_on"] if isinstance(key, str)]
        if phase["depends_on"] is not None
        else [before["key"] for before in phases[max(number - 1, 0) : number]]
        for number, phase in enumerate(phases)
    }


def circles(waits: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the circles of phases that wait for each other, as keys; each phase in one at most.

    A phase that only waits for one of a circle is in none.
    """
    found: list[list[str]] = []
    seen: dict[str, int] = {}  # the walk that came by
    for walk, start in enumerate(waits):
        path: list[tuple[str, Iterator[str]]] = []
        _step(start, walk, waits, (path, seen))
        while path:
            need = next(path[-1][1], None)
            if need is None:
                seen[path.pop()[0]] = -1  # all behind it is known
            elif need not in seen:
                _step(need, walk, waits, (path, seen))
            elif seen[need] == walk:
                keys = [key for key, _ in path]
                circle = keys[keys.index(need) :]
                if not any(set(circle) & set(other) for other in found):
                    found.append(circle)
    return found


def _step(
    key: str,
    walk: int,
    waits: Mapping[str, Sequence[str]],
    state: tuple[list[tuple[str, Iterator[str]]], dict[str, int]],
) -> None:
    path, seen = state
    if key not in seen:
        seen[key] = walk
        path.append((key, iter(waits.get(key, ()))))


def circle_words(circle: Sequence[str], names: Mapping[str, str]) -> str:
    """Return a sentence such as “A” waits for “B” waits for “A”."""
    return " waits for ".join(f"“{names[key]}”" for key in [*circle, circle[0]]) + "."


def _circle(phases: Sequence[Item]) -> Found:
    """Yield an error for each phase that, over others, waits for itself, with all on the way."""
    names = {phase["key"]: str(phase["name"]) for phase in phases}
    place = {phase["key"]: number for number, phase in enumerate(phases)}
    for circle in circles(waits_of(phases)):
        for key in sorted(circle, key=place.__getitem__):
            turned = circle[circle.index(key) :] + circle[: circle.index(key)]
            yield f"phases.{place[key]}.depends_on", circle_words(turned, names)
