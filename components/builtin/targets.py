"""Tables that a database writer fills: their columns' types and the statements that do it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from components.builtin.contract import Column
from components.builtin.databases import MYSQL, POSTGRESQL, SQLITE, Database, TableName
from orchestrator_site.lib.duck import identifier

DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
EXACT_IN_SQLITE = 15  # digits; SQLite rounds longer numbers, so they are kept as text
KEY_LENGTH = 255  # characters of a text that MySQL can have in a key
ZONED = "TIMESTAMP WITH TIME ZONE"

TYPES: dict[str, dict[str, str]] = {
    POSTGRESQL: {
        "BOOLEAN": "boolean",
        "TINYINT": "smallint",
        "UTINYINT": "smallint",
        "SMALLINT": "smallint",
        "USMALLINT": "integer",
        "INTEGER": "integer",
        "UINTEGER": "bigint",
        "BIGINT": "bigint",
        "UBIGINT": "numeric(20,0)",
        "FLOAT": "real",
        "DOUBLE": "double precision",
        "DATE": "date",
        "TIME": "time",
        "TIMESTAMP": "timestamp",
        ZONED: "timestamptz",
        "BLOB": "bytea",
    },
    MYSQL: {
        "BOOLEAN": "boolean",
        "TINYINT": "tinyint",
        "UTINYINT": "tinyint unsigned",
        "SMALLINT": "smallint",
        "USMALLINT": "smallint unsigned",
        "INTEGER": "int",
        "UINTEGER": "int unsigned",
        "BIGINT": "bigint",
        "UBIGINT": "bigint unsigned",
        "FLOAT": "float",
        "DOUBLE": "double",
        "DATE": "date",
        "TIME": "time(6)",
        "TIMESTAMP": "datetime(6)",
        ZONED: "datetime(6)",
        "BLOB": "longblob",
    },
    SQLITE: {
        "BOOLEAN": "BOOLEAN",
        **dict.fromkeys(
            ("TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER", "UINTEGER", "BIGINT"),
            "INTEGER",
        ),
        "FLOAT": "REAL",
        "DOUBLE": "REAL",
        "DATE": "DATE",
        "TIME": "TIME",
        "TIMESTAMP": "TIMESTAMP",
        ZONED: "TIMESTAMP",
        "BLOB": "BLOB",
    },
}
TEXTS = {POSTGRESQL: "text", MYSQL: "longtext", SQLITE: "TEXT"}
AS_THEY_ARE = frozenset(
    {"BOOLEAN", "TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER", "UINTEGER"}
    | {"BIGINT", "FLOAT", "DOUBLE", "BLOB"}
)


def column_type(kind: str, type_: str, *, key: bool) -> str:
    """Return a database's name for a Storage type; `key` is true for a primary key's column."""
    found = DECIMAL.fullmatch(type_)
    if found:
        return _decimal_type(kind, int(found[1]), int(found[2]))
    named = TYPES[kind].get(type_, TEXTS[kind])
    if kind == MYSQL and key and named == TEXTS[MYSQL]:
        return f"varchar({KEY_LENGTH})"
    return named


def _decimal_type(kind: str, precision: int, scale: int) -> str:
    if kind == SQLITE:
        return "NUMERIC" if precision <= EXACT_IN_SQLITE else TEXTS[SQLITE]
    if kind == MYSQL and scale > 30:  # noqa: PLR2004  # MySQL's limit
        return TEXTS[MYSQL]
    return f"decimal({precision},{scale})"


def sent(kind: str, column: Column) -> str:
    """Return DuckDB's SQL for the value as it is sent to a database, under its own name."""
    name, type_ = identifier(column["name"]), column["type"]
    if kind == POSTGRESQL:  # all is text there
        return f"'\\x' || hex({name}) AS {name}" if type_ == "BLOB" else name
    if type_ in AS_THEY_ARE:
        return name
    value = f"{name} AT TIME ZONE 'UTC'" if type_ == ZONED else name
    return f"CAST({value} AS VARCHAR) AS {name}"


@dataclass(frozen=True)
class Target:
    """A table to be written, and the table of ours beside it from which it is."""

    database: Database
    name: TableName
    columns: list[Column]
    key: list[str]
    staging: TableName

    def listed(self, names: Sequence[str] | None = None, *, prefix: str = "") -> str:
        """Return quoted column names with commas; all of them by default."""
        names = [column["name"] for column in self.columns] if names is None else names
        return ", ".join(f"{prefix}{self.database.name(name)}" for name in names)

    def create(self, name: TableName) -> str:
        """Return the statement that makes the table under a name."""
        items = [
            f"{self.database.name(column['name'])} {self._type(column)}" for column in self.columns
        ]
        if self.key:
            items.append(f"PRIMARY KEY ({self.listed(self.key)})")
        # A binary collation: keys that Storage tells apart are apart there, too.
        suffix = " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" if self._kind == MYSQL else ""
        return f"CREATE TABLE {name.sql(self.database)} ({', '.join(items)}){suffix}"

    @property
    def _kind(self) -> str:
        return self.database.kind

    def _type(self, column: Column) -> str:
        return column_type(self._kind, column["type"], key=column["name"] in self.key)

    def create_temporary(self) -> str:
        """Return the statement that makes an empty temporary table like the target."""
        columns, name = self.listed(), self.name.sql(self.database)
        staging = self.database.name(self.staging.table)
        return f"CREATE TEMPORARY TABLE {staging} AS SELECT {columns} FROM {name} WHERE 1 = 0"  # noqa: S608

    def swap(self, *, replaces: bool) -> list[str]:
        """Return the statements that put the staging table in the target's place.

        `replaces` tells whether there is a target already.
        """
        new, old = self.staging.sql(self.database), self.name.sql(self.database)
        if self._kind != MYSQL:
            rename = f"ALTER TABLE {new} RENAME TO {self.database.name(self.name.table)}"
            return [f"DROP TABLE {old}", rename] if replaces else [rename]
        if not replaces:
            return [f"RENAME TABLE {new} TO {old}"]
        past = TableName(f"{self.staging.table}_old", self.name.schema).sql(self.database)
        return [f"RENAME TABLE {old} TO {past}, {new} TO {old}", f"DROP TABLE {past}"]

    def merge(self) -> list[str]:
        """Return the statements that update the rows with known keys and add the others."""
        target, staging = self.name.sql(self.database), self.database.name(self.staging.table)
        keys = " AND ".join(
            f"{target}.{self.database.name(key)} = s.{self.database.name(key)}" for key in self.key
        )
        insert = (
            f"INSERT INTO {target} ({self.listed()}) SELECT {self.listed(prefix='s.')} "  # noqa: S608
            f"FROM {staging} AS s WHERE NOT EXISTS (SELECT 1 FROM {target} WHERE {keys})"
        )
        others = [column["name"] for column in self.columns if column["name"] not in self.key]
        return [self._update(others, target, staging, keys), insert] if others else [insert]

    def _update(self, names: list[str], target: str, staging: str, keys: str) -> str:
        quoted = [self.database.name(name) for name in names]
        if self._kind == MYSQL:
            values = ", ".join(f"{target}.{name} = s.{name}" for name in quoted)
            return f"UPDATE {target} JOIN {staging} AS s ON {keys} SET {values}"  # noqa: S608
        values = ", ".join(f"{name} = s.{name}" for name in quoted)
        return f"UPDATE {target} SET {values} FROM {staging} AS s WHERE {keys}"  # noqa: S608
