"""What is exported: the project as plain data in a fixed order, without ids, times and secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from components.models import Configuration
from orchestrations.enums import Channel, NotificationEvent, TriggerKind
from orchestrations.models import Orchestration, OrchestrationVersion, Task
from orchestrations.models.orchestration import (
    Definition,
    NotificationDesign,
    PhaseDesign,
    ScheduleDesign,
    TaskDesign,
    TriggerDesign,
)
from orchestrations.services.designs import DEFAULTS
from orchestrations.services.exchange.keys import derived, give_keys
from orchestrations.services.exchange.reading import KINDS
from orchestrations.services.exchange.references import hide, reference

EVENTS = tuple(NotificationEvent)
TASK_FIELDS = {"active": "is_active", **{name: name for name in DEFAULTS if name != "is_active"}}
USUAL_SCHEDULE: dict[str, Any] = {
    "timezone": "UTC",
    "overlap": "queue_one",
    "misfire": "last",
    "misfire_limit": 10,
    "misfire_window": None,
    "gap": "usual",
    "repeat": "usual",
    "calendar": None,
    "on_held": "skip",
    "confidence": None,
    "valid_from": None,
    "valid_to": None,
    "paused_until": None,
}
USUAL_TRIGGER: dict[str, Any] = {
    "needs": "all",
    "quorum": 1,
    "fresh_for": None,
    "fallback_after": None,
}


@dataclass(frozen=True)
class Selection:
    """Which objects are meant: all, or those that `only` names by `kind` or `kind/key`."""

    only: Collection[str] = ()

    def has(self, kind: str, key: str) -> bool:
        """Tell whether an object is meant."""
        return not self.only or kind in self.only or f"{kind}/{key}" in self.only

    def unknown(self) -> list[str]:
        """Return what names neither a kind nor an object."""
        return [name for name in self.only if name.partition("/")[0] not in KINDS]


ALL = Selection()


@dataclass(frozen=True)
class TargetKeys:
    """What files call the targets of tasks, by id."""

    configurations: Mapping[int, str]
    orchestrations: Mapping[int, str]


@transaction.atomic
def selection_of(orchestration: Orchestration) -> tuple[Selection, str]:
    """Return what an orchestration needs: itself and all that it runs; and its own key."""
    give_keys()
    keys = target_keys()
    seen, level = {orchestration.pk}, {orchestration.pk}
    configurations: set[int] = set()
    while level:
        tasks = Task.objects.filter(phase__orchestration__in=level)
        rows = list(tasks.values_list("configuration", "orchestration"))
        configurations |= {pk for pk, _ in rows if pk}
        level = {pk for _, pk in rows if pk} - seen
        seen |= level
    only = [f"configurations/{keys.configurations[pk]}" for pk in configurations]
    only += [f"orchestrations/{keys.orchestrations[pk]}" for pk in seen]
    return Selection(only), keys.orchestrations[orchestration.pk]


@transaction.atomic
def project_document(selection: Selection = ALL) -> dict[str, Any]:
    """Return the project as it is to be written; what has no key is given one."""
    give_keys()
    configurations = Configuration.objects.filter(deleted_at=None).select_related("component")
    orchestrations = Orchestration.objects.filter(deleted_at=None)
    definitions = latest_definitions()
    keys = target_keys()
    return {
        "version": 1,
        "configurations": {
            str(row.key): configuration_document(row)
            for row in sorted(configurations, key=_key)
            if selection.has("configurations", str(row.key))
        },
        "orchestrations": {
            str(row.key): orchestration_document(row, definitions[row.pk], keys)
            for row in sorted(orchestrations, key=_key)
            if selection.has("orchestrations", str(row.key))
        },
    }


def _key(row: Configuration | Orchestration) -> str:
    """Return what objects are sorted by; databases sort each their own way."""
    return str(row.key)


def latest_definitions() -> dict[int, Definition]:
    """Return the latest definition of each orchestration, by its id."""
    latest = OrchestrationVersion.objects.filter(number=F("orchestration__version"))
    return dict(latest.values_list("orchestration", "definition"))


def target_keys() -> TargetKeys:
    """Return the keys of all that tasks may run, the trash too."""
    return TargetKeys(
        {pk: str(key) for pk, key in Configuration.objects.values_list("pk", "key")},
        {pk: str(key) for pk, key in Orchestration.objects.values_list("pk", "key")},
    )


def configuration_document(row: Configuration) -> dict[str, Any]:
    """Return a configuration as files hold it."""
    parameters = hide(_sorted(row.parameters), ("configurations", str(row.key)))
    return _filled(
        component=row.component.key,
        name=row.name,
        description=row.description,
        parameters=parameters,
        input=_sorted(row.input),
        output=_sorted(row.output),
    )


def orchestration_document(
    row: Orchestration, definition: Definition, keys: TargetKeys
) -> dict[str, Any]:
    """Return an orchestration with what surrounds it as files hold it."""
    place = ("orchestrations", str(row.key))
    return _filled(
        name=row.name,
        description=row.description,
        enabled=None if row.is_enabled else False,
        variables=_sorted(definition["variables"]),
        phases=_phases(definition["phases"], place, keys),
        schedules=_in_order([_schedule(s) for s in definition["schedules"]]),
        triggers=_in_order([_trigger(t, keys) for t in definition["triggers"]]),
        notifications=_notifications(definition["notifications"], place),
    )


def usual_keys(phases: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Return the keys that phases and their tasks have where a file names none.

    They follow from the names of the phases and from the keys of what the tasks run.
    """
    names = derived([name for name, _ in phases], default="phase")
    tasks = iter(derived([target for _, targets in phases for target in targets], default="task"))
    return [(key, [next(tasks) for _ in phases[n][1]]) for n, key in enumerate(names)]


def _phases(
    phases: list[PhaseDesign], place: tuple[str, str], keys: TargetKeys
) -> list[dict[str, Any]]:
    targets = [[_target(task, keys) for task in phase["tasks"]] for phase in phases]
    named = [
        (phase["name"], [key for _, key in found])
        for phase, found in zip(phases, targets, strict=True)
    ]
    usual = usual_keys(named)
    return [
        _filled(
            key=None if phase["key"] == key else phase["key"],
            name=phase["name"],
            depends_on=phase["depends_on"],
            tasks=[
                _task(task, target, usual_key, place)
                for task, target, usual_key in zip(phase["tasks"], found, tasks, strict=True)
            ],
        )
        | ({"depends_on": []} if phase["depends_on"] == [] else {})
        for phase, found, (key, tasks) in zip(phases, targets, usual, strict=True)
    ]


def _target(task: TaskDesign, keys: TargetKeys) -> tuple[str, str]:
    if pk := task.get("configuration"):
        return "configuration", keys.configurations.get(pk, f"deleted-{pk}")
    pk = task.get("orchestration") or 0
    return "orchestration", keys.orchestrations.get(pk, f"deleted-{pk}")


def _task(
    task: TaskDesign, target: tuple[str, str], usual_key: str, place: tuple[str, str]
) -> dict[str, Any]:
    kind, key = target
    stored: Mapping[str, Any] = task
    options = {
        name: stored[field]
        for name, field in TASK_FIELDS.items()
        if name not in {"configuration", "orchestration"} and stored[field] != DEFAULTS[field]
    }
    parameters = hide(_sorted(task["parameters"]), (*place, "tasks", task["key"]))
    own = {} if task["key"] == usual_key else {"key": task["key"]}
    return {kind: key, **own, **options, **_filled(parameters=parameters)}


def _schedule(row: ScheduleDesign) -> dict[str, Any]:
    stored: Mapping[str, Any] = row
    options = {n: stored[n] for n, usual in USUAL_SCHEDULE.items() if stored[n] != usual}
    return {
        **_filled(name=row["name"]),
        "cron": row["cron"],
        **options,
        **_filled(
            enabled=None if row["is_enabled"] else False, variables=_sorted(row["variables"])
        ),
    }


def _trigger(row: TriggerDesign, keys: TargetKeys) -> dict[str, Any]:
    stored: Mapping[str, Any] = row
    return _filled(
        name=row["name"],
        **_waited_for(row, keys),
        **{n: stored[n] for n, usual in USUAL_TRIGGER.items() if stored[n] != usual},
        cooldown=row["cooldown"],
        enabled=None if row["is_enabled"] else False,
        variables=_sorted(row["variables"]),
    )


def _waited_for(row: TriggerDesign, keys: TargetKeys) -> dict[str, Any]:
    """Return what a trigger waits for; the secret of a webhook stays where it is."""
    match TriggerKind(row["kind"]):
        case TriggerKind.TABLES:
            return {"tables": sorted(row["tables"])}
        case TriggerKind.ORCHESTRATION:
            pk = row["source"] or 0
            source = keys.orchestrations.get(pk, f"deleted-{pk}")
            return {"orchestration": source, "outcomes": sorted(row["outcomes"])}
        case TriggerKind.WEBHOOK:
            return {"webhook": True}
        case TriggerKind.FILES:
            return {"place": row["place"], "pattern": row["pattern"]}


def _notifications(rows: list[NotificationDesign], place: tuple[str, str]) -> list[dict[str, Any]]:
    found = []
    for row in rows:
        is_mail = row["channel"] == Channel.EMAIL
        secret = reference((*place, "notifications", row["key"]))
        found.append(
            _filled(
                event=row["event"],
                to=row["address"] if is_mail else secret,
                channel=None if is_mail else row["channel"],
                threshold=row["threshold"],
                key=None if is_mail else row["key"],
            )
        )
    return sorted(found, key=lambda r: (EVENTS.index(r["event"]), r.get("channel", ""), r["to"]))


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in an order that says nothing: by name, and then by all of their content."""
    return sorted(rows, key=lambda row: (row.get("name", ""), repr(sorted(row.items()))))


def _filled(**fields: Any) -> dict[str, Any]:
    """Return the fields that say anything."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, [])}


def _sorted(value: Any) -> Any:
    """Return a copy whose mappings are in the order of their keys, which no database keeps."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
