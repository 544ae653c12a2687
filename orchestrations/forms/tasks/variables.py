"""The orchestration's variables as rows: a name and the text that it usually stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import QueryDict

from orchestrations.validators import MAX_VARIABLES, variable_errors

MOST = MAX_VARIABLES + 1


@dataclass
class VariableRow:
    """One variable as it stands in the form."""

    name: str = ""
    value: str = ""
    error: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.name and not self.value


def saved_variables(variables: Mapping[str, str]) -> list[VariableRow]:
    """Return the rows of what is saved."""
    return [VariableRow(name, value) for name, value in variables.items()]


def posted_variables(posted: QueryDict) -> list[VariableRow]:
    """Read the rows; those without anything are left out."""
    names, values = posted.getlist("variable-name"), posted.getlist("variable-value")
    rows = [
        VariableRow(name.strip(), value.replace("\r\n", "\n"))
        for name, value in zip(names[:MOST], values, strict=False)
    ]
    return [row for row in rows if not row.is_blank]


def check(rows: list[VariableRow]) -> bool:
    """Tell whether the rows can be saved; says at each what is wrong with it."""
    seen: set[str] = set()
    for row in rows:
        if not row.name:
            row.error = "Give it a name."
        elif row.name in seen:
            row.error = "Another variable has this name."
        else:
            row.error = next(iter(variable_errors({row.name: row.value}).values()), "")
        seen.add(row.name)
    return not any(row.error for row in rows)


def as_mapping(rows: list[VariableRow]) -> dict[str, str]:
    """Return the rows as a service takes them."""
    return {row.name: row.value for row in rows}
