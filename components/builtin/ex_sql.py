"""Database extractor: tables and queries of PostgreSQL, MySQL, MariaDB and SQLite."""

from __future__ import annotations

from typing import Any

import duckdb

from components.builtin import databases, extracts, fields, readings
from components.builtin.contract import Context, Manifest, TestContext
from components.builtin.databases import SQLITE, Database
from components.enums import ComponentType
from components.exceptions import RunnerError
from orchestrator_site.lib.duck import literal

# The beginnings of types' names.
NUMBERS = ("BIGINT", "DOUBLE", "DECIMAL")
MOMENTS = ("DATE", "TIME")


def run(context: Context) -> dict[str, Any]:
    """Extract every source from one snapshot of the database."""
    sources = context.parameters.get("sources", [])
    if not sources:
        raise RunnerError("There is nothing to extract. Add a table or a query.", permanent=True)
    with databases.connected(context.parameters, context.files_root) as database:
        context.log(f"Connected to {databases.address(context.parameters)}.")
        return {"tables": [_extract(context, database, source) for source in sources]}


def _extract(context: Context, database: Database, source: dict[str, Any]) -> dict[str, Any]:
    name = output_name(source)
    mark = _Mark(context, source, name)
    try:
        query = _query(database, source)
        columns = extracts.describe(database, query)
        query = mark.since(database, query, [column.name for column in columns])
        context.log(f"Reading “{name}”{mark.told}.")
        extract = extracts.extract(
            database, query, columns, context.work / "rows.csv", context.progress
        )
    except databases.ERRORS as error:
        raise RunnerError(f"“{name}” cannot be read: {database.problem(error)}") from error
    return _load(context, extract, source, mark)


def _load(
    context: Context, extract: extracts.Extract, source: dict[str, Any], mark: _Mark
) -> dict[str, Any]:
    with context.connect() as connection:
        chosen = readings.choose(connection, extract.source, extract.columns)
        _tell_texts(context, extract.columns, chosen)
        sql = readings.typed_sql(extract.source, extract.columns, chosen)
        mark.remember(connection, extract, chosen)
        written = context.write_query(
            mark.name,
            connection,
            sql,
            primary_key=source.get("primary_key", []),
            incremental=mark.incremental,
        )
    extract.path.unlink()
    context.log(f"Loaded {extract.rows:,} rows into {written['table']}.")
    return {"table": written["table"], "rows": extract.rows}


def _tell_texts(
    context: Context,
    columns: list[readings.TextColumn],
    chosen: list[readings.Reading],
) -> None:
    """Log the columns that hold values which their type does not have."""
    if context.parameters.get("type") == SQLITE:
        return  # where every value may be of any type, that is nothing to tell
    for column, reading in zip(columns, chosen, strict=True):
        if reading is readings.TEXT and column.readings[0] is not readings.TEXT:
            context.log(
                f"Column “{column.name}” is kept as text: some of its values are no "
                f"{column.readings[0].type}.",
                "warning",
            )


def output_name(source: dict[str, Any]) -> str:
    """Return the name of a source's table; raises RunnerError where it has none."""
    if source.get("name"):
        return str(source["name"])
    if source.get("query"):
        raise RunnerError("A query needs a table name for its rows.", permanent=True)
    return databases.table_name(source.get("table", "")).table


def _query(database: Database, source: dict[str, Any]) -> str:
    """Return the SELECT of a source."""
    query = str(source.get("query") or "").strip().rstrip("; \t\r\n")
    if query and source.get("table"):
        raise RunnerError("Give a table or a query, not both.", permanent=True)
    if query:
        return f"{query}\n"  # so that a comment at its end ends
    table = databases.table_name(source["table"])
    return f"SELECT * FROM {table.sql(database)}"  # noqa: S608  # a quoted name


class _Mark:
    """Up to where the last successful job read, by the values of one column.

    The first job, and one after another column was chosen, reads and replaces everything.
    """

    def __init__(self, context: Context, source: dict[str, Any], name: str) -> None:
        self.name = name
        self._typeless = context.parameters.get("type") == SQLITE
        self._column: str = source.get("incremental_column") or ""
        self._keyed = bool(source.get("primary_key"))
        self._marks: dict[str, Any] = context.state.setdefault("marks", {})
        saved = self._marks.get(name) or {}
        self._last = saved if self._column and saved.get("column") == self._column else {}
        if not self._column:
            self._marks.pop(name, None)

    @property
    def incremental(self) -> bool:
        """Whether the rows are added to those of earlier jobs."""
        return bool(self._last)

    @property
    def told(self) -> str:
        """Where reading starts, as the end of a sentence."""
        return f" where {self._column} is {self._sign} {self._last['value']}" if self._last else ""

    @property
    def _sign(self) -> str:
        # With a key the last value is read once more: rows of the same moment are not missed.
        return ">=" if self._keyed else ">"

    def since(self, database: Database, query: str, names: list[str]) -> str:
        """Return the query for the rows that are new."""
        if self._column and self._column not in names:
            raise RunnerError(
                f"“{self.name}” has no column “{self._column}” to load incrementally by.",
                permanent=True,
            )
        if not self._last:
            return query
        value = str(self._last["value"])
        value = value if self._last["number"] else literal(value)
        column = database.name(self._column)
        return f"SELECT * FROM ({query}) AS changed WHERE {column} {self._sign} {value}"  # noqa: S608

    def remember(
        self,
        connection: duckdb.DuckDBPyConnection,
        extract: extracts.Extract,
        chosen: list[readings.Reading],
    ) -> None:
        """Keep the column's greatest value for the next job."""
        if not self._column:
            return
        number = [column.name for column in extract.columns].index(self._column)
        reading = chosen[number]
        if not self._typeless and not reading.type.startswith((*NUMBERS, *MOMENTS)):
            raise RunnerError(
                f"Column “{self._column}” of “{self.name}” cannot be loaded incrementally by: it "
                "must hold numbers, dates or times.",
                permanent=True,
            )
        numeric = reading.type.startswith(NUMBERS)
        # Without types a date is compared as the text that it is.
        as_text = self._typeless and not numeric
        value = f"c{number}" if as_text else reading.over(f"c{number}")
        sql = f"SELECT CAST(max({value}) AS VARCHAR) FROM {extract.source}"  # noqa: S608
        row = connection.execute(sql).fetchone()
        if row and row[0] is not None:
            greatest = row[0].removesuffix("+00")  # the session is in UTC
            self._marks[self.name] = {
                "column": self._column,
                "value": greatest,
                "number": numeric,
            }


def test(context: TestContext) -> str:
    """Connect and ask the server for its version."""
    with databases.connected(context.parameters, context.files_root) as database:
        return f"Connected to {databases.address(context.parameters)}, {database.version()}."


SOURCE = fields.group(
    {
        "table": fields.text("Table", "Its name, such as orders or sales.orders.", default=""),
        "query": fields.text("Query", "A SELECT, instead of a table.", format="sql", default=""),
        "name": fields.text("Table name in Storage", "Blank: the name of the table.", default=""),
        "primary_key": fields.words("Primary key", "Columns; rows with the same key are replaced."),
        "incremental_column": fields.text(
            "Load incrementally by",
            "A column whose values only grow, such as id or updated_at. Each job reads the rows "
            "beyond the last one. Blank: everything, every time.",
            default="",
        ),
    }
)
MANIFEST = Manifest(
    key="ex-sql",
    name="Database",
    type=ComponentType.EXTRACTOR,
    summary="Loads tables and queries from PostgreSQL, MySQL, MariaDB or SQLite.",
    documentation=fields.documentation("ex-sql"),
    schema=fields.document(
        {
            **databases.CONNECTION,
            "sources": fields.rows("Tables and queries", SOURCE, minItems=1),
        },
        ["type", "database", "sources"],
    ),
    run=run,
    test=test,
    icon="database-import",
    has_output=True,
)
