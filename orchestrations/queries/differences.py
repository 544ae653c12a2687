"""What differs between two definitions of an orchestration, grouped by what it is, in words.

Pure functions over plain data; `queries/versions.py` looks up the names that they need.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from orchestrations.models.orchestration import (
    Definition,
    NotificationDesign,
    PhaseDesign,
    ScheduleDesign,
    TaskDesign,
    TriggerDesign,
)
from orchestrations.queries import design_words as words
from orchestrator_site.lib.differences import STEP, Change, change, changed_places, shown
from orchestrator_site.lib.sentences import counted

Kind = Literal["added", "removed", "moved", "changed"]
T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    """One thing that differs: a task, a schedule, … `note` says where; `changes` says how."""

    kind: Kind
    name: str
    note: str = ""
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """What differs of one part of an orchestration; at least one item."""

    key: str
    title: str
    items: list[Item]


@dataclass(frozen=True)
class Names:
    """How people call what a definition refers to by number or hides.

    `targets` goes by kind and number, `recipients` by the stored address.
    """

    targets: Mapping[tuple[str, int], str]
    recipients: Mapping[str, str]

    def task(self, task: TaskDesign) -> str:
        """Return the name of what a task runs."""
        return self.targets.get(target(task), "something deleted")

    def recipient(self, notification: NotificationDesign) -> str:
        """Return the address as people may see it."""
        return self.recipients.get(notification["address"], "somebody")


def target(task: TaskDesign) -> tuple[str, int]:
    """Return the kind and number of what a task runs."""
    if pk := task.get("configuration"):
        return "configuration", pk
    return "orchestration", task.get("orchestration") or 0


def differences(old: Definition, new: Definition, names: Names) -> list[Part]:
    """Return the parts that differ, in the order of the page; empty where nothing does."""
    found = [
        Part("details", "Name and description", list(_details(old, new))),
        Part("variables", "Variables", list(_variables(old["variables"], new["variables"]))),
        Part("phases", "Phases", list(_phases(old["phases"], new["phases"]))),
        Part("tasks", "Tasks", list(_tasks(old["phases"], new["phases"], names))),
        Part("schedules", "Schedules", _schedules(old["schedules"], new["schedules"])),
        Part("triggers", "Triggers", _triggers(old["triggers"], new["triggers"])),
        Part("notifications", "Notifications", _notifications(old, new, names)),
    ]
    return [part for part in found if part.items]


def as_text(parts: Sequence[Part]) -> list[str]:
    """Return a difference as lines of plain text: + added, - removed, ~ changed or moved."""
    signs = {"added": "+", "removed": "-", "moved": "~", "changed": "~"}
    lines: list[str] = []
    for part in parts:
        lines.append(part.title)
        for item in part.items:
            lines.append(f"  {signs[item.kind]} {f'{item.name} {item.note}'.strip()}")
            lines += [f"      {line}" for each in item.changes for line in _change_text(each)]
    return lines


def _change_text(each: Change) -> list[str]:
    label = f"{each.path}: " if each.path else ""
    if each.lines:
        signs = {"add": "+ ", "del": "- "}
        changed = [f"{signs.get(line.kind, '  ')}{line.text}" for line in each.lines]
        return [label.rstrip(), *changed] if label else changed
    if each.before is None:
        return [f"{label}{each.after}"]
    return [f"{label}{each.before or 'empty'} → {each.after or 'empty'}"]


def _details(old: Definition, new: Definition) -> Iterator[Item]:
    if old["name"] != new["name"]:
        yield Item("changed", "Name", changes=[change("", old["name"], new["name"])])
    if old["description"] != new["description"]:
        changed = change("", old["description"], new["description"])
        yield Item("changed", "Description", changes=[changed])


def _variables(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Item]:
    for name in {**old, **new}:
        if name not in old:
            yield Item("added", name, changes=[Change("", None, shown(name, new[name]))])
        elif name not in new:
            yield Item("removed", name)
        elif old[name] != new[name]:
            yield Item("changed", name, changes=[change("", old[name], new[name])])


def _phases(old: Sequence[PhaseDesign], new: Sequence[PhaseDesign]) -> Iterator[Item]:
    before, after = {p["key"]: p for p in old}, {p["key"]: p for p in new}
    old_names = {key: phase["name"] for key, phase in before.items()}
    new_names = {key: phase["name"] for key, phase in after.items()}
    moved = out_of_order(list(before), list(after))
    above = dict(zip(after, [None, *after], strict=False))
    for key, phase in after.items():
        if key not in before:
            yield Item("added", phase["name"], note=_count(phase))
            continue
        facts = {"Name": old_names[key], "Waits for": words.waits_words(before[key], old_names)}
        changes = changed_places(
            facts, {"Name": phase["name"], "Waits for": words.waits_words(phase, new_names)}
        )
        if before[key]["depends_on"] == phase["depends_on"]:  # only a name of another phase
            changes = [each for each in changes if each.path == "Name"]
        if key in moved:
            first = above[key]
            note = f"to after “{new_names[first]}”" if first else "to the beginning"
            yield Item("moved", phase["name"], note, changes)
        elif changes:
            yield Item("changed", phase["name"], changes=changes)
    for key in before:
        if key not in after:
            yield Item("removed", old_names[key])


def _count(phase: PhaseDesign) -> str:
    return f"with {counted(len(phase['tasks']), 'task')}"


def _tasks(old: Sequence[PhaseDesign], new: Sequence[PhaseDesign], names: Names) -> Iterator[Item]:
    before = {task["key"]: (phase, task) for phase in old for task in phase["tasks"]}
    after = {task["key"]: (phase, task) for phase in new for task in phase["tasks"]}
    moved = _moved_inside(old, new)
    for key, (phase, task) in after.items():
        name = names.task(task)
        if key not in before:
            yield Item("added", name, f"in phase “{phase['name']}”", unusual_of_task(task))
            continue
        left, was = before[key]
        changes = _task_changes(was, task, names)
        if left["key"] != phase["key"]:
            note = f"from phase “{left['name']}” to “{phase['name']}”"
            yield Item("moved", name, note, changes)
        elif key in moved:
            yield Item("moved", name, f"within phase “{phase['name']}”", changes)
        elif changes:
            yield Item("changed", name, f"in phase “{phase['name']}”", changes)
    for key, (phase, task) in before.items():
        if key not in after:
            yield Item("removed", names.task(task), f"from phase “{phase['name']}”")


def _moved_inside(old: Sequence[PhaseDesign], new: Sequence[PhaseDesign]) -> set[str]:
    """Return the keys of tasks that stand elsewhere in the phase that they were in before."""
    before = {phase["key"]: [task["key"] for task in phase["tasks"]] for phase in old}
    return {
        key
        for phase in new
        for key in out_of_order(
            before.get(phase["key"], []), [task["key"] for task in phase["tasks"]]
        )
    }


def _task_changes(old: TaskDesign, new: TaskDesign, names: Names) -> list[Change]:
    changes = changed_places(words.task_facts(old), words.task_facts(new))
    if target(old) == target(new):
        return changes
    label = "Configuration" if target(old)[0] == target(new)[0] == "configuration" else "Runs"
    return [change(label, names.task(old), names.task(new)), *changes]


def unusual_of_task(task: TaskDesign) -> list[Change]:
    """Return what is not as usual with a task."""
    return _unusual(words.task_facts(task), words.task_facts(_usual_task(task)))


def _usual_task(task: TaskDesign) -> TaskDesign:
    return {
        **task,
        "is_active": True,
        "continue_on_failure": False,
        "parameters": {},
        "retries": 0,
        "retry_delay": words.USUAL_PAUSE,
        "retry_backoff": words.USUAL_BACKOFF,
        "retry_match": "",
        "delay": 0,
        "timeout": None,
    }


def _schedules(old: Sequence[ScheduleDesign], new: Sequence[ScheduleDesign]) -> list[Item]:
    return list(
        _rows(
            {row["id"]: row for row in old},
            {row["id"]: row for row in new},
            name=lambda row: row["name"] or words.schedule_words(row),
            note=lambda row: words.schedule_words(row) if row["name"] else "",
            added=lambda row: _unusual(words.schedule_facts(row), _usual_schedule(row)),
            changes=schedule_changes,
        )
    )


def schedule_changes(old: ScheduleDesign, new: ScheduleDesign) -> list[Change]:
    """Return what differs between two states of one schedule."""
    changes = changed_places(words.schedule_facts(old), words.schedule_facts(new))
    same_words = words.schedule_words(old) == words.schedule_words(new)
    if same_words and old["cron"] != new["cron"]:
        changes.append(change("Cron expression", old["cron"], new["cron"]))
    if old["misfire_limit"] != new["misfire_limit"] and not any(
        each.path == "Missed moments" for each in changes
    ):
        changes.append(
            change("Most missed moments", str(old["misfire_limit"]), str(new["misfire_limit"]))
        )
    return changes


def _usual_schedule(row: ScheduleDesign) -> words.Facts:
    return words.schedule_facts(
        {
            **row,
            "is_enabled": True,
            "overlap": "queue_one",
            "misfire": "last",
            "misfire_window": None,
            "gap": "usual",
            "repeat": "usual",
            "calendar": None,
            "on_held": "skip",
            "confidence": None,
            "valid_from": None,
            "valid_to": None,
            "paused_until": None,
            "variables": {},
        }
    )


def _triggers(old: Sequence[TriggerDesign], new: Sequence[TriggerDesign]) -> list[Item]:
    return list(
        _rows(
            {row["id"]: row for row in old},
            {row["id"]: row for row in new},
            name=lambda row: row["name"] or f"When updated: {', '.join(row['tables'])}",
            note=lambda _: "",
            added=_unusual_of_trigger,
            changes=lambda was, row: changed_places(
                words.trigger_facts(was), words.trigger_facts(row)
            ),
        )
    )


def _unusual_of_trigger(row: TriggerDesign) -> list[Change]:
    usual = words.trigger_facts(
        {
            **row,
            "is_enabled": True,
            "kind": "tables",
            "cooldown": 0,
            "needs": "all",
            "fresh_for": None,
            "fallback_after": None,
            "source": None,
            "source_name": "",
            "outcomes": [],
            "place": "",
            "pattern": "",
            "variables": {},
        }
    )
    if row["name"]:
        del usual["Tables"]
    return _unusual(words.trigger_facts(row), usual)


def _notifications(old: Definition, new: Definition, names: Names) -> list[Item]:
    def facts(row: NotificationDesign) -> words.Facts:
        return words.notification_facts(row, names.recipient(row))

    def changes(was: NotificationDesign, row: NotificationDesign) -> list[Change]:
        found = changed_places(facts(was), facts(row))
        if was["address"] != row["address"] and facts(was)["To"] == facts(row)["To"]:
            found.append(change("To", facts(was)["To"], facts(row)["To"]))
        return found

    return list(
        _rows(
            {row["key"]: row for row in old["notifications"]},
            {row["key"]: row for row in new["notifications"]},
            name=lambda row: f"{facts(row)['Of']} to {facts(row)['To']}",
            note=lambda row: f"by {facts(row)['By']}",
            added=lambda row: [
                Change(label, None, value)
                for label, value in facts(row).items()
                if label == "When" and row["threshold"] is not None
            ],
            changes=changes,
        )
    )


def _rows(  # keyword-only: one for each thing that the kinds say their own way
    old: Mapping[Any, T],
    new: Mapping[Any, T],
    *,
    name: Callable[[T], str],
    note: Callable[[T], str],
    added: Callable[[T], list[Change]],
    changes: Callable[[T, T], list[Change]],
) -> Iterator[Item]:
    """Yield what became of rows that are known by their id or key."""
    for key, row in new.items():
        if key not in old:
            yield Item("added", name(row), note(row), added(row))
        elif found := changes(old[key], row):
            yield Item("changed", name(row), changes=found)
    for key, row in old.items():
        if key not in new:
            yield Item("removed", name(row), note(row))


def _unusual(facts: Mapping[str, Any], usual: Mapping[str, Any]) -> list[Change]:
    """Return the facts of something new that are not the usual ones."""
    return [
        Change(label, None, shown(label, value))
        for label, value in facts.items()
        if label != "Name" and usual.get(label, STEP) != value
    ]


def out_of_order(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """Return the fewest keys of both that must be moved to bring the old order into the new."""
    places = {key: place for place, key in enumerate(old)}
    kept = [key for key in new if key in places]
    ends: list[int] = []  # by length: the smallest place that a rising row of it can end at
    length = []
    for key in kept:
        spot = bisect_left(ends, places[key])
        ends[spot : spot + 1] = [places[key]]
        length.append(spot + 1)
    want = len(ends)
    stay = set()
    for key, rank in zip(reversed(kept), reversed(length), strict=True):
        if rank == want:
            stay.add(key)
            want -= 1
    return set(kept) - stay
