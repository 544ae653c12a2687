"""What somebody asks for who starts a run: the tasks, and values of variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.http import QueryDict

from orchestrations.validators import variable_errors

ADD = "add-variable"  # the button that only asks for one more line


@dataclass
class VariableLine:
    """One variable as it was typed; the name of a declared one stands fast."""

    name: str
    value: str
    is_declared: bool = False
    error: str = ""


@dataclass
class RunForm:
    """The dialogs Run and Job retry; `declared` holds the usual values of the variables."""

    declared: Mapping[str, str]
    chosen: set[str]
    lines: list[VariableLine]
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def fresh(
        cls,
        declared: Mapping[str, str],
        chosen: Iterable[str],
        values: Mapping[str, str] | None = None,
    ) -> RunForm:
        """Return the form before anything is typed; `values` are those of an earlier run."""
        values = values or {}
        lines = [VariableLine(n, values.get(n, v), is_declared=True) for n, v in declared.items()]
        lines += [VariableLine(n, str(v)) for n, v in values.items() if n not in declared]
        return cls(declared, set(chosen), lines)

    @classmethod
    def posted(cls, declared: Mapping[str, str], data: QueryDict) -> RunForm:
        """Return the form as it was sent, with one more empty line where that was asked for."""
        typed = zip(data.getlist("variable_name"), data.getlist("variable_value"), strict=False)
        known = {
            name: VariableLine(name, usual, is_declared=True) for name, usual in declared.items()
        }
        lines, seen = list(known.values()), set[str]()
        for name, value in ((name.strip(), value) for name, value in typed):
            if name in known and name not in seen:
                known[name].value = value
                seen.add(name)
            elif name or value:
                lines.append(VariableLine(name, value))
        if ADD in data:
            lines.append(VariableLine("", ""))
        return cls(declared, set(data.getlist("task")), lines)

    def is_valid(self) -> bool:
        """Check what was typed; the sentences are then at their lines and in `errors`."""
        if not self.chosen:
            self.errors["tasks"] = "Choose at least one task to run."
        seen = set()
        for line in self.lines:
            if line.name in seen:
                line.error = f"“{line.name}” is there twice."
            elif not line.name:
                line.error = "Give the variable a name."
            else:
                found = variable_errors({line.name: line.value})
                line.error = next(iter(found.values()), "")
            seen.add(line.name)
        return not self.errors and not any(line.error for line in self.lines)

    def variables(self) -> dict[str, str]:
        """Return the values that differ from the usual ones."""
        return {n.name: n.value for n in self.lines if self.declared.get(n.name) != n.value}
