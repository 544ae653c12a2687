"""What a save changed, put into a sentence."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import Definition, PhaseDesign, TaskDesign

CHANGE_LENGTH = 500
SHOWN = 3
Names = Mapping[str, str]
RETRY_FIELDS = ("retry_delay", "retry_backoff", "retry_match")


def describe_change(old: Definition, new: Definition) -> str:
    """Return what a save changed as a sentence; empty where it changed nothing.

    Names the targets of tasks, so it asks the database for them.
    """
    parts: list[str] = []
    if old["name"] != new["name"]:
        parts.append(f"Renamed to “{new['name']}”")
    if old["description"] != new["description"]:
        parts.append("Changed the description")
    parts += _variable_changes(old["variables"], new["variables"])
    if old["phases"] != new["phases"]:
        parts += _design_changes(old["phases"], new["phases"]) or ["Changed the tasks"]
    return _sentence(parts)


def _sentence(parts: Sequence[str]) -> str:
    """Join the parts; those that do not fit are counted."""
    if not parts:
        return ""
    small = [*parts[:1], *(part[0].lower() + part[1:] for part in parts[1:])]
    for fitting in range(len(small), 0, -1):
        left = len(small) - fitting
        more = f"; and {left} more change{'s' if left > 1 else ''}" if left else ""
        sentence = f"{'; '.join(small[:fitting])}{more}."
        if len(sentence) <= CHANGE_LENGTH:
            return sentence
    return f"{small[0][: CHANGE_LENGTH - 2]}…."


def _variable_changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [
        *_listed("Added variable", [name for name in new if name not in old]),
        *_listed("Removed variable", [name for name in old if name not in new]),
        *_listed("Changed variable", [n for n in new if n in old and old[n] != new[n]]),
    ]


def _design_changes(old: Sequence[PhaseDesign], new: Sequence[PhaseDesign]) -> list[str]:
    before, after = _Places(old), _Places(new)
    names = _names([*before.tasks.values(), *after.tasks.values()])
    both = [key for key in after.tasks if key in before.tasks]
    parts: list[str] = []
    if not before.phases.keys() & after.phases.keys() and len(both) == len(before.tasks) > 0:
        parts += _listed("Regrouped the tasks into phase", after.names())
        merged: dict[str, str] = {}
        moved: list[str] = []
    else:
        merged = _merged(before, after)
        parts += _phase_changes(before, after, merged)
        moved = [k for k in both if after.where[k] != before.where[k]]
        moved = [k for k in moved if merged.get(before.where[k]) != after.where[k]]
    added = [names[key] for key in after.tasks if key not in before.tasks]
    removed = [names[key] for key in before.tasks if key not in after.tasks]
    parts += [*_listed("Added task", added), *_listed("Removed task", removed)]
    parts += _moves(moved, after, names)
    if not parts:
        parts += _reordered(before, after)
    pairs = {key: (before.tasks[key], after.tasks[key]) for key in both}
    return parts + _task_changes(pairs, names)


class _Places:
    """Phases and tasks of a design by key, and the key of each task's phase."""

    def __init__(self, phases: Sequence[PhaseDesign]) -> None:
        self.phases = {phase["key"]: phase for phase in phases}
        self.tasks = {task["key"]: task for phase in phases for task in phase["tasks"]}
        self.where = {task["key"]: phase["key"] for phase in phases for task in phase["tasks"]}

    def names(self, keys: Sequence[str] | None = None) -> list[str]:
        wanted = list(self.phases) if keys is None else keys
        return [self.phases[key]["name"] for key in wanted]


def _merged(before: _Places, after: _Places) -> dict[str, str]:
    """Return the phases that are gone with all their tasks in another one that was there."""
    found = {}
    for key, phase in before.phases.items():
        into = {after.where.get(task["key"], "") for task in phase["tasks"]}
        if key not in after.phases and len(into) == 1 and into <= before.phases.keys():
            found[key] = into.pop()
    return found


def _phase_changes(before: _Places, after: _Places, merged: Mapping[str, str]) -> list[str]:
    both = [key for key in after.phases if key in before.phases]
    parts = _listed(
        "Added phase", after.names([key for key in after.phases if key not in before.phases])
    )
    gone = [key for key in before.phases if key not in after.phases and key not in merged]
    parts += _listed("Removed phase", before.names(gone))
    for into in dict.fromkeys(merged.values()):
        phases = before.names([key for key, other in merged.items() if other == into])
        into_name = after.phases[into]["name"]
        parts += [f"{text} into “{into_name}”" for text in _listed("Merged phase", phases)]
    parts += [
        f"Renamed phase “{before.phases[key]['name']}” to “{after.phases[key]['name']}”"
        for key in both
        if before.phases[key]["name"] != after.phases[key]["name"]
    ]
    moved = _out_of_order([key for key in before.phases if key in after.phases], both)
    parts += _listed("Moved phase", after.names(moved))
    instead = {**merged}
    waits = [key for key in both if _waits(before, key, instead) != _waits(after, key, {})]
    return parts + _listed("Changed what must end before phase", after.names(waits))


def _waits(places: _Places, key: str, instead: Mapping[str, str]) -> list[str] | None:
    needs = places.phases[key]["depends_on"]
    if needs is None:
        return None
    return sorted({instead.get(need, need) for need in needs} - {key})


def _moves(moved: Sequence[str], after: _Places, names: Names) -> list[str]:
    parts = []
    for phase in after.phases:
        here = [names[key] for key in moved if after.where[key] == phase]
        parts += [
            f"{text} to “{after.phases[phase]['name']}”" for text in _listed("Moved task", here)
        ]
    return parts


def _reordered(before: _Places, after: _Places) -> list[str]:
    """Say where tasks only changed places inside their phases."""
    phases = [
        key
        for key in after.phases
        if [t["key"] for t in before.phases[key]["tasks"]]
        != [t["key"] for t in after.phases[key]["tasks"]]
    ]
    return _listed("Changed the order of the tasks in", after.names(phases), plural=False)


def _out_of_order(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """Return what has to be moved to make one order of the other, in the new order."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    stayed = {
        key for block in matcher.get_matching_blocks() for key in old[block.a :][: block.size]
    }
    return [key for key in new if key not in stayed]


Pairs = Mapping[str, tuple[TaskDesign, TaskDesign]]


def _task_changes(pairs: Pairs, names: Names) -> list[str]:
    """Say what was set at tasks that were there before, one part for each kind of change."""

    def where(changed: Callable[[Any, Any], bool]) -> list[str]:
        return [names[key] for key, (old, new) in pairs.items() if changed(old, new)]

    def differs(*fields: str) -> list[str]:
        return where(lambda old, new: any(old.get(f) != new.get(f) for f in fields))

    parts = [
        *_listed("Activated task", where(lambda old, new: new["is_active"] > old["is_active"])),
        *_listed("Deactivated task", where(lambda old, new: new["is_active"] < old["is_active"])),
        *_switched(pairs, names),
    ]
    for number in sorted({new["retries"] for old, new in pairs.values() if _retries(old, new)}):
        of = where(lambda old, new, n=number: _retries(old, new) and new["retries"] == n)  # type: ignore[misc]
        parts += [f"{text} to {number}" for text in _listed("Set the retries of task", of)]
    parts += _listed(
        "Changed the pauses of retries of task",
        where(lambda o, n: any(o[f] != n[f] for f in RETRY_FIELDS) and not _retries(o, n)),
    )
    parts += _listed("Changed the delay of task", differs("delay"))
    parts += _listed("Changed the time limit of task", differs("timeout"))
    parts += _listed("Changed the parameters of task", differs("parameters"))
    return parts + _listed("Changed what runs as task", differs("configuration", "orchestration"))


def _switched(pairs: Pairs, names: Names) -> list[str]:
    parts = []
    for on, word in ((True, "go on"), (False, "stop")):
        of = [
            names[key]
            for key, (old, new) in pairs.items()
            if old["continue_on_failure"] != new["continue_on_failure"] == on
        ]
        parts += [f"{text} fails" for text in _listed(f"Let the run {word} when task", of)]
    return [part.replace("tasks", "one of tasks", 1) for part in parts]


def _retries(old: TaskDesign, new: TaskDesign) -> bool:
    return old["retries"] != new["retries"]


def _listed(what: str, names: Sequence[str], *, plural: bool = True) -> list[str]:
    if not names:
        return []
    listed = ", ".join(f"“{name}”" for name in names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"{what}{'s' if plural and len(names) > 1 else ''} {listed}{more}"]


def _names(tasks: Sequence[TaskDesign]) -> dict[str, str]:
    """Return the names of tasks' targets, by key of the task."""
    found = {
        kind: dict(
            model.objects.filter(pk__in={t.get(kind) for t in tasks if t.get(kind)}).values_list(
                "pk", "name"
            )
        )
        for kind, model in (("configuration", Configuration), ("orchestration", Orchestration))
    }
    return {
        task["key"]: found["configuration"].get(task.get("configuration") or 0)
        or found["orchestration"].get(task.get("orchestration") or 0)
        or "deleted"
        for task in tasks
    }
