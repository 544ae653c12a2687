"""The tasks editor as a plain form: rows of phases and tasks in the order in which they are posted.

Nothing is saved between two clicks: the rows travel with the form, each button changes them, and
*Save* makes one version of what is there. So it works without JavaScript.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.contrib.auth.models import User
from django.http import QueryDict

from components.enums import ComponentType
from orchestrations.exceptions import EditConflict, InvalidOrchestration, NotAllowed
from orchestrations.forms.orchestrations import NameForm
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import Definition, PhaseDesign, TaskDesign
from orchestrations.queries.editor import Target, targets, targets_of
from orchestrations.services.designs import PhaseInput, TaskInput
from orchestrations.services.orchestrations import create_orchestration, save_orchestration

NEW_PHASE = "new"
MOST_ROWS = 5500
LONGEST_KEY = 40


@dataclass(frozen=True)
class TaskRow:
    """One task as it stands in the form; `target` is such as `configuration:12`."""

    key: str
    target: str
    is_active: bool = True
    continue_on_failure: bool = False
    shown: Target | None = None
    error: str = ""


@dataclass(frozen=True)
class PhaseRow:
    """One phase as it stands in the form, with its tasks in order."""

    key: str
    name: str
    tasks: list[TaskRow] = field(default_factory=list)
    error: str = ""


class TasksForm:
    """Phases with their tasks; bound to what was posted, or showing what is saved."""

    def __init__(
        self, posted: QueryDict | None = None, *, orchestration: Orchestration | None = None
    ) -> None:
        self.orchestration = orchestration
        self.saved = _definition(orchestration) if orchestration else None
        self.details = NameForm(posted) if orchestration is None else None
        self.version = orchestration.version if orchestration else 0
        self.error = ""
        self.is_quiet = True  # errors are shown after Save only
        if posted is None:
            self.phases = (
                [_phase_row(phase) for phase in self.saved["phases"]] if self.saved else []
            )
        else:
            self.phases = list(_posted(posted))
            self.version = _number(posted.get("version", "")) or self.version
        self._name_targets()

    @property
    def choices(self) -> list[tuple[str, list[Target]]]:
        """What can be added as a task: groups of targets, in the order of a pipeline."""
        groups: dict[str, list[Target]] = {label: [] for label in ComponentType.labels}
        for target in targets(without=self.orchestration):
            groups.setdefault(target.group, []).append(target)
        return [(label, found) for label, found in groups.items() if found]

    def apply(self, action: str, posted: QueryDict) -> None:
        """Do what a button asks: add, remove, or move a phase or a task; nonsense does nothing."""
        verb, _, key = action.partition(":")
        if verb == "add-task":
            self._add_task(posted.get("target", ""), posted.get("phase", ""))
        elif verb == "add-phase":
            self.phases.append(self._new_phase())
        elif verb in {"up", "down"}:
            self._move_task(key, -1 if verb == "up" else 1)
        elif verb == "remove":
            self.phases = [
                replace(p, tasks=[t for t in p.tasks if t.key != key]) for p in self.phases
            ]
        elif verb in {"phase-up", "phase-down"}:
            self._move_phase(key, -1 if verb == "phase-up" else 1)
        elif verb == "phase-remove":
            self.phases = [phase for phase in self.phases if phase.key != key]
        self._name_targets()

    def save(self, *, user: User) -> Orchestration | None:
        """Save as one version and return the orchestration; None leaves the reasons in the form."""
        self.is_quiet = False
        if self.details is not None and not self.details.is_valid():
            return None
        try:
            return self._save(user)
        except InvalidOrchestration as error:
            self._show(error)
        except (EditConflict, NotAllowed) as error:
            self.error = error.message
        return None

    def _save(self, user: User) -> Orchestration:
        phases = self._design()
        if self.orchestration is None:
            data = self.details.cleaned_data if self.details else {}
            return create_orchestration(
                name=data["name"], description=data["description"], user=user, phases=phases
            )
        save_orchestration(
            self.orchestration, user=user, expected_version=self.version, phases=phases
        )
        return self.orchestration

    def _design(self) -> list[PhaseInput | PhaseDesign]:
        """Return what is to be saved: what the form does not show stays as it was."""
        phases = self.saved["phases"] if self.saved else []
        old_phases = {phase["key"]: phase for phase in phases}
        old_tasks = {task["key"]: task for phase in phases for task in phase["tasks"]}
        present = {phase.key for phase in self.phases}
        designed: list[PhaseInput | PhaseDesign] = []
        for row in self.phases:
            waits = old_phases[row.key]["depends_on"] if row.key in old_phases else None
            designed.append(
                PhaseInput(
                    key=row.key,
                    name=row.name,
                    depends_on=None if waits is None else [key for key in waits if key in present],
                    tasks=[_task_input(task, old_tasks.get(task.key)) for task in row.tasks],
                )
            )
        return designed

    def _add_task(self, target: str, phase_key: str) -> None:
        if target not in {found.value for _, group in self.choices for found in group}:
            self.error = "Choose what the new task runs."
            return
        task = TaskRow(secrets.token_hex(4), target)
        if phase_key == NEW_PHASE or not self.phases:
            self.phases.append(replace(self._new_phase(), tasks=[task]))
            return
        chosen = next((p for p in self.phases if p.key == phase_key), self.phases[-1])
        chosen.tasks.append(task)

    def _new_phase(self) -> PhaseRow:
        return PhaseRow(secrets.token_hex(4), f"Phase {len(self.phases) + 1}")

    def _move_phase(self, key: str, step: int) -> None:
        at = next((n for n, phase in enumerate(self.phases) if phase.key == key), None)
        if at is not None and 0 <= at + step < len(self.phases):
            self.phases[at], self.phases[at + step] = self.phases[at + step], self.phases[at]

    def _move_task(self, key: str, step: int) -> None:
        """Move a task by one place; beyond the end of its phase it goes to the neighbouring one."""
        places = ((p, n) for p in self.phases for n, task in enumerate(p.tasks) if task.key == key)
        phase, at = next(places, (None, 0))
        if phase is None:
            return
        task = phase.tasks.pop(at)
        number = self.phases.index(phase)
        if 0 <= at + step <= len(phase.tasks):
            phase.tasks.insert(at + step, task)
        elif 0 <= number + step < len(self.phases):
            tasks = self.phases[number + step].tasks
            tasks.insert(0 if step > 0 else len(tasks), task)
        else:
            phase.tasks.insert(at, task)

    def _name_targets(self) -> None:
        """Put names to the targets of all tasks, in two queries."""
        found = targets_of({task.target for phase in self.phases for task in phase.tasks})
        self.phases = [
            replace(p, tasks=[replace(t, shown=found.get(t.target)) for t in p.tasks])
            for p in self.phases
        ]

    def _show(self, error: InvalidOrchestration) -> None:
        """Put each sentence where it belongs; what has no place of its own stands on top."""
        rest = []
        for path, text in error.fields.items():
            if not self._place(path.split("."), text):
                rest.append(text)
        self.error = " ".join([*dict.fromkeys(rest)]) or error.message

    def _place(self, path: list[str], text: str) -> bool:
        if self.details is not None and path[0] in self.details.fields:
            self.details.add_error(path[0], text)
            return True
        if path[0] != "phases" or len(path) < 2 or not path[1].isdecimal():  # noqa: PLR2004
            return False
        number = int(path[1])
        phase = self.phases[number]
        if path[2:3] == ["tasks"]:
            place = int(path[3])
            phase.tasks[place] = replace(phase.tasks[place], error=text)
        else:
            self.phases[number] = replace(phase, error=text)
        return True


def _definition(orchestration: Orchestration) -> Definition:
    definition: Definition = orchestration.versions.get(number=orchestration.version).definition
    return definition


def _phase_row(phase: PhaseDesign) -> PhaseRow:
    tasks = [
        TaskRow(task["key"], _target(task), task["is_active"], task["continue_on_failure"])
        for task in phase["tasks"]
    ]
    return PhaseRow(phase["key"], phase["name"], tasks)


def _target(task: TaskDesign) -> str:
    configuration = task.get("configuration")
    if configuration:
        return f"configuration:{configuration}"
    return f"orchestration:{task.get('orchestration')}"


def _task_input(row: TaskRow, old: TaskDesign | None) -> TaskInput:
    kind, _, number = row.target.partition(":")
    kept: dict[str, Any] = {**old} if old else {}
    kept |= {"configuration": None, "orchestration": None}
    if kind in {"configuration", "orchestration"}:
        kept[kind] = _number(number)
    task: TaskInput = {**kept}  # type: ignore[typeddict-item]  # a whole task, or nothing
    task["key"] = row.key
    task["is_active"] = row.is_active
    task["continue_on_failure"] = row.continue_on_failure
    return task


def _posted(posted: QueryDict) -> Iterator[PhaseRow]:
    """Read the rows in their order; a task belongs to the phase above it."""
    phase: PhaseRow | None = None
    for row in posted.getlist("row")[:MOST_ROWS]:
        kind, _, key = row.partition(":")
        key = key[:LONGEST_KEY]
        if kind == "phase":
            if phase is not None:
                yield phase
            phase = PhaseRow(key, posted.get(f"name-{key}", "")[:1000])
        elif phase is not None:
            target = posted.get(f"target-{key}", "")
            active, goes_on = f"active-{key}" in posted, f"continue-{key}" in posted
            phase.tasks.append(TaskRow(key, target, active, goes_on))
    if phase is not None:
        yield phase


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None  # noqa: PLR2004
