"""Make orchestrations what files say, with their schedules, triggers and notifications."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from orchestrations.models import Orchestration
from orchestrations.models.orchestration import (
    Definition,
    ScheduleDesign,
    TriggerDesign,
    empty_definition,
)
from orchestrations.queries.differences import as_text
from orchestrations.queries.versions import compare
from orchestrations.services.changes import describe_change
from orchestrations.services.designs import check_definition
from orchestrations.services.exchange.documents import EVENTS
from orchestrations.services.exchange.matching import match_schedules, match_triggers
from orchestrations.services.exchange.problems import Path
from orchestrations.services.exchange.recipients import wanted_recipients
from orchestrations.services.exchange.report import Action, ObjectChange
from orchestrations.services.exchange.work import REFUSALS, Work
from orchestrations.services.notifications import save_notifications
from orchestrations.services.orchestrations import (
    create_orchestration,
    restore_from_trash,
    save_orchestration,
    set_enabled,
)
from orchestrations.services.restoring import restore_triggers
from orchestrations.services.schedules import restore_schedules
from orchestrations.services.versions import start_version

KIND = "orchestrations"


def apply_all(work: Work, wanted: Mapping[str, dict[str, Any]]) -> list[ObjectChange]:
    """Create and change orchestrations, those first that are tasks of others."""
    in_order = {key: wanted[key] for key in _inner_first(work, wanted)}
    return work.apply_each(KIND, in_order, partial(_apply, work))


def _inner_first(work: Work, wanted: Mapping[str, dict[str, Any]]) -> list[str]:
    """Return the keys in such an order that what is nested is there before what nests it.

    So is what a trigger waits for, where it can be.
    """
    done: list[str] = []
    open_: list[str] = []

    def visit(key: str) -> None:
        if key in open_:
            chain = " → ".join([*open_[open_.index(key) :], key])
            work.documents.problem((KIND, key), f"It would run inside itself: {chain}.")
            work.failed.update((KIND, each) for each in open_)
            return
        if key in done:
            return
        open_.append(key)
        nested = {str(task.get("orchestration")) for _, task in _tasks(wanted[key])}
        for inner in sorted(nested & wanted.keys()):
            visit(inner)
        # A trigger may wait for what runs it: no circle of tasks, and there already, or refused.
        sources = {trigger["orchestration"] for trigger in wanted[key]["triggers"]}
        for source in sorted(sources & (wanted.keys() - open_)):
            visit(source)
        open_.remove(key)
        done.append(key)

    for key in wanted:
        visit(key)
    return [key for key in done if (KIND, key) not in work.failed]


def _tasks(wanted: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    for number, phase in enumerate(wanted["phases"]):
        for place, task in enumerate(phase["tasks"]):
            yield ("phases", number, "tasks", place), task


def _apply(work: Work, key: str, wanted: dict[str, Any]) -> ObjectChange | None:
    path, stored = (KIND, key), work.state.orchestrations.get(key)
    problems = len(work.documents.problems)
    phases, triggers = _phases(work, path, wanted), _triggers(work, path, wanted)
    if phases is None or triggers is None or len(work.documents.problems) > problems:
        return None
    action: Action = "change" if stored else "create"
    before = work.state.definitions[stored.pk] if stored else empty_definition(wanted["name"])
    around = _around(before, wanted["schedules"], triggers)
    if stored is None:
        stored = _create(work, key, wanted, phases)
        is_new = True
    else:
        if stored.deleted_at is not None:
            restore_from_trash(stored)
            action = "restore"
        is_new = _save_design(work, stored, wanted, phases, around)
    _surround(work, key, wanted, around, is_new=is_new)
    switched = _switch(stored, enabled=wanted["enabled"])
    after = stored.versions.get(number=stored.version).definition
    lines = as_text(compare(before, after)) + switched
    if not lines and action == "change":
        return None
    return ObjectChange("orchestration", key, stored.name, action, lines)


def _create(work: Work, key: str, wanted: dict[str, Any], phases: Sequence[Any]) -> Orchestration:
    made = create_orchestration(
        name=wanted["name"],
        user=work.user,
        description=wanted["description"],
        variables=wanted["variables"],
        phases=phases,
        change="Created from a file.",
    )
    Orchestration.objects.filter(pk=made.pk).update(key=key)
    work.state.orchestrations[key] = made
    return made


def _phases(work: Work, path: Path, wanted: dict[str, Any]) -> list[Any] | None:
    """Return the phases as services take them; None where something they need failed before."""
    targets: dict[Path, int | None] = {}
    for at, task in _tasks(wanted):
        for kind, rows in (
            ("configuration", work.state.configurations),
            ("orchestration", work.state.orchestrations),
        ):
            if kind not in task:
                continue
            name = task[kind]
            if (f"{kind}s", name) in work.failed:
                return None
            target = cast("Mapping[str, Any]", rows).get(name)
            if target is None:
                text = f"there is no {kind} “{name}”"
                work.documents.problem((*path, *at), text)
            targets[at] = target.pk if target else None
    return [
        {
            "key": phase["key"],
            "name": phase["name"],
            "depends_on": phase["depends_on"],
            "tasks": [
                _task(work, path, ("phases", number, "tasks", place), task, targets)
                for place, task in enumerate(phase["tasks"])
            ],
        }
        for number, phase in enumerate(wanted["phases"])
    ]


def _triggers(work: Work, path: Path, wanted: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the triggers with the ids of what they wait for; None where that failed before."""
    found = []
    for number, trigger in enumerate(wanted["triggers"]):
        key, source = trigger["orchestration"], None
        if key:
            if (KIND, key) in work.failed:
                return None
            source = work.state.orchestrations.get(key)
            if source is None:
                text = f"there is no orchestration “{key}”"
                work.documents.problem((*path, "triggers", number, "orchestration"), text)
        named = {"source": source and source.pk, "source_name": source.name if source else ""}
        found.append({**trigger, **named})
    return found


def _task(
    work: Work,
    path: Path,
    at: Path,
    task: dict[str, Any],
    targets: Mapping[Path, int | None],
) -> dict[str, Any]:
    kind = "configuration" if "configuration" in task else "orchestration"
    fields = {name: value for name, value in task.items() if name not in {kind, "active"}}
    fields["parameters"] = work.resolver.tree(
        task["parameters"],
        (*path, "tasks", task["key"]),
        lambda inner, text: work.documents.problem((*path, *at, "parameters", *inner), text),
    )
    return {**fields, "is_active": task.get("active", True), kind: targets[at]}


@dataclass(frozen=True)
class Around:
    """The schedules and triggers that are wanted, and which of them differ from those there are."""

    schedules: list[ScheduleDesign]
    triggers: list[TriggerDesign]
    changed: list[str]


def _around(
    now: Definition,
    wanted_schedules: Sequence[Mapping[str, Any]],
    wanted_triggers: Sequence[Mapping[str, Any]],
) -> Around:
    schedules = match_schedules(now["schedules"], wanted_schedules)
    triggers = match_triggers(now["triggers"], wanted_triggers)
    pairs: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {
        "schedules": (now["schedules"], schedules),
        "triggers": (now["triggers"], triggers),
    }
    return Around(
        cast("list[ScheduleDesign]", schedules),
        cast("list[TriggerDesign]", triggers),
        [name for name, (old, new) in pairs.items() if _differ(old, new)],
    )


def _differ(old: Sequence[Any], new: Sequence[Any]) -> bool:
    def by_id(design: Mapping[str, Any]) -> int:
        return int(design["id"])

    return sorted(old, key=by_id) != sorted(new, key=by_id)


def _save_design(
    work: Work,
    stored: Orchestration,
    wanted: dict[str, Any],
    phases: Sequence[Any],
    around: Around,
) -> bool:
    """Save what differs of the design; tell whether that made a version."""
    before = work.state.definitions[stored.pk]
    new = check_definition(
        wanted["name"],
        wanted["description"],
        phases,
        variables=wanted["variables"],
        orchestration=stored,
        stored=before["phases"],
    )
    sentence, number = describe_change(before, new), stored.version
    if not sentence:
        return False
    if around.changed:
        sentence = f"{sentence.removesuffix('.')}; changed {' and '.join(around.changed)}."
    save_orchestration(
        stored,
        user=work.user,
        expected_version=number,
        name=new["name"],
        description=new["description"],
        variables=new["variables"],
        phases=new["phases"],
        change=sentence,
    )
    return stored.version > number


def _surround(
    work: Work, key: str, wanted: dict[str, Any], around: Around, *, is_new: bool
) -> None:
    """Make schedules, triggers and notifications what is wanted; all count to one version."""
    path, stored = (KIND, key), work.state.orchestrations[key]
    if around.changed and not is_new:
        change = f"Changed {' and '.join(around.changed)} from a file."
        start_version(stored, user=work.user, change=change)
    if "schedules" in around.changed:
        restore_schedules(stored, around.schedules, user=work.user)
    if "triggers" in around.changed:
        _save_triggers(work, path, stored, around.triggers)
    _notify(work, path, stored, wanted, amend=is_new or bool(around.changed))
    stored.refresh_from_db()


def _save_triggers(
    work: Work, path: Path, stored: Orchestration, triggers: list[TriggerDesign]
) -> None:
    try:
        restore_triggers(stored, triggers, user=work.user)
    except REFUSALS as error:
        work.refuse((*path, "triggers"), error)


def _notify(
    work: Work, path: Path, stored: Orchestration, wanted: dict[str, Any], *, amend: bool
) -> None:
    recipients = wanted_recipients(work, path, stored, wanted["notifications"])
    if recipients is None:
        return
    try:
        save_notifications(stored, [item for _, item in recipients], user=work.user, amend=amend)
    except REFUSALS as error:
        fields: dict[str, str] = getattr(error, "fields", {})
        places = {
            f"{event}.{n}": number
            for event in EVENTS
            for n, number in enumerate(no for no, item in recipients if item["event"] == event)
        }
        for name, text in fields.items():
            place, _, field = name.rpartition(".")
            step = ("address", "to")
            at = (places[place], field.replace(*step)) if place in places else ()
            work.documents.problem((*path, "notifications", *at), text)
        if not fields:
            work.documents.problem((*path, "notifications"), str(error))


def _switch(stored: Orchestration, *, enabled: bool) -> list[str]:
    if stored.is_enabled == enabled:
        return []
    set_enabled(stored, enabled=enabled)
    return [f"Switched {'on' if enabled else 'off'}"]
