"""SQL transformation: blocks of DuckDB scripts over mapped tables."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

import duckdb

from components.builtin import fields
from components.builtin.contract import Context, Manifest
from components.builtin.statements import Statement, split
from components.enums import ComponentType
from components.exceptions import RunnerError
from orchestrator_site.lib.duck import StatementRefused, identifier, person_statements

SHOWN = 80  # characters of a statement in the log
POINTER = re.compile(r"\n+LINE (?P<line>\d+): (?P<text>[^\n]*)\n *\^+")
TABLES = """
    SELECT table_name FROM duckdb_tables()
    WHERE database_name = current_database() AND schema_name = 'main' AND NOT temporary
    ORDER BY table_name
"""


@dataclass(frozen=True)
class Block:
    """One named script."""

    name: str
    statements: list[Statement]


def run(context: Context) -> dict[str, Any]:
    """Run all statements in order, then publish the output tables."""
    blocks = _blocks(context.parameters)
    count = sum(len(block.statements) for block in blocks)
    done = 0
    with context.sandbox() as connection:
        for block in blocks:
            context.log(f"Block “{block.name}”: {len(block.statements)} statements.")
            for statement in block.statements:
                _execute(context, connection, block, statement)
                done += 1
                context.progress(done, count)
        return {"statements": count, "tables": _publish(context, connection)}


def _blocks(parameters: dict[str, Any]) -> list[Block]:
    blocks = [
        Block(block.get("name") or f"Block {number}", split(block.get("script", "")))
        for number, block in enumerate(parameters.get("blocks", []), start=1)
    ]
    if not any(block.statements for block in blocks):
        raise RunnerError("There is no statement to run. Write SQL into a block.", permanent=True)
    return blocks


def _execute(
    context: Context, connection: duckdb.DuckDBPyConnection, block: Block, statement: Statement
) -> None:
    started = time.monotonic()
    try:
        person_statements(statement.sql)  # refuses what reaches outside the sandbox
        connection.execute(statement.sql)
    except (duckdb.Error, StatementRefused) as error:
        message, line = _explained(str(error), statement)
        raise RunnerError(
            f"Block “{block.name}”, line {line}: {message}", permanent=True
        ) from error
    seconds = time.monotonic() - started
    shown = " ".join(statement.sql.split())
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    context.log(f"Line {statement.line}: {shown} ({seconds:.2f} s)", "debug")


def _explained(message: str, statement: Statement) -> tuple[str, int]:
    """Return DuckDB's message without its picture of the line, and the script's line."""
    pointer = POINTER.search(message)
    if pointer is None:
        return " ".join(message.split()), statement.line
    line = statement.line + int(pointer["line"]) - 1
    told = " ".join(POINTER.sub("", message).split())
    return f"{told} In: {pointer['text'].strip()}", line


def _publish(context: Context, connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    mapped = [entry["source"] for entry in context.output_mapping]
    names = mapped or _created(context, connection)
    if not names:
        raise RunnerError(
            "The scripts made no table. Add CREATE TABLE … AS SELECT …, or an output mapping.",
            permanent=True,
        )
    published = []
    for name in names:
        written = context.write_query(name, connection, _selected(connection, name))
        rows = sum(segment["rows"] for segment in written["segments"])
        context.log(f"{name}: {rows:,} rows in {written['table']}.")
        published.append({"table": written["table"], "rows": rows})
    return published


def _created(context: Context, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the tables that the scripts left behind; temporary ones and views are scratch."""
    inputs = {table.destination for table in context.inputs}
    found = [str(name) for (name,) in connection.execute(TABLES).fetchall()]
    return [name for name in found if name not in inputs]


def _selected(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    sql = f"SELECT * FROM {identifier(name)}"  # noqa: S608  # a quoted name
    try:
        connection.execute(f"{sql} LIMIT 0")
    except duckdb.CatalogException as error:
        raise RunnerError(
            f"The output mapping names the table “{name}”, which the scripts did not make.",
            permanent=True,
        ) from error
    return sql


MANIFEST = Manifest(
    key="tr-sql",
    name="SQL transformation",
    type=ComponentType.TRANSFORMATION,
    summary="Runs blocks of SQL scripts over the mapped tables.",
    documentation=fields.documentation("tr-sql"),
    schema=fields.document(
        {
            "blocks": fields.rows(
                "Blocks",
                fields.group(
                    {
                        "name": fields.text("Name", "Shown in the log and in errors.", default=""),
                        "script": fields.text(
                            "Script", "DuckDB SQL; statements end with a semicolon.", format="sql"
                        ),
                    },
                    ["script"],
                ),
                "Run one after another; each sees the tables of those before it.",
                minItems=1,
            )
        },
        ["blocks"],
    ),
    run=run,
    icon="sql",
    has_input=True,
    has_output=True,
)
