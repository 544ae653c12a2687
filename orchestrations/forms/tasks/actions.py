"""What the buttons of the tasks editor do to its rows; nonsense does nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from components.enums import ComponentType
from components.queries.configurations import PLURALS
from orchestrations.forms.tasks.rows import PhaseRow, TaskRow, all_tasks
from orchestrations.queries.editor import NESTED

Rows = list[PhaseRow]
NEW_PHASE = "new"
NEW_NAME = "New phase"
MISSING = "Missing"
GROUPS = [
    *(
        str(PLURALS[kind])
        for kind in (
            ComponentType.EXTRACTOR,
            ComponentType.TRANSFORMATION,
            ComponentType.APPLICATION,
            ComponentType.WRITER,
        )
    ),
    NESTED,
]


def new_key() -> str:
    """Return a key for a new phase or task."""
    return secrets.token_hex(4)


def new_phase(rows: Sequence[PhaseRow], name: str = "") -> PhaseRow:
    """Return an empty phase with a name that no other one has."""
    taken = {row.name for row in rows}
    names = [NEW_NAME, *(f"{NEW_NAME} {n}" for n in range(2, len(taken) + 3))]
    return PhaseRow(new_key(), name or next(name for name in names if name not in taken))


def with_offer(rows: Rows) -> Rows:
    """Return the rows with an empty phase at the end, for what comes next."""
    return rows if rows and not rows[-1].tasks else [*rows, new_phase(rows)]


def add_phase(rows: Rows) -> Rows:
    """Append an empty phase."""
    return [*rows, new_phase(rows)]


def add_task(rows: Rows, phase_key: str, target: str) -> Rows:
    """Append a task to a phase, or to the last one where there is no such phase."""
    rows = rows or [new_phase(rows)]
    phase = next((row for row in rows if row.key == phase_key), rows[-1])
    phase.tasks.append(TaskRow(new_key(), target))
    return rows


def move_phase(rows: Rows, key: str, step: int) -> Rows:
    """Move a phase by one place."""
    at = next((n for n, row in enumerate(rows) if row.key == key), None)
    if at is not None and 0 <= at + step < len(rows):
        rows[at], rows[at + step] = rows[at + step], rows[at]
    return rows


def remove_phase(rows: Rows, key: str) -> Rows:
    """Remove a phase with its tasks."""
    return [row for row in rows if row.key != key]


def move_task(rows: Rows, key: str, step: int) -> Rows:
    """Move a task by one place; beyond the end of its phase it goes to the neighbouring one."""
    places = ((p, n) for p in rows for n, task in enumerate(p.tasks) if task.key == key)
    phase, at = next(places, (None, 0))
    if phase is None:
        return rows
    task = phase.tasks.pop(at)
    number = rows.index(phase)
    if 0 <= at + step <= len(phase.tasks):
        phase.tasks.insert(at + step, task)
    elif 0 <= number + step < len(rows):
        tasks = rows[number + step].tasks
        tasks.insert(0 if step > 0 else len(tasks), task)
    else:
        phase.tasks.insert(at, task)
    return rows


def remove_task(rows: Rows, key: str) -> Rows:
    """Remove a task."""
    for row in rows:
        row.tasks = [task for task in row.tasks if task.key != key]
    return rows


def pick_only(rows: Rows, key: str) -> Rows:
    """Select one task and nothing else."""
    for row in rows:
        row.is_picked = False
        for task in row.tasks:
            task.is_picked = task.key == key
    return rows


def picked_tasks(rows: Sequence[PhaseRow]) -> list[TaskRow]:
    """Return the selected tasks, those of selected phases too, in order."""
    return [task for row in rows for task in row.tasks if task.is_picked or row.is_picked]


def move_picked(rows: Rows, phase_key: str, name: str) -> Rows:
    """Move the selected tasks to the end of a phase, or to a new one."""
    chosen = picked_tasks(rows)
    phase = next((row for row in rows if row.key == phase_key), None)
    if not chosen or (phase is None and phase_key != NEW_PHASE):
        return rows
    if phase is None:
        phase = new_phase(rows, name.strip())
        rows = [*rows, phase] if rows[-1].tasks else [*rows[:-1], phase, rows[-1]]
    for row in rows:
        row.tasks = [task for task in row.tasks if task not in chosen]
    phase.tasks += chosen
    return unpicked(rows)


def merge_picked(rows: Rows) -> Rows:
    """Put the tasks of all selected phases into the first; who waited for one waits for that."""
    chosen = [row for row in rows if row.is_picked]
    if not chosen:
        return rows
    first, gone = chosen[0], {row.key for row in chosen[1:]}
    first.tasks = [task for row in chosen for task in row.tasks]
    rows = [row for row in rows if row.key not in gone]
    for row in rows:
        if row.depends_on is not None:
            needs = [first.key if key in gone else key for key in row.depends_on]
            row.depends_on = [key for key in dict.fromkeys(needs) if key != row.key]
    return unpicked(rows)


def remove_picked(rows: Rows) -> Rows:
    """Remove the selected tasks, and the selected phases with theirs."""
    chosen = picked_tasks(rows)
    rows = [row for row in rows if not row.is_picked]
    for row in rows:
        row.tasks = [task for task in row.tasks if task not in chosen]
    return rows


def unpicked(rows: Rows) -> Rows:
    """Select nothing."""
    return pick_only(rows, "")


def collapse(rows: Rows, *, is_collapsed: bool) -> Rows:
    """Collapse or expand all phases."""
    for row in rows:
        row.is_collapsed = is_collapsed
    return rows


def group_by_type(rows: Rows) -> Rows:
    """Return new phases, one for each type of component that there is, in `GROUPS`' order.

    Each is after the one before it. Takes rows whose targets are known.
    """
    groups: dict[str, list[TaskRow]] = {name: [] for name in [*GROUPS, MISSING]}
    for task in all_tasks(rows):
        groups[_group(task)].append(task)
    return [PhaseRow(new_key(), name, tasks) for name, tasks in groups.items() if tasks]


def _group(task: TaskRow) -> str:
    if task.shown is None:
        return MISSING
    return str(PLURALS[ComponentType(task.shown.type)]) if task.shown.type else NESTED


ACTIONS: dict[str, Callable[[Rows, str], Rows]] = {
    "add-phase": lambda rows, _: add_phase(rows),
    "up": lambda rows, key: move_task(rows, key, -1),
    "down": lambda rows, key: move_task(rows, key, 1),
    "remove": remove_task,
    "phase-up": lambda rows, key: move_phase(rows, key, -1),
    "phase-down": lambda rows, key: move_phase(rows, key, 1),
    "phase-remove": remove_phase,
    "pick": pick_only,
    "unpick": lambda rows, _: unpicked(rows),
    "merge-picked": lambda rows, _: merge_picked(rows),
    "remove-picked": lambda rows, _: remove_picked(rows),
    "collapse": lambda rows, _: collapse(rows, is_collapsed=True),
    "expand": lambda rows, _: collapse(rows, is_collapsed=False),
    "group": lambda rows, _: group_by_type(rows),
}
