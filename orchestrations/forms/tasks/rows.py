"""The rows of the tasks editor: read from a definition or from what was posted, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from orchestrations.forms.tasks.options import (
    FIELDS,
    USUAL,
    Options,
    Panel,
    opened,
    packed,
    read,
    retry_words,
    summary,
    unknown_parameters,
    unpacked,
)
from orchestrations.models.orchestration import PhaseDesign, TaskDesign
from orchestrations.queries.editor import Target
from orchestrations.services.designs import PhaseInput, TaskInput
from orchestrator_site.lib.live import number

MOST_ROWS = 5500
LONGEST_KEY = 40
LONGEST_NAME = 1000
Stored = Mapping[str, Options]


@dataclass
class TaskRow:
    """One task as it stands in the form; `target` is such as `configuration:12`.

    `packed` is what travels of the options; a panel is there while it is open.
    """

    key: str
    target: str
    is_active: bool = True
    continue_on_failure: bool = False
    options: Options = field(default_factory=lambda: dict(USUAL))
    packed: str = ""
    panel: Panel | None = field(default=None, compare=False)
    is_picked: bool = field(default=False, compare=False)
    shown: Target | None = field(default=None, compare=False)
    error: str = field(default="", compare=False)

    @property
    def summary(self) -> list[str]:
        """What is special about the task, in a few words each."""
        return summary(self.options)

    @property
    def name(self) -> str:
        return self.shown.name if self.shown else "Deleted"

    @property
    def feedback(self) -> str:
        """What will happen when it fails."""
        return retry_words(self.options)

    @property
    def warnings(self) -> list[str]:
        """What its component would not understand."""
        schema = self.shown.schema if self.shown else {}
        return unknown_parameters(schema, self.options["parameters"])

    def turn(self, *, is_open: bool) -> None:
        """Open or close the panel; one with errors stays open."""
        if is_open:
            self.panel = self.panel or opened(self.options)
        elif self.panel and not self.panel.errors:
            self.panel = None

    def show_error(self, name: str, sentence: str) -> None:
        """Show an error at its field in the panel, or at the row where it has none."""
        if name in FIELDS:
            self.panel = (self.panel or opened(self.options)).with_error(name, sentence)
        else:
            self.error = sentence


@dataclass
class PhaseRow:
    """One phase as it stands in the form, with its tasks in order.

    `depends_on` None means: after the phase before it.
    """

    key: str
    name: str
    tasks: list[TaskRow] = field(default_factory=list)
    depends_on: list[str] | None = None
    is_collapsed: bool = field(default=False, compare=False)
    is_picked: bool = field(default=False, compare=False)
    error: str = field(default="", compare=False)
    order_error: str = field(default="", compare=False)

    @property
    def has_errors(self) -> bool:
        """Whether something in it has to be seen."""
        return any(task.error or (task.panel and task.panel.errors) for task in self.tasks)


def stored_options(phases: Sequence[PhaseDesign]) -> dict[str, Options]:
    """Return the options of all tasks of a definition, by key."""
    return {
        task["key"]: {name: task.get(name, USUAL[name]) for name in FIELDS}
        for phase in phases
        for task in phase["tasks"]
    }


def saved_rows(phases: Sequence[PhaseDesign]) -> list[PhaseRow]:
    """Return the rows of what is saved."""
    stored = stored_options(phases)
    return [
        PhaseRow(
            phase["key"],
            phase["name"],
            [_saved_task(task, stored[task["key"]]) for task in phase["tasks"]],
            phase["depends_on"],
        )
        for phase in phases
    ]


def _saved_task(task: TaskDesign, options: Options) -> TaskRow:
    return TaskRow(
        task["key"],
        _target(task),
        task["is_active"],
        task["continue_on_failure"],
        options,
        packed(options, options),
    )


def _target(task: TaskDesign) -> str:
    configuration = task.get("configuration")
    if configuration:
        return f"configuration:{configuration}"
    return f"orchestration:{task.get('orchestration')}"


def posted_rows(posted: QueryDict, stored: Stored) -> list[PhaseRow]:
    """Read the rows in their order; a task belongs to the phase above it."""
    phases: list[PhaseRow] = []
    picked = set(posted.getlist("pick"))
    for row in posted.getlist("row")[:MOST_ROWS]:
        kind, _, key = row.partition(":")
        key = key[:LONGEST_KEY]
        if kind == "phase":
            phases.append(_posted_phase(posted, key))
            phases[-1].is_picked = row in picked
        elif phases:
            phases[-1].tasks.append(posted_task(posted, key, stored.get(key, {})))
            phases[-1].tasks[-1].is_picked = row in picked
    return phases


def _posted_phase(posted: QueryDict, key: str) -> PhaseRow:
    needs = [need[:LONGEST_KEY] for need in posted.getlist(f"needs-{key}") if need]
    return PhaseRow(
        key,
        posted.get(f"name-{key}", "")[:LONGEST_NAME],
        depends_on=needs if f"own-{key}" in posted else None,
        is_collapsed=f"collapsed-{key}" in posted,
    )


def posted_task(posted: QueryDict, key: str, stored: Options) -> TaskRow:
    """Read one task: from the fields of its panel where that is open, else from what travels."""
    options, panel = unpacked(posted.get(f"options-{key}", ""), stored), None
    if f"open-{key}" in posted:
        options, panel = read(_texts(posted, key), options)
    return TaskRow(
        key,
        posted.get(f"target-{key}", ""),
        f"active-{key}" in posted,
        f"continue-{key}" in posted,
        options,
        packed(options, stored),
        panel,
    )


def _texts(posted: QueryDict, key: str) -> dict[str, str]:
    return {name: posted.get(f"{name}-{key}", "").replace("\r\n", "\n") for name in FIELDS}


def designs(rows: Sequence[PhaseRow]) -> list[PhaseInput | PhaseDesign]:
    """Return the rows as a service takes them; what a phase waited for and is gone is left out."""
    present = {row.key for row in rows}
    return [
        PhaseInput(
            key=row.key,
            name=row.name,
            depends_on=None
            if row.depends_on is None
            else [key for key in row.depends_on if key in present],
            tasks=[_task_input(task) for task in row.tasks],
        )
        for row in rows
    ]


def _task_input(row: TaskRow) -> TaskInput:
    kind, _, pk = row.target.partition(":")
    target = {
        name: number(pk) if kind == name else None for name in ("configuration", "orchestration")
    }
    fields: dict[str, Any] = {**row.options, **target}
    task: TaskInput = {**fields}  # type: ignore[typeddict-item]  # its keys are those of a task
    task["key"] = row.key
    task["is_active"] = row.is_active
    task["continue_on_failure"] = row.continue_on_failure
    return task


def all_tasks(rows: Sequence[PhaseRow]) -> Iterator[TaskRow]:
    """Return the tasks of all phases, in order."""
    return (task for row in rows for task in row.tasks)
