"""What a save changed, put into a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from components.models import Configuration
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import Definition, PhaseDesign, TaskDesign

CHANGE_LENGTH = 500
SHOWN = 3


def describe_change(old: Definition, new: Definition) -> str:
    """Return what a save changed as a sentence; empty where it changed nothing.

    Names the targets of tasks, so it asks the database for them.
    """
    parts: list[str] = []
    if old["name"] != new["name"]:
        parts.append(f"Renamed to “{new['name']}”")
    if old["description"] != new["description"]:
        parts.append("Changed the description")
    parts += _listed(
        "Changed variable",
        [
            name
            for name in {**old["variables"], **new["variables"]}
            if old["variables"].get(name) != new["variables"].get(name)
        ],
    )
    parts += _phase_changes(old["phases"], new["phases"])
    parts += _task_changes(old["phases"], new["phases"])
    if not parts and old["phases"] != new["phases"]:
        parts.append("Moved tasks")
    sentence = "; ".join([*parts[:1], *(p[0].lower() + p[1:] for p in parts[1:])])
    return f"{sentence}."[:CHANGE_LENGTH] if sentence else ""


def _phase_changes(old: list[PhaseDesign], new: list[PhaseDesign]) -> list[str]:
    before, after = {p["key"]: p for p in old}, {p["key"]: p for p in new}
    parts = _listed("Added phase", [p["name"] for key, p in after.items() if key not in before])
    parts += _listed("Removed phase", [p["name"] for key, p in before.items() if key not in after])
    both = [key for key in after if key in before]
    parts += [
        f"Renamed phase “{before[key]['name']}” to “{after[key]['name']}”"
        for key in both
        if before[key]["name"] != after[key]["name"]
    ]
    if both != [key for key in before if key in after] or any(
        before[key]["depends_on"] != after[key]["depends_on"] for key in both
    ):
        parts.append("Changed the order of the phases")
    return parts


def _task_changes(old: list[PhaseDesign], new: list[PhaseDesign]) -> list[str]:
    before = {task["key"]: (phase["key"], task) for phase in old for task in phase["tasks"]}
    after = {task["key"]: (phase["key"], task) for phase in new for task in phase["tasks"]}
    names = _names([task for _, task in (*before.values(), *after.values())])
    both = [key for key in after if key in before]
    return [
        *_listed("Added task", [names[key] for key in after if key not in before]),
        *_listed("Removed task", [names[key] for key in before if key not in after]),
        *_listed("Moved task", [names[k] for k in both if before[k][0] != after[k][0]]),
        *_listed("Changed task", [names[k] for k in both if before[k][1] != after[k][1]]),
    ]


def _listed(what: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    listed = ", ".join(f"“{name}”" for name in names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"{what}{'s' if len(names) > 1 else ''} {listed}{more}"]


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
