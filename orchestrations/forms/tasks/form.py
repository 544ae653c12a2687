"""The form of the tasks editor: bound to what was posted, or showing what is saved."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.models import User
from django.http import QueryDict

from orchestrations.exceptions import EditConflict, InvalidOrchestration, NotAllowed
from orchestrations.forms.orchestrations import NameForm
from orchestrations.forms.tasks import actions
from orchestrations.forms.tasks.choices import Choices, find_choices
from orchestrations.forms.tasks.rows import (
    PhaseRow,
    TaskRow,
    all_tasks,
    designs,
    posted_rows,
    saved_rows,
    stored_options,
)
from orchestrations.forms.tasks.variables import (
    VariableRow,
    as_mapping,
    check,
    posted_variables,
    saved_variables,
)
from orchestrations.insights.phase_graph import Drawing, Node, draw
from orchestrations.models import Orchestration
from orchestrations.models.orchestration import Definition
from orchestrations.queries.editor import Conflict, Target, conflict_since, targets_of
from orchestrations.services.orchestrations import create_orchestration, save_orchestration
from orchestrations.validators import circle_words, circles
from orchestrator_site.lib.live import number

NOTHING_CHOSEN = "Choose what the new task runs."
LOOK_BELOW = "Nothing was saved yet. Look at what is marked."


class TasksForm:
    """Phases with their tasks, and variables."""

    def __init__(
        self, posted: QueryDict | None = None, *, orchestration: Orchestration | None = None
    ) -> None:
        self.orchestration = orchestration
        self.details = NameForm(posted) if orchestration is None else None
        self.version = orchestration.version if orchestration else 0
        if posted is not None:
            self.version = number(posted.get("version")) or self.version
        self.base = _definition(orchestration, self.version)
        base_phases = self.base["phases"] if self.base else []
        self.error = ""
        self.conflict: Conflict | None = None
        self.is_quiet = True  # errors are shown after Save only
        self.choices: Choices | None = None
        self.choosing = ""  # the phase that they are for
        self.is_ordering = False
        if posted is None:
            self.phases = saved_rows(base_phases)
            self.variables = saved_variables(self.base["variables"] if self.base else {})
        else:
            self.phases = posted_rows(posted, stored_options(base_phases))
            self.variables = posted_variables(posted)
            self.is_ordering = "ordering" in posted
        self._finish()

    @property
    def blank_phase(self) -> PhaseRow:
        """An empty phase whose key scripts replace."""
        return PhaseRow("__key__", actions.NEW_NAME)

    @property
    def blank_variable(self) -> VariableRow:
        """The row of a variable that is to be added."""
        return VariableRow()

    @property
    def groups(self) -> str:
        """The phases that grouping by type makes, in their order."""
        return ", ".join(actions.GROUPS)

    @property
    def drawing(self) -> Drawing:
        """The phases that have tasks and what they wait for, as a graph."""
        rows = [row for row in self.phases if row.tasks]
        waits = self.waits
        nodes = [Node(row.key, row.name or "Phase without a name", len(row.tasks)) for row in rows]
        return draw(nodes, waits, circles(waits))

    @property
    def circle_errors(self) -> list[str]:
        """A sentence for each circle of phases."""
        names = {row.key: row.name for row in self.phases}
        return [circle_words(circle, names) for circle in circles(self.waits)]

    @property
    def waits(self) -> dict[str, list[str]]:
        """What each phase with tasks waits for, by keys; through empty ones to those behind."""
        needs: dict[str, list[str]] = {}
        for place, row in enumerate(self.phases):
            usual = [self.phases[place - 1].key] if place else []
            needs[row.key] = usual if row.depends_on is None else row.depends_on
        full = {row.key for row in self.phases if row.tasks}
        return {key: _filled(needs, key, full) for key in needs if key in full}

    @property
    def order(self) -> list[tuple[PhaseRow, list[str]]]:
        """The phases with tasks, each with the names of those that it waits for."""
        names = {row.key: row.name for row in self.phases}
        waits = self.waits
        return [(row, [names[key] for key in waits[row.key]]) for row in self.phases if row.tasks]

    def apply(self, action: str, posted: QueryDict) -> None:
        """Do what a button asks; nonsense does nothing."""
        verb, _, key = action.partition(":")
        if verb == "add-task":
            self._add_task(*_phase_and_target(key, posted))
        elif verb == "choose":
            self._choose(key, posted)
        elif verb == "move-picked":
            name = posted.get("move-name", "")[:200]
            self.phases = actions.move_picked(self.phases, posted.get("move-to", ""), name)
        elif verb == "order":
            self.is_ordering = not self.is_ordering
        elif verb in {"open", "close"}:
            self._turn_panel(key, is_open=verb == "open")
        elif verb == "variable-remove":
            place = number(key)
            self.variables = [v for n, v in enumerate(self.variables) if n != place]
        elif verb in actions.ACTIONS:
            self.phases = actions.ACTIONS[verb](self.phases, key)
        self._finish()

    def find(self, key: str) -> TaskRow | None:
        """Return the row of a task."""
        return next((task for task in all_tasks(self.phases) if task.key == key), None)

    def new_row(self, target: str) -> TaskRow | None:
        """Return a row for a new task, None where the target cannot be had."""
        found = targets_of([target]).get(target)
        if found is None or found.in_trash:
            return None
        return TaskRow(actions.new_key(), target, shown=found)

    def save(self, *, user: User, overwrite: int | None = None) -> Orchestration | None:
        """Save as one version and return the orchestration; None leaves the reasons in the form.

        `overwrite` is the version of somebody else that this one shall replace.
        """
        self.is_quiet = False
        good = [self.details is None or self.details.is_valid(), check(self.variables)]
        good.append(not any(task.panel and task.panel.errors for task in all_tasks(self.phases)))
        if not all(good):
            self.error = LOOK_BELOW
            return None
        try:
            return self._save(user, overwrite or self.version)
        except InvalidOrchestration as error:
            self._show(error)
        except EditConflict as error:
            self._show_conflict(error)
        except NotAllowed as error:
            self.error = error.message
        return None

    def _save(self, user: User, expected: int) -> Orchestration:
        """Save; what is as it was is not passed, so that it is in nobody's way."""
        variables = as_mapping(self.variables)
        if self.orchestration is None:
            data = self.details.cleaned_data if self.details else {}
            return create_orchestration(
                name=data["name"],
                description=data["description"],
                user=user,
                variables=variables,
                phases=designs(self.phases),
            )
        full = [row for row in self.phases if row.tasks]
        is_same = self.base is not None and full == saved_rows(self.base["phases"])
        kept = self.base is not None and variables == self.base["variables"]
        save_orchestration(
            self.orchestration,
            user=user,
            expected_version=expected,
            variables=None if kept else variables,
            phases=None if is_same else designs(self.phases),
        )
        return self.orchestration

    def _show_conflict(self, error: EditConflict) -> None:
        if self.orchestration is None:
            self.error = error.message
            return
        self.orchestration.refresh_from_db()
        self.conflict = conflict_since(self.orchestration, self.version)

    def _add_task(self, phase_key: str, target: str) -> None:
        row = self.new_row(target)
        if row is None or row.target == self._own_target():
            self.error = NOTHING_CHOSEN
            return
        self.phases = actions.add_task(self.phases, phase_key, target)

    def _own_target(self) -> str:
        return f"orchestration:{self.orchestration.pk}" if self.orchestration else ""

    def _choose(self, place: str, posted: QueryDict) -> None:
        """Show below a phase what can be added to it, for browsers without scripts.

        `place` is the component, which may be empty, and the phase.
        """
        chosen, _, self.choosing = place.partition(":")
        self.choices = find_choices(self.orchestration, words=posted.get("q", ""), chosen=chosen)

    def _turn_panel(self, key: str, *, is_open: bool) -> None:
        row = self.find(key)
        if row is not None:
            row.turn(is_open=is_open)

    def _finish(self) -> None:
        """Put names to all targets, in two queries, and offer an empty phase."""
        self.phases = actions.with_offer(self.phases)
        found: Mapping[str, Target] = targets_of({t.target for t in all_tasks(self.phases)})
        for task in all_tasks(self.phases):
            task.shown = found.get(task.target)

    def _show(self, error: InvalidOrchestration) -> None:
        """Put each sentence where it belongs; what has no place of its own stands on top."""
        rest = [text for path, text in error.fields.items() if not self._place(path, text)]
        self.error = " ".join([*dict.fromkeys(rest)]) or LOOK_BELOW

    def _place(self, path: str, text: str) -> bool:
        kind, _, rest = path.partition(".")
        if self.details is not None and kind in self.details.fields:
            self.details.add_error(kind, text)
            return True
        if kind == "variables":
            row = next((row for row in self.variables if row.name == rest), None)
            if row is not None:
                row.error = text
            return row is not None
        return kind == "phases" and self._place_in_phase(rest.split("."), text)

    def _place_in_phase(self, path: list[str], text: str) -> bool:
        if not path[0].isdecimal():
            return False
        phase = self.phases[int(path[0])]
        phase.is_collapsed = False
        if path[1:2] == ["tasks"]:
            phase.tasks[int(path[2])].show_error(path[3], text)
        elif path[1:2] == ["depends_on"]:
            phase.order_error, self.is_ordering = text, True
        else:
            phase.error = text
        return True


def _definition(orchestration: Orchestration | None, version: int) -> Definition | None:
    """Return the version that is edited; None for a new one, or where there is no such version."""
    found = orchestration.versions.filter(number=version).first() if orchestration else None
    definition: Definition | None = found.definition if found else None
    return definition


def _filled(needs: Mapping[str, list[str]], key: str, full: set[str]) -> list[str]:
    """Return the phases with tasks that one waits for, also by way of empty ones."""
    found: list[str] = []
    seen: set[str] = set()
    todo = list(reversed(needs[key]))
    while todo:
        need = todo.pop()
        if need in seen or need not in needs:
            continue
        seen.add(need)
        if need in full:
            found.append(need)
        else:
            todo += reversed(needs[need])
    return found


def _phase_and_target(key: str, posted: QueryDict) -> tuple[str, str]:
    """Return the phase and the target that a button names, such as `p1:configuration:12`."""
    *phase, kind, pk = ["", "", *key.rsplit(":", 2)]
    target = f"{kind}:{pk}" if kind else posted.get("target", "")
    return phase[-1] or posted.get("phase", ""), target
