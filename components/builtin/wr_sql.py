"""Database writer: Storage tables into PostgreSQL, MySQL, MariaDB and SQLite."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa

from components.builtin import databases, fields
from components.builtin.contract import Context, InputTable, Manifest, TestContext
from components.builtin.databases import MYSQL, POSTGRESQL, Database, TableName
from components.builtin.targets import Target, sent
from components.enums import ComponentType
from components.exceptions import RunnerError
from orchestrator_site.lib.duck import identifier, literal

CREATE, APPEND, UPSERT = "create", "append", "upsert"
MODES = {
    CREATE: "Create: replace the table",
    APPEND: "Append: add the rows",
    UPSERT: "Upsert: update rows with the same key, add the others",
}
BLOCK = 1 << 20  # bytes
PORTION = 2000  # rows
Progress = Callable[[int], None]


def run(context: Context) -> dict[str, Any]:
    """Write every table; where one fails, none is changed (MySQL: see the documentation)."""
    plan = _plan(context)
    with databases.connected(context.parameters, context.files_root, writable=True) as database:
        context.log(f"Connected to {databases.address(context.parameters)}.")
        written = [_write(context, database, table, entry) for table, entry in plan]
        try:
            database.run("COMMIT")
        except databases.ERRORS as error:
            raise RunnerError(f"The rows cannot be committed: {database.problem(error)}") from error
    return {"tables": written}


def _plan(context: Context) -> list[tuple[InputTable, dict[str, Any]]]:
    """Return what is written where; without a list, each mapped table under its alias."""
    inputs = {table.destination: table for table in context.inputs}
    if not inputs:
        raise RunnerError(
            "No table is mapped. Add at least one to the input mapping.", permanent=True
        )
    entries = context.parameters.get("tables") or [{"source": alias} for alias in inputs]
    for entry in entries:
        if entry["source"] not in inputs:
            raise RunnerError(
                f"“{entry['source']}” is not in the input mapping. It has "
                f"{', '.join(sorted(inputs))}.",
                permanent=True,
            )
        if entry.get("mode") == UPSERT and not entry.get("primary_key"):
            raise RunnerError(f"Upsert of “{entry['source']}” needs a primary key.", permanent=True)
    return [(inputs[entry["source"]], entry) for entry in entries]


def _write(
    context: Context, database: Database, table: InputTable, entry: dict[str, Any]
) -> dict[str, Any]:
    target = _target(database, table, entry)
    mode = entry.get("mode", CREATE)
    with context.connect() as connection:
        _check_key(connection, table, target.key)
        load = _Load(connection, table, target, context.work / "rows.csv", context.progress)
        try:
            rows = {CREATE: _create, APPEND: _append, UPSERT: _upsert}[mode](load)
        except databases.ERRORS as error:
            raise RunnerError(
                f"“{table.destination}” cannot be written: {database.problem(error)}"
            ) from error
    name = target.name.sql(database)
    context.log(f"Wrote {rows:,} rows of {table.source} to {name} ({mode}).")
    return {"table": name, "source": table.source, "mode": mode, "rows": rows}


def _target(database: Database, table: InputTable, entry: dict[str, Any]) -> Target:
    name = databases.table_name(entry.get("table") or table.destination)
    staging = TableName(f"orchestrator_{secrets.token_hex(6)}", name.schema)
    key = list(entry.get("primary_key") or [])
    known = {column["name"] for column in table.columns}
    if missing := [column for column in key if column not in known]:
        raise RunnerError(
            f"“{table.destination}” has no column {', '.join(missing)} for the primary key.",
            permanent=True,
        )
    return Target(database, name, table.columns, key, staging)


def _check_key(connection: duckdb.DuckDBPyConnection, table: InputTable, key: list[str]) -> None:
    """Raise RunnerError where a key is not one: NULL in it, or the same values twice."""
    if not key:
        return
    names = ", ".join(map(identifier, key))
    holes = " OR ".join(f"{identifier(name)} IS NULL" for name in key)
    empty, double = connection.execute(
        f"SELECT count(*) FILTER ({holes}), count(*) - count(DISTINCT ({names})) "  # noqa: S608
        f"FROM ({table.sql})"
    ).fetchall()[0]
    if empty or double:
        what = f"{empty:,} rows without one" if empty else f"{double:,} repeated ones"
        raise RunnerError(
            f"“{table.destination}” cannot have the primary key {', '.join(key)}: there are "
            f"{what}.",
            permanent=True,
        )


class _Load:
    """The rows of one table on their way into a database."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: InputTable,
        target: Target,
        path: Path,
        progress: Progress,
    ) -> None:
        self._connection = connection
        self._table = table
        self.target = target
        self._path = path
        self._progress = progress
        self.database = target.database

    def into(self, name: str) -> int:
        """Send all rows into the table of that quoted name; return their number."""
        items = ", ".join(sent(self.database.kind, column) for column in self._table.columns)
        sql = f"SELECT {items} FROM ({self._table.sql})"  # noqa: S608  # our own SQL
        return self._copied(sql, name) if self._is(POSTGRESQL) else self._inserted(sql, name)

    def _is(self, kind: str) -> bool:
        return self.database.kind == kind

    def _copied(self, sql: str, name: str) -> int:
        to = literal(str(self._path))
        self._connection.execute(f"COPY ({sql}) TO {to} (FORMAT csv, HEADER false)")
        statement = f"COPY {name} ({self.target.listed()}) FROM STDIN (FORMAT csv)"
        sent_bytes = 0
        with (
            self._path.open("rb") as file,
            self.database.raw.cursor() as cursor,
        ):
            with cursor.copy(statement) as copy:
                while block := file.read(BLOCK):
                    copy.write(block)
                    sent_bytes += len(block)
                    self._progress(sent_bytes)
            rows = cursor.rowcount
        self._path.unlink()
        return rows

    def _inserted(self, sql: str, name: str) -> int:
        sign = "%s" if self._is(MYSQL) else "?"
        signs = ", ".join([sign] * len(self._table.columns))
        into = f"{name} ({self.target.listed()})"
        if self._is(MYSQL):
            into = into.replace("%", "%%")
        statement = f"INSERT INTO {into} VALUES ({signs})"  # noqa: S608  # quoted names
        rows = 0
        found = self._connection.execute(sql)
        while portion := found.fetchmany(PORTION):
            self.database.connection.exec_driver_sql(statement, portion)
            rows += len(portion)
            self._progress(rows)
        return rows


def _create(load: _Load) -> int:
    """Fill a new table, then put it in the old one's place."""
    target, database = load.target, load.database
    database.run(target.create(target.staging))
    try:
        rows = load.into(target.staging.sql(database))
        for statement in target.swap(replaces=_exists(load)):
            database.run(statement)
    except databases.ERRORS:
        if database.kind == MYSQL:  # where making a table cannot be rolled back
            database.run(f"DROP TABLE IF EXISTS {target.staging.sql(database)}")
        raise
    if database.kind == MYSQL:
        database.run("START TRANSACTION")  # the swap ended the one before
    return rows


def _append(load: _Load) -> int:
    _ensure(load)
    return load.into(load.target.name.sql(load.database))


def _upsert(load: _Load) -> int:
    """Fill a temporary table, then merge it."""
    _ensure(load)
    target, database = load.target, load.database
    if database.kind == POSTGRESQL:  # two writers would both add a key that is new
        database.run(f"LOCK TABLE {target.name.sql(database)} IN SHARE ROW EXCLUSIVE MODE")
    database.run(target.create_temporary())
    staging = database.name(target.staging.table)
    rows = load.into(staging)
    for statement in target.merge():
        database.run(statement)
    word = "TEMPORARY TABLE" if database.kind == MYSQL else "TABLE"
    database.run(f"DROP {word} {staging}")
    return rows


def _ensure(load: _Load) -> None:
    """Make the target where it is missing; raises RunnerError for columns that it does not have."""
    target, database = load.target, load.database
    if not _exists(load):
        database.run(target.create(target.name))
        return
    inspector = sa.inspect(database.connection)
    found = inspector.get_columns(target.name.table, schema=target.name.schema)
    there = {str(column["name"]) for column in found}
    missing = [column["name"] for column in target.columns if column["name"] not in there]
    if missing:
        raise RunnerError(
            f"Some columns are missing in {target.name.sql(database)}: {', '.join(missing)}.",
            permanent=True,
        )


def _exists(load: _Load) -> bool:
    name = load.target.name
    return sa.inspect(load.database.connection).has_table(name.table, schema=name.schema)


def test(context: TestContext) -> str:
    """Connect with the right to write and ask the server for its version."""
    with databases.connected(context.parameters, context.files_root, writable=True) as database:
        return f"Connected to {databases.address(context.parameters)}, {database.version()}."


TABLE = fields.group(
    {
        "source": fields.text("Table", "Its alias in the input mapping.", minLength=1),
        "table": fields.text(
            "Table in the database", "Such as sales.orders. Blank: the alias.", default=""
        ),
        "mode": fields.choice("Mode", MODES, CREATE),
        "primary_key": fields.words("Primary key", "Columns; needed for Upsert."),
    },
    ["source"],
)
MANIFEST = Manifest(
    key="wr-sql",
    name="Database writer",
    type=ComponentType.WRITER,
    summary="Writes tables into PostgreSQL, MySQL, MariaDB or SQLite.",
    documentation=fields.documentation("wr-sql"),
    schema=fields.document(
        {
            **databases.CONNECTION,
            "tables": fields.rows(
                "Tables", TABLE, "None: every mapped table replaces the one of its alias."
            ),
        },
        ["type", "database"],
    ),
    run=run,
    test=test,
    icon="database-export",
    has_input=True,
)
