"""SQL for DuckDB: quoting, and which statements a person may run."""

from __future__ import annotations

import re

import duckdb

# What works on the connection's own tables. COPY, EXPORT and EXPLAIN or PREPARE of them could
# overwrite the files that a sandboxed connection may read; ATTACH, LOAD, CALL reach outside.
_ALLOWED = frozenset(
    {"ALTER", "ANALYZE", "CREATE", "CREATE_FUNC", "DELETE", "DROP", "INSERT", "MERGE_INTO"}
    | {"SELECT", "SET", "UPDATE", "VACUUM"}
)
# A statement with PIVOT is several in one, whatever it starts with.
_ALLOWED_WITH_PIVOT = re.compile(
    r"(create|from|insert|pivot|select|values|with)\b|\(", re.IGNORECASE
)
_LEADING_BLANK = re.compile(r"(\s|--[^\n]*(\n|$)|/\*((?!/\*|\*/).)*\*/)*", re.DOTALL)


class StatementRefused(ValueError):
    """This kind of statement is not allowed here."""


def identifier(name: str) -> str:
    """Return `name` quoted as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return `value` quoted as a text literal."""
    return "'" + value.replace("'", "''") + "'"


def literals(values: list[str]) -> str:
    """Return a list literal of texts."""
    return f"[{', '.join(literal(value) for value in values)}]"


def person_statements(sql: str) -> list[str]:
    """Split a person's script into statements, in order, without empty ones.

    Raises StatementRefused for a kind that could reach outside the connection's tables, and
    duckdb.ParserException for what is not SQL.
    """
    found = duckdb.extract_statements(sql)
    for statement in found:
        _check(statement)
    return [statement.query for statement in found]


def _check(statement: duckdb.Statement) -> None:
    try:
        kind = statement.type.name
    except ValueError:  # a kind so new that the Python package has no name for it
        kind = ""
    if kind in _ALLOWED:
        return
    start = statement.query[_end_of_blank(statement.query) :]
    if kind == "MULTI" and _ALLOWED_WITH_PIVOT.match(start):
        return
    word = (re.match(r"\w+", start) or [kind])[0].upper()
    raise StatementRefused(
        f"{word} is not allowed here: a script may only read its input tables and work on tables "
        "of its own."
    )


def _end_of_blank(query: str) -> int:
    found = _LEADING_BLANK.match(query)
    return found.end() if found else 0
